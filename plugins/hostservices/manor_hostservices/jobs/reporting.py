"""How a job says what it does, from its own process."""

from __future__ import annotations

from typing import Protocol


class Report(Protocol):
    """Takes what a job says; none of it blocks or raises."""

    def progress(
        self,
        fraction: float,
        *,
        bytes_done: int | None = None,
        bytes_total: int | None = None,
        seconds_left: float | None = None,
    ) -> None:
        """How far it is, from 0 to 1; what is less than before is taken as before."""
        ...

    def message(self, text: str) -> None:
        """A sentence about what it does now, or did at last."""
        ...

    def log(self, line: str) -> None:
        """A line of what its programs say; no secrets."""
        ...

    def made(self, snapshot: str) -> None:
        """The backup that it made or restored: restic's short id."""
        ...
