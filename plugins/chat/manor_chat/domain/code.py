"""Code in a message's markdown: nothing in it mentions or tags."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n.*?(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)


def without_code(message: str) -> str:
    """The message with its code blocks and code spans blanked out."""
    if "`" not in message and "~~~" not in message:
        return message
    return _SPAN.sub(" ", _FENCE.sub("\n", message))
