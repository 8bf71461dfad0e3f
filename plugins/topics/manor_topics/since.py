"""Since when: the moment or message after which somebody wants to read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from manor_topics.domain import Misfit, read_id


@dataclass(frozen=True, slots=True)
class SinceBeginning:
    """Everything that is kept."""


@dataclass(frozen=True, slots=True)
class SinceNewest:
    """The newest message, and what comes."""


@dataclass(frozen=True, slots=True)
class SinceMessage:
    """Strictly after that message."""

    id: UUID


@dataclass(frozen=True, slots=True)
class SinceTime:
    """Strictly after that moment."""

    time: datetime


Since = SinceBeginning | SinceNewest | SinceMessage | SinceTime

MOST_SINCE = 100
"""Characters; the longest sensible one, a time with nanoseconds and offset, has 35."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_DURATION_PART = re.compile(r"([0-9]+)([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}(?=T)"
_CLOCK = r"[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]{1,9})?)?)?"
_OFFSET = r"[Zz]|[+ -][0-9]{2}(?::?[0-9]{2})?"
_TIME = re.compile(rf"(?P<date>{_DATE})(?:[Tt ](?P<clock>{_CLOCK})(?P<offset>{_OFFSET})?)?")
"""RFC 3339, and of ISO 8601 what computers write; `datetime.fromisoformat` alone takes any sign in place of the T."""


def read_since(text: str, *, now: datetime, field: str = "since") -> Since:
    """Understand `since`: a time, Unix seconds, a message id, a duration such as `10m` or `1h30m`, `all`, `latest`.

    A time without an offset is UTC. What lies beyond the years 1 to 9999 is the first or the last moment of these.

    Raises:
        Misfit: It is none of these.
    """
    if text == "all":
        return SinceBeginning()
    if text == "latest":
        return SinceNewest()
    if (id_ := read_id(text.lower())) is not None:
        return SinceMessage(id_)
    if len(text) <= MOST_SINCE:
        if _DURATION.fullmatch(text):
            return _since_duration(text, now)
        if _UNIX_SECONDS.fullmatch(text):
            return _since_unix_seconds(text)
        if (found := _TIME.fullmatch(text)) is not None and (time := _time(found)) is not None:
            return SinceTime(time)
    raise Misfit(field, "is a time, Unix seconds, a message id, a duration such as 10m, 'all' or 'latest'")


def _since_duration(text: str, now: datetime) -> Since:
    seconds = sum(int(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    try:
        return SinceTime(now - timedelta(seconds=seconds))
    except OverflowError:
        return SinceBeginning()


def _since_unix_seconds(text: str) -> Since:
    try:
        return SinceTime(datetime.fromtimestamp(float(text), UTC))
    except (OverflowError, ValueError, OSError):
        return SinceTime(_LATEST)


def _time(found: re.Match[str]) -> datetime | None:
    """The moment, or None when there is no such day or hour."""
    # In a query a plus sign means a space, and few clients write %2B.
    offset = (found["offset"] or "Z").upper().replace(" ", "+")
    try:
        time = datetime.fromisoformat(f"{found['date']}T{found['clock'] or '00'}{offset}")
    except ValueError:
        return None
    try:
        return time.astimezone(UTC)
    except OverflowError:
        return _EARLIEST if time.year == 1 else _LATEST
