"""What people type into the search field, taken apart; the operators are those of the API (its section on search)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

MOST_CHARACTERS = 512
MOST_TERMS = 32

_TOKEN = re.compile(r'(-?)"([^"]*)"?|(\S+)')
_FLAG = re.compile(r"(-?)(from|in|channel|before|after|on|ext):(.*)", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_DAY = 86_400_000


@dataclass(frozen=True)
class Term:
    """A word, several words in a row, or the beginning of a word.

    Args:
        text: As it was typed, without quotes and the star.
        is_prefix: Whether it stands for all words that begin so.
        is_tag: Whether it is a hashtag.
    """

    text: str
    is_prefix: bool = False
    is_tag: bool = False


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Args:
        terms: What a post has to say.
        without: What it must not say.
        senders: Names of who wrote it; one of them.
        not_senders: Who did not.
        channels: Names of where; one of them. `@name` is the direct channel with somebody.
        not_channels: Where not.
        extensions: Of files; one of them.
        not_extensions: None of these.
        first: Not before this time, in milliseconds; None for no such bound.
        last: Before this time.
        is_impossible: Whether a date is none, so that nothing can match.
    """

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    senders: tuple[str, ...] = ()
    not_senders: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    not_channels: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    not_extensions: tuple[str, ...] = ()
    first: int | None = None
    last: int | None = None
    is_impossible: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is looked for at all."""
        named = (self.senders, self.not_senders, self.channels, self.not_channels, self.extensions)
        has_bounds = self.first is not None or self.last is not None
        return not (self.terms or self.without or has_bounds or self.not_extensions or any(named))


@dataclass
class _Reading:
    lists: dict[str, list[str]] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)
    without: list[Term] = field(default_factory=list)
    first: int | None = None
    last: int | None = None
    is_impossible: bool = False


def read_query(text: str, offset: int = 0) -> Query:
    """Take a query apart.

    Args:
        text: As it was typed; what is too long is cut.
        offset: Seconds that the asker's zone is ahead of UTC, for dates.
    """
    read = _Reading()
    for minus, value, flag in _tokens(text[:MOST_CHARACTERS]):
        if flag in ("before", "after", "on"):
            _bound(read, flag, value, offset, is_negated=bool(minus))
        elif flag:
            name = {"from": "senders", "in": "channels", "channel": "channels", "ext": "extensions"}[flag]
            read.lists.setdefault(f"not_{name}" if minus else name, []).append(value.lower())
        elif (term := _term(value)) is not None:
            (read.without if minus else read.terms).append(term)
    named = {name: tuple(dict.fromkeys(values)) for name, values in read.lists.items()}
    return Query(
        terms=tuple(read.terms[:MOST_TERMS]),
        without=tuple(read.without[:MOST_TERMS]),
        first=read.first,
        last=read.last,
        is_impossible=read.is_impossible,
        **named,
    )


def _tokens(text: str) -> Iterator[tuple[str, str, str]]:
    """Minus, value and flag of each; a flag whose value stands behind a blank takes the next word."""
    waiting: tuple[str, str] | None = None
    for match in _TOKEN.finditer(text):
        minus, quoted, word = match[1] or "", match[2], match[3]
        if waiting is not None:
            before, flag = waiting
            waiting = None
            yield before, quoted if quoted is not None else word.strip('"'), flag
            continue
        if quoted is not None:
            if quoted.strip():
                yield minus, f'"{quoted}"', ""
            continue
        if (found := _FLAG.fullmatch(word)) is not None:
            value = found[3].strip('"')
            if value:
                yield found[1], value, found[2].lower()
            else:
                waiting = found[1], found[2].lower()
            continue
        is_negated = len(word) > 1 and word.startswith("-")
        yield ("-", word[1:], "") if is_negated else ("", word, "")


def _term(value: str) -> Term | None:
    if value.startswith('"'):
        text = value.strip('"').strip()
        return Term(text) if any(character.isalnum() for character in text) else None
    is_prefix = value.endswith("*")
    text = value.rstrip("*")
    if not any(character.isalnum() for character in text):
        return None
    return Term(text, is_prefix, text.startswith("#"))


def _bound(read: _Reading, flag: str, value: str, offset: int, *, is_negated: bool) -> None:
    start = _start_of(value, offset)
    if start is None or is_negated:
        # A date that is none matches nothing; that something was not on a day is not asked by any client.
        read.is_impossible = read.is_impossible or start is None
        return
    first, last = {"before": (None, start), "after": (start + _DAY, None), "on": (start, start + _DAY)}[flag]
    if first is not None:
        read.first = first if read.first is None else max(read.first, first)
    if last is not None:
        read.last = last if read.last is None else min(read.last, last)


def _start_of(value: str, offset: int) -> int | None:
    found = _DATE.fullmatch(value)
    if found is None:
        return None
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(seconds=offset)
    except (ValueError, OverflowError):
        return None
    return int(moment.timestamp() * 1000)
