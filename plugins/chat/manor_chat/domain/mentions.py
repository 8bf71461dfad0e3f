"""Who a message may be about: the words that could be mentions. Which of them are is for the channel's members."""

from __future__ import annotations

import re
from dataclasses import dataclass

from manor_chat.domain.code import without_code

_AT = re.compile(r"(?<![\w@./-])@([a-z0-9][a-z0-9._-]*)", re.IGNORECASE)
_WORD = re.compile(r"[^\s,.;:!?()\[\]{}<>\"'*~|]+")

MOST_WORDS = 2000
"""Different words of a message that are compared with what people want to be called."""


@dataclass(frozen=True)
class Mentioned:
    """What a message says, in lower case.

    Args:
        names: Words behind an `@`, each also without the dots, hyphens and underscores at its end.
        words: All words, for those who want to hear of other words than their name.
        everybody: Whether it says `@all` or `@channel`.
        here: Whether it says `@here`.
    """

    names: frozenset[str]
    words: frozenset[str]
    everybody: bool
    here: bool


def mentioned_in(message: str) -> Mentioned:
    """Look for mentions outside of code."""
    text = without_code(message).lower()
    names: set[str] = set()
    for match in _AT.finditer(text):
        name = match[1]
        names.add(name)
        while name and name[-1] in "._-":
            name = name[:-1]
            names.add(name)
    names.discard("")
    words: set[str] = set()
    for match in _WORD.finditer(text):
        if len(words) >= MOST_WORDS:
            break
        words.add(match[0])
    return Mentioned(
        frozenset(names - {"all", "channel", "here"}),
        frozenset(words),
        bool(names & {"all", "channel"}),
        "here" in names,
    )
