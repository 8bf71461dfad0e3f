"""What has an outgoing webhook or a slash command called."""

from __future__ import annotations

import re
from collections.abc import Sequence

EQUALS, STARTS_WITH = 0, 1
"""Whether a trigger word is the first word of a post, or its beginning (`trigger_when`)."""

LONGEST_COMMAND = 128
_COMMAND = re.compile(r"[^\s/]\S*")


def first_word(message: str) -> str:
    """What stands before the first space; "" for a message without words."""
    words = message.split(maxsplit=1)
    return words[0] if words else ""


def trigger_word(words: Sequence[str], when: int, message: str) -> str | None:
    """The word that a message triggers with, as it was said; None when it does not."""
    said = first_word(message)
    if not said:
        return None
    if when == EQUALS:
        return said if said in words else None
    return next((word for word in words if said.startswith(word)), None)


def is_command_trigger(trigger: str) -> bool:
    """Whether a slash command may be called so: one word, without the slash."""
    return len(trigger) <= LONGEST_COMMAND and trigger.isprintable() and _COMMAND.fullmatch(trigger) is not None
