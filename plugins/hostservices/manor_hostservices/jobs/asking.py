"""Jobs as the daemon asks for them: each has a row before the host hears of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from manor import PluginContext, Transaction, new_id
from manor_hostservices.acting import Acting
from manor_hostservices.config import HostConfig
from manor_hostservices.host import Host
from manor_hostservices.jobs import store
from manor_hostservices.jobs.known import KnownJob
from manor_hostservices.refusals import Failed, HostRefusal, Missing
from manor_hostservices.verbs import CancelJob, Job, JobKind, Lines, ReadJobLog, ReadJobs, StartJob


class Jobs:
    """Starts jobs, ends them, and knows those that were started.

    Args:
        context: The plugin's own.
        host: The host.
        acting: Changes it.

    Attributes:
        on_start: Called once a job runs; whoever follows jobs puts it there.
    """

    def __init__(self, context: PluginContext[HostConfig], host: Host, acting: Acting) -> None:
        self._storage = context.storage
        self._host = host
        self._acting = acting
        self._starting = trio.Lock()
        self.on_start: Callable[[], None] = _nobody_follows

    async def start(
        self,
        kind: JobKind,
        *,
        by: str,
        snapshot: str | None = None,
        dry_run: bool = False,
        force: bool = False,
        first: Callable[[], Awaitable[None]] | None = None,
    ) -> Job:
        """Start one; it goes on whoever asked for it.

        Args:
            kind: What it does.
            by: Who asks: a device's or a person's id, or `schedule`.
            snapshot: The backup that it is about: restic's short id.
            dry_run: Whether it only shows what it would do.
            force: Whether it is started although something speaks against it.
            first: Is done in the same step, so that no other job starts after it and before this one; what it raises
                starts none.

        Raises:
            Conflicting: A job that it cannot run beside is running.
            HostRefusal: The host says no.
        """
        async with self._starting:
            if first is not None:
                await first()
            return await self._start(kind, by=by, snapshot=snapshot, dry_run=dry_run, force=force)

    async def _start(self, kind: JobKind, *, by: str, snapshot: str | None, dry_run: bool, force: bool) -> Job:
        verb = StartJob(new_id().hex, kind, snapshot, dry_run, force)

        def add(transaction: Transaction) -> KnownJob:
            row = KnownJob(
                id=verb.id,
                kind=kind,
                state="running",
                by=by,
                dry_run=dry_run,
                began_at=transaction.now,
                snapshot=snapshot,
            )
            store.add(transaction, row)
            return row

        try:
            row = await self._storage.write(add)
            job = await self._started(verb, row)
            if job.state == "running":
                await self._storage.write(lambda transaction: store.change(transaction, row.after(job)))
            # One that has ended meanwhile is for the followers, too: they tell what came of it.
        finally:
            # Also when the caller went meanwhile: whether the job runs is then for the followers to find out.
            self.on_start()
        return job

    async def cancel(self, id_: str, *, by: str) -> None:
        """End one before it has done its work.

        Raises:
            Missing: There is no such job.
            Conflicting: It has ended, or is of a kind that must not be cut short.
            HostRefusal: The host says no.
        """
        await self._acting.change(CancelJob((await self.find(id_)).id), by=by)

    async def find(self, id_: str) -> KnownJob:
        """The job with this id.

        Raises:
            Missing: There is none.
        """
        job = await self._storage.read(lambda transaction: store.find(transaction, id_))
        if job is None:
            raise Missing("Job not found")
        return job

    async def newest(self) -> list[KnownJob]:
        """The newest hundred, newest first."""
        return await self._storage.read(store.newest)

    async def running(self) -> list[KnownJob]:
        """Those that run, oldest first."""
        return await self._storage.read(partial(store.running, limit=store.LISTED))

    async def log(self, id_: str, lines: int) -> Lines:
        """The newest lines of what a job's programs said.

        Raises:
            Missing: There is no such job, or the host has forgotten it.
            HostRefusal: The host says no.
        """
        return await self._host.ask(ReadJobLog((await self.find(id_)).id, lines))

    async def _started(self, verb: StartJob, row: KnownJob) -> Job:
        try:
            return await self._acting.change(verb, by=row.by)
        except HostRefusal as refusal:
            reason = refusal.detail
            job = await self._runs_all_the_same(verb) if isinstance(refusal, Failed) else None
            if job is None:
                await self._storage.write(lambda transaction: store.remove(transaction, row, reason))
                raise
            return job

    async def _runs_all_the_same(self, verb: StartJob) -> Job | None:
        """The job, when the answer was lost on its way and not the job."""
        try:
            found = await self._host.ask(ReadJobs((verb.id,)))
        except HostRefusal:
            return None
        return found[0] if found else None


def _nobody_follows() -> None:
    """For a house whose background tasks do not run."""
