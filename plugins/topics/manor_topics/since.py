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

_DURATION = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_DURATION_PART = re.compile(r"([0-9]+)([smhdw])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_LOST_PLUS = re.compile(r" (?=\d\d:?\d\d$)")


def read_since(text: str, *, now: datetime, field: str = "since") -> Since:
    """Understand `since`: a time, Unix seconds, a message id, a duration such as `10m` or `1h30m`, `all`, `latest`.

    Raises:
        Misfit: It is none of these.
    """
    if text == "all":
        return SinceBeginning()
    if text == "latest":
        return SinceNewest()
    if (id_ := read_id(text.lower())) is not None:
        return SinceMessage(id_)
    try:
        if _DURATION.fullmatch(text):
            seconds = sum(int(number) * _UNIT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
            return SinceTime(now - timedelta(seconds=seconds))
        if _UNIX_SECONDS.fullmatch(text):
            return SinceTime(datetime.fromtimestamp(float(text), UTC))
    except (OverflowError, ValueError, OSError):
        # Longer ago than times go back, or later than they go forward.
        if _DURATION.fullmatch(text):
            return SinceBeginning()
        raise Misfit(field, "lies beyond the year 9999") from None
    try:
        # In a query a plus sign means a space, and few clients write %2B.
        time = datetime.fromisoformat(_LOST_PLUS.sub("+", text))
        return SinceTime(time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC))
    except (ValueError, OverflowError):
        raise Misfit(
            field, "is a time, Unix seconds, a message id, a duration such as 10m, 'all' or 'latest'"
        ) from None
