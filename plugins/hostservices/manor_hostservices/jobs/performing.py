"""Doing a job to its end and writing down how it fares: the same in a process of its own and in a sandbox."""

from __future__ import annotations

import math
from typing import Literal, Protocol

import msgspec
import structlog
import trio

from manor import contained
from manor_hostservices.backends.backend import Backend
from manor_hostservices.jobs.exclusion import HOST
from manor_hostservices.jobs.ledger import LINE_LIMIT, Entry, Ledger
from manor_hostservices.jobs.limits import ran_out
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.refusals import HostRefusal
from manor_hostservices.verbs import Job, JobKind, StartJob

PACE = 0.5
"""Seconds between two writes of how a job fares."""

WAITING_LINES = 2000
"""Lines of a log that wait to be written; what comes when there are more is not kept."""

UNEXPECTED = "Something unexpected went wrong; the host's journal has the details"

log = structlog.get_logger("manor_hostservices.jobs")

_Ending = tuple[Literal["done", "failed", "cancelled"], str]


class BackupWork(Protocol):
    """Does jobs with the repository."""

    async def perform(self, kind: JobKind, report: Report, *, snapshot: str | None, dry_run: bool) -> None:
        """Do one to its end.

        Raises:
            HostRefusal: It failed; its sentence is how the job ended.
        """
        ...


class Progress:
    """A `Report` that keeps what a job says until it is written.

    Args:
        job: The job as it was started.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.lines: list[str] = []
        self._is_news = trio.Event()
        self._lost_lines = 0

    def progress(
        self,
        fraction: float,
        *,
        bytes_done: int | None = None,
        bytes_total: int | None = None,
        seconds_left: float | None = None,
    ) -> None:
        """How far it is; see `Report`."""
        known = 0.0 if math.isnan(fraction) else min(max(fraction, 0.0), 1.0)
        self.job = msgspec.structs.replace(
            self.job,
            progress=max(self.job.progress, known),
            bytes_done=self.job.bytes_done if bytes_done is None else bytes_done,
            bytes_total=self.job.bytes_total if bytes_total is None else bytes_total,
            seconds_left=seconds_left,
        )
        self._is_news.set()

    def message(self, text: str) -> None:
        """What it does; see `Report`."""
        self.job = msgspec.structs.replace(self.job, message=text)
        self._is_news.set()

    def log(self, line: str) -> None:
        """A line of what programs say; see `Report`."""
        if len(self.lines) < WAITING_LINES:
            self.lines.append(line[:LINE_LIMIT])
        else:
            self._lost_lines += 1
        self._is_news.set()

    def made(self, snapshot: str) -> None:
        """The backup; see `Report`."""
        self.job = msgspec.structs.replace(self.job, snapshot=snapshot)
        self._is_news.set()

    async def news(self) -> None:
        """Wait until there is something to write."""
        await self._is_news.wait()

    def take(self) -> tuple[Job, list[str]]:
        """What is to be written now."""
        self._is_news = trio.Event()
        lines, self.lines = self.lines, []
        if self._lost_lines:
            lines.append(f"({self._lost_lines} more lines came too fast to be kept)")
            self._lost_lines = 0
        return self.job, lines


async def perform(asked: StartJob, backend: Backend, backups: BackupWork, report: Report) -> None:
    """Do a job, by the one that knows how.

    Raises:
        HostRefusal: It failed.
    """
    match asked.kind:
        case "apply" | "upgrade" | "rollback" | "reboot":
            await backend.perform(asked.kind, report, dry_run=asked.dry_run, force=asked.force)
        case _:
            await backups.perform(asked.kind, report, snapshot=asked.snapshot, dry_run=asked.dry_run)


async def perform_to_the_end(
    ledger: Ledger, id_: str, backend: Backend, backups: BackupWork, *, restart_within: float = 0.0
) -> None:
    """Do a job that was written down, and write down how it fares and how it ends.

    Cut short from around it, a job is `cancelled` when somebody asked for that, else `failed`; but a restart, which
    ends the process that asked for it, is left running: whoever reads it later sees another boot.

    Args:
        ledger: Has the job.
        id_: The job's.
        backend: The host.
        backups: Its backups.
        restart_within: Seconds within which a restart has to end this process; 0 to believe at once that it will.
    """
    entry = await trio.to_thread.run_sync(ledger.entry, id_)
    progress = Progress(entry.job)
    ending: _Ending | None = None

    def unexpected(error: Exception) -> None:
        nonlocal ending
        log.error("a job failed unexpectedly", job=id_, kind=entry.job.kind, exc_info=error)
        ending = "failed", UNEXPECTED

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep_written, ledger, entry, progress)
            with contained(unexpected):
                ending = await _outcome(entry, backend, backups, progress, restart_within)
            nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_end, ledger, entry, progress, ending)


async def _outcome(
    entry: Entry, backend: Backend, backups: BackupWork, report: Report, restart_within: float
) -> _Ending:
    asked = entry.asked
    # Work with the repository looks at its own time, and remembers that it was over.
    hours = entry.max_hours if asked.kind in HOST else 0
    try:
        with trio.move_on_after(hours * 3600 if hours else math.inf) as bound:
            await perform(asked, backend, backups, report)
        if bound.cancelled_caught:
            return "failed", ran_out(asked.kind, hours)
    except HostRefusal as refusal:
        return "failed", refusal.detail
    except trio.TooSlowError:
        return "failed", "It took too long"
    if asked.kind != "reboot" or asked.dry_run or not restart_within:
        return "done", ""
    await trio.sleep(restart_within)
    return "failed", "The host did not restart"


async def _keep_written(ledger: Ledger, entry: Entry, progress: Progress) -> None:
    while True:
        await progress.news()
        job, lines = progress.take()
        # What was taken has to be written, also when the job ends now.
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(_write, ledger, msgspec.structs.replace(entry, job=job), lines)
        await trio.sleep(PACE)


def _write(ledger: Ledger, entry: Entry, lines: list[str]) -> None:
    # A full disk is no reason to end what works, nor a log that takes no more one to keep quiet about the job's end.
    try:
        if lines:
            ledger.append(entry.job.id, lines)
    except OSError as error:
        log.warning("what a job's programs say could not be written down", job=entry.job.id, reason=error.strerror)
    try:
        ledger.write(entry)
    except OSError as error:
        log.warning("how a job fares could not be written down", job=entry.job.id, reason=error.strerror)


def _end(ledger: Ledger, entry: Entry, progress: Progress, ending: _Ending | None) -> None:
    job, lines = progress.take()
    if ending is None and job.kind == "reboot":
        _write(ledger, msgspec.structs.replace(entry, job=job), lines)
        return
    if ending is None and ledger.is_to_end(job.id):
        ending = "cancelled", "Cancelled"
    if ending is None and ledger.is_out_of_time(entry):
        # Something in it could not be ended from within, and systemd did.
        ending = "failed", ran_out(job.kind, entry.max_hours)
    state, message = ending or ("failed", "It was ended from outside")
    ended = msgspec.structs.replace(
        job,
        state=state,
        ended_at=ledger.clock.now(),
        seconds_left=None,
        progress=1.0 if state == "done" else job.progress,
        message=message or job.message,
    )
    _write(ledger, msgspec.structs.replace(entry, job=ended), lines)
