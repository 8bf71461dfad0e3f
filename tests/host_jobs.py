"""Jobs for tests: a ledger in a folder, and work with the repository that does what a test says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from manor.clock import SetClock
from manor_hostservices.jobs.ledger import Ledger
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.verbs import JobKind, StartJob

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)

Work = Callable[[Report], Awaitable[None]]


def job_id(number: int) -> str:
    """The id of a test's job."""
    return f"{number:032x}"


def asked(number: int = 1, kind: JobKind = "backup", *, force: bool = False, dry_run: bool = False) -> StartJob:
    """What the daemon asks."""
    return StartJob(job_id(number), kind, dry_run=dry_run, force=force)


def new_ledger(root: Path, boot: str = "this boot") -> Ledger:
    """A ledger at noon."""
    return Ledger(Places(root), SetClock(NOON), boot)


class Working:
    """Work with the repository.

    Args:
        work: What each job does.

    Attributes:
        did: Each kind with its backup and whether it was a rehearsal.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self.did: list[tuple[JobKind, str | None, bool]] = []

    async def perform(self, kind: JobKind, report: Report, *, snapshot: str | None, dry_run: bool) -> None:
        """Do as the test says."""
        self.did.append((kind, snapshot, dry_run))
        await self._work(report)


class Heard:
    """A `Report` that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.lines: list[str] = []
        self.fractions: list[float] = []

    def progress(self, fraction: float, **_: object) -> None:
        self.fractions.append(fraction)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def log(self, line: str) -> None:
        self.lines.append(line)

    def made(self, snapshot: str) -> None:
        raise AssertionError("a host has no backups")
