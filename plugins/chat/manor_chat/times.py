"""Times as chat has them everywhere: whole milliseconds since 1970."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from manor import from_microseconds, to_microseconds

LATEST = 2**43 - 1
"""The last moment that something may be of, in milliseconds (in 2248): the index of posts takes no later one."""

Moment = Annotated[int, Meta(ge=0, le=LATEST)]
"""Milliseconds since 1970; 0 is never."""


def to_milliseconds(moment: datetime) -> int:
    """Milliseconds of an aware time."""
    return to_microseconds(moment) // 1000


def from_milliseconds(value: int) -> datetime:
    """The aware time in UTC."""
    return from_microseconds(value * 1000)
