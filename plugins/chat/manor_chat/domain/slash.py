"""Slash commands as people type them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_QUOTED = re.compile(r'"([^"]*)"')
_DELAY = re.compile(r"(.*?)\s+([0-9]{1,6})", re.DOTALL)
_SPACE = re.compile(r"\s")


@dataclass(frozen=True)
class Typed:
    """A command.

    Args:
        trigger: Its name, in lower case, without the slash.
        text: What came behind it.
    """

    trigger: str
    text: str


def read_command(command: str) -> Typed | None:
    """The command in `/name and the rest`; None for what is none."""
    if len(command) < 2 or command[0] != "/":
        return None
    trigger, text = split_word(command[1:])
    return Typed(trigger.lower(), text) if trigger else None


def split_word(text: str) -> tuple[str, str]:
    """The first word and what comes behind it; text keeps its lines and its spaces but those around it."""
    found = _SPACE.search(text)
    return (text, "") if found is None else (text[: found.start()], text[found.end() :].strip())


def names_in(text: str) -> tuple[list[str], str]:
    """The usernames at the beginning (`@ann, @bob`), without their `@`, and the rest."""
    names: list[str] = []
    rest = text.strip()
    while rest.startswith(("@", ",")):
        word, rest = split_word(rest)
        names += [name.removeprefix("@").lower() for name in word.split(",") if name.removeprefix("@")]
    return list(dict.fromkeys(names)), rest


def channel_name(word: str) -> str:
    """The name in `~name`."""
    return word.removeprefix("~").lower()


def read_echo(text: str) -> tuple[str, int]:
    """What to say and after how many seconds: `"words" 5`, `words 5` or `words`."""
    text = text.strip()
    quoted = _QUOTED.match(text)
    if quoted is not None:
        rest = text[quoted.end() :].strip()
        if not rest:
            return quoted[1], 0
        if rest.isascii() and rest.isdigit() and len(rest) <= 6:
            return quoted[1], int(rest)
        return text, 0
    delayed = _DELAY.fullmatch(text)
    return (delayed[1], int(delayed[2])) if delayed else (text, 0)


def as_code(text: str) -> str:
    """The text as a block of code."""
    return "    " + text.replace("\n", "\n    ")
