"""Times as chat has them everywhere: whole milliseconds since 1970."""

from __future__ import annotations

from datetime import datetime

from manor import from_microseconds, to_microseconds


def to_milliseconds(moment: datetime) -> int:
    """Milliseconds of an aware time."""
    return to_microseconds(moment) // 1000


def from_milliseconds(value: int) -> datetime:
    """The aware time in UTC."""
    return from_microseconds(value * 1000)
