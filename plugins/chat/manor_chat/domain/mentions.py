"""Who a message may be about: the words that could be mentions. Which of them are is for the channel's members."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from manor_chat.domain.code import without_code

_AT = re.compile(r"(?<![\w@/])@([a-z0-9][a-z0-9._-]*)", re.IGNORECASE)
_PIECE = re.compile(r"[^\s,.;:!?()\[\]{}<>\"'*~|]+")
_AROUND = ",.;:!?()[]{}<>\"'*~|_-"
_CALLS = frozenset({"all", "channel", "here"})

MOST_WORDS = 2000
"""Different words of a message that are compared with what people want to be called."""


@dataclass(frozen=True)
class Mentioned:
    """What a message says, in lower case.

    Args:
        names: Words behind an `@`, each also without the dots, hyphens and underscores at its end.
        words: All words, whole and in pieces, for those who want to hear of other words than their name.
        everybody: Whether it says `@all` or `@channel`.
        here: Whether it says `@here`.
    """

    names: frozenset[str]
    words: frozenset[str]
    everybody: bool
    here: bool

    @cached_property
    def keys(self) -> frozenset[str]:
        """What mention keys are compared with: the words, and the names with their `@`."""
        return self.words | {f"@{name}" for name in self.names}


@dataclass(frozen=True)
class Wishes:
    """What one person hears of.

    Args:
        handle: Their username.
        keys: Other words, in lower case.
        calls: Whether `@all`, `@channel` and `@here` concern them.
        everything: Whether each post does, as in direct messages.
    """

    handle: str
    keys: frozenset[str] = frozenset()
    calls: bool = True
    everything: bool = False


def mentioned_in(message: str) -> Mentioned:
    """Look for mentions outside of code."""
    text = without_code(message).lower()
    names: set[str] = set()
    if "@" in text:
        for match in _AT.finditer(text):
            name = match[1]
            names.add(name)
            while name and name[-1] in "._-":
                name = name[:-1]
                names.add(name)
        names.discard("")
    return Mentioned(
        frozenset(names - _CALLS),
        frozenset(_words(text.split())),
        bool(names & {"all", "channel"}),
        "here" in names,
    )


def is_about(said: Mentioned, wishes: Wishes) -> bool:
    """Whether one person is mentioned."""
    return (
        wishes.everything
        or wishes.handle in said.names
        or not wishes.keys.isdisjoint(said.keys)
        or (wishes.calls and (said.everybody or said.here))
    )


def _words(tokens: Iterable[str]) -> set[str]:
    words: set[str] = set()
    for token in tokens:
        if token.isalnum():
            words.add(token)
        else:
            words.update((token, token.strip(_AROUND)))
            words.update(_PIECE.findall(token))
        if len(words) >= MOST_WORDS:
            break
    words.discard("")
    return words
