"""Following jobs: while any runs, the host is asked how it fares, and what is new of it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
import structlog
import trio

from manor import Clock, Storage, Transaction
from manor_hostservices.events import BackupFailed, BackupFinished, VerifyFailed
from manor_hostservices.host import Host
from manor_hostservices.jobs import store
from manor_hostservices.jobs.asking import Jobs
from manor_hostservices.jobs.known import KnownJob
from manor_hostservices.refusals import HostRefusal
from manor_hostservices.verbs import Job, ReadJobs

SOONEST, EVERY = 0.1, 1.0
"""Seconds between two looks at the jobs that run: few at first, for jobs that are done at once."""

UNREACHABLE = 5.0
"""Seconds until the next look after one in which the host could not be asked: an upgrade restarts the helper, too."""

AT_ONCE = 100
"""Jobs that are followed at once, as many as a verb asks for; the next ones follow when these have ended."""

GRACE = timedelta(minutes=3)
"""How long a job may be unknown to the host: longer than it may take to be started, even if nobody waits for that."""

UNKNOWN = "Nobody knows why"
FORGOTTEN = "The host does not know it: it was never started, or was forgotten"

log = structlog.get_logger("manor_hostservices.jobs")


class Following:
    """Keeps rows of jobs as new as the host says, over restarts of the daemon.

    Args:
        storage: Has the rows.
        clock: What time it is.
        host: The host.
        jobs: Starts jobs.

    Attributes:
        on_end: Called with each job that has ended.
    """

    def __init__(self, storage: Storage, clock: Clock, host: Host, jobs: Jobs) -> None:
        self._storage = storage
        self._clock = clock
        self._host = host
        self._roused = trio.Event()
        self._trouble: str | None = None
        self.on_end: Callable[[KnownJob], None] = _nobody_cares
        jobs.on_start = self._rouse

    async def run(self) -> None:
        """Follow until cancelled; idle while no job runs."""
        pause = SOONEST
        while True:
            self._roused = trio.Event()
            running = await self._storage.read(lambda transaction: store.running(transaction, AT_ONCE))
            if not running:
                pause = SOONEST
                await self._roused.wait()
                continue
            is_known = await self._look(running)
            await trio.sleep(pause if is_known else UNREACHABLE)
            pause = min(pause * 2, EVERY)

    async def _look(self, running: Sequence[KnownJob]) -> bool:
        """Ask once, and write down what is new; False when the host could not be asked."""
        try:
            told = await self._host.ask(ReadJobs(tuple(job.id for job in running)))
        except HostRefusal as refusal:
            if refusal.detail != self._trouble:
                log.warning("the host does not say how its jobs fare", reason=refusal.detail)
            self._trouble = refusal.detail
            return False
        self._trouble = None
        found = {job.id: job for job in told}
        now = [_now(job, found.get(job.id), self._clock) for job in running]
        if now != list(running):
            for job in await self._storage.write(lambda transaction: _keep(transaction, now)):
                self.on_end(job)
        return True

    def _rouse(self) -> None:
        self._roused.set()


def _now(job: KnownJob, told: Job | None, clock: Clock) -> KnownJob:
    if told is not None:
        return job.after(told)
    if clock.now() < job.began_at + GRACE:
        return job
    return msgspec.structs.replace(job, state="lost", ended_at=clock.now(), seconds_left=None, message=FORGOTTEN)


def _keep(transaction: Transaction, now: Sequence[KnownJob]) -> list[KnownJob]:
    """Write down what is new, and tell it; gives those that have ended."""
    ended = [job for job in now if store.change(transaction, job) and job.state != "running"]
    for job in ended:
        if job.kind == "backup" and not job.dry_run:
            _tell_backup(transaction, job)
        if job.kind == "verify" and not job.dry_run and job.state in ("failed", "lost"):
            reason = job.message or UNKNOWN
            summary = f"Backups could not be verified: {reason}"
            transaction.emit(VerifyFailed(job.id, reason, summary, job.ended_at or transaction.now))
    return ended


def _tell_backup(transaction: Transaction, job: KnownJob) -> None:
    at = job.ended_at or transaction.now
    if job.state == "done":
        made = f"Backup {job.snapshot} is made" if job.snapshot else "A backup is made"
        transaction.emit(BackupFinished(job.id, job.snapshot or "", job.bytes_total, made, at))
    elif job.state != "cancelled":
        reason = job.message or UNKNOWN
        transaction.emit(BackupFailed(job.id, reason, f"The backup failed: {reason}", at))


def _nobody_cares(job: KnownJob) -> None:
    """For a house in which nothing hangs on it."""
