"""The wall clock, the only one: everything that needs the date asks it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What time it is. Timers use `trio.current_time()` instead: wall clocks jump."""

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time, aware and in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that may


class SetClock:
    """A clock that stands where it was put: for tests and simulations."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time that was set."""
        return self._now

    def set(self, now: datetime) -> None:
        """Jump, forwards or back."""
        self._now = now
