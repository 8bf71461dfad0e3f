"""What people in the chat may be called, and what they may write. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

MOST_NAME = 30
"""Characters of a name; longer ones are cut (Owncast's bound)."""

MOST_BODY_BYTES = 2048
"""UTF-8 bytes of what one message says, as it is typed (Owncast's bound of a socket's message)."""

MOST_FRAME_BYTES = 16_384
"""Of a client's frame; a longer one closes its socket."""

COLORS = 8
"""Users have a number below this, that pages make a colour of."""

MOST_PREVIOUS_NAMES = 20

CLOSED_AFTER = timedelta(minutes=5)
"""So long after a broadcast people may still write."""

_LOOKED_AT = 1000
_MOST_MARKS = 2
"""Combining marks on one letter: more of them run over the lines above and below."""

_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
"""Letters and symbols that show nothing at all."""

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_ADJECTIVES = ("amber", "brave", "calm", "clever", "crimson", "dapper", "eager", "fuzzy", "gentle", "golden", "happy",
               "jolly", "lucky", "mellow", "nimble", "quiet", "silver", "sunny", "swift", "witty")  # fmt: skip
_NOUNS = ("badger", "beaver", "comet", "dolphin", "falcon", "finch", "fox", "hedgehog", "heron", "lantern", "lynx",
          "maple", "marmot", "otter", "owl", "panda", "pebble", "robin", "sparrow", "walrus")  # fmt: skip


def clean_name(text: str) -> str:
    """A name on one line and without what cannot be seen or turns text round; "" when nothing is left to see."""
    kept: list[str] = []
    marks = 0
    # Cut first: what comes from strangers may be long, and normal forms take their time.
    for character in unicodedata.normalize("NFC", text[:_LOOKED_AT]):
        if character.isspace():
            kept.append(" ")
            continue
        category = unicodedata.category(character)
        if category in _DROPPED or character in _BLANK:
            continue
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    name = " ".join("".join(kept).split())[:MOST_NAME].strip()
    return name if any(unicodedata.category(character)[0] in "LNPS" for character in name) else ""


def fold(name: str) -> str:
    """What two names have in common that people take for one: letters and digits, whatever their case and accents."""
    return "".join(each for each in unicodedata.normalize("NFKD", name).casefold() if each.isalnum())


def is_forbidden(name: str, *, words: Iterable[str], names: Iterable[str]) -> bool:
    """Whether nobody may be called so.

    Args:
        name: Clean.
        words: Stand nowhere in a name.
        names: Are somebody's already: the server's, moderators'.
    """
    folded = fold(name)
    lower = name.casefold()
    for word in words:
        core = fold(word)
        # A word of signs alone has no core; it is looked for as it stands.
        if core in folded if core else bool(word.strip()) and word.strip().casefold() in lower:
            return True
    return any(fold(taken) == folded if fold(taken) else taken.casefold() == lower for taken in names)


def invented_name(choose: Callable[[Sequence[str]], str]) -> str:
    """A name for somebody who said none.

    Args:
        choose: Picks one of several, at random.
    """
    return f"{choose(_ADJECTIVES)}-{choose(_NOUNS)}-{choose('23456789')}{choose('23456789')}"


def renamed(previous_names: Sequence[str], name: str) -> tuple[str, ...]:
    """All names that somebody had, the new one at the end; of many the newest."""
    return (*(each for each in previous_names if each != name), name)[-MOST_PREVIOUS_NAMES:]


def clean_body(text: str) -> str:
    """What was written, without control characters and without those that turn text round; "" for nothing."""
    if len(text) > MOST_BODY_BYTES * 2:
        # Nobody types so many of them: not worth the look.
        return text
    kept = (
        each
        for each in text.replace("\r\n", "\n")
        if each not in _BIDI and (each in "\n\t" or unicodedata.category(each) not in ("Cc", "Cs"))
    )
    return "".join(kept).strip()


def is_too_long(body: str) -> bool:
    """Whether a body has more bytes than a message may have."""
    return len(body) > MOST_BODY_BYTES or len(body.encode("utf-8", "replace")) > MOST_BODY_BYTES


def is_open(*, is_online: bool, ended_at: datetime | None, now: datetime) -> bool:
    """Whether people may write: while a broadcast is on, for some minutes after it, and before the first one."""
    return is_online or ended_at is None or now - ended_at < CLOSED_AFTER
