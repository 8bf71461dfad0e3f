"""Jobs in the daemon's own process: for a sandbox, where nothing has to outlive it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress

import trio

from manor_hostservices.backends.backend import Backend
from manor_hostservices.jobs.exclusion import check_beside, check_may_end
from manor_hostservices.jobs.ledger import Ledger
from manor_hostservices.jobs.performing import BackupWork, perform_to_the_end
from manor_hostservices.jobs.settling import running_jobs, settled_jobs
from manor_hostservices.refusals import NotHere
from manor_hostservices.stored import remove_halves
from manor_hostservices.verbs import CancelJob, Job, Lines, ReadJobLog, ReadJobs, StartJob


class InProcessJobs:
    """Does jobs as tasks; a `JobDesk`.

    Args:
        ledger: Where jobs are written down.
        backend: The host.
        backups: Its backups.
    """

    def __init__(self, ledger: Ledger, backend: Backend, backups: BackupWork) -> None:
        self._ledger = ledger
        self._backend = backend
        self._backups = backups
        self._nursery: trio.Nursery | None = None
        self._scopes: dict[str, trio.CancelScope] = {}
        self._starting = trio.Lock()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Have the jobs that are started from now on run in here, until cancelled."""
        with suppress(OSError):  # such as a full disk; nothing hangs on it
            await trio.to_thread.run_sync(remove_halves, self._ledger.folder.parent)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None

    async def start(self, verb: StartJob) -> Job:
        """Start one; see `JobDesk`."""
        async with self._starting:
            check_beside(verb, await running_jobs(self._ledger, self._living))
            job = await trio.to_thread.run_sync(self._ledger.create, verb)
            if self._nursery is None:
                await trio.to_thread.run_sync(self._ledger.remove, verb.id)
                raise NotHere("Manor is starting or stopping")
            scope = self._scopes[verb.id] = trio.CancelScope()
            self._nursery.start_soon(self._do, verb.id, scope)
            return job

    async def cancel(self, verb: CancelJob) -> None:
        """End one; see `JobDesk`."""
        entry = await trio.to_thread.run_sync(self._ledger.entry, verb.id)
        check_may_end(entry.job)
        await trio.to_thread.run_sync(self._ledger.ask_to_end, verb.id)
        if verb.id in self._scopes:
            self._scopes[verb.id].cancel()

    async def read(self, verb: ReadJobs) -> list[Job]:
        """Newest first; see `JobDesk`."""
        return await settled_jobs(self._ledger, verb.ids, self._living, self._starting)

    async def log(self, verb: ReadJobLog) -> Lines:
        """What its programs said; see `JobDesk`."""
        return Lines(await trio.to_thread.run_sync(self._ledger.log, verb.id, verb.lines))

    async def _do(self, id_: str, scope: trio.CancelScope) -> None:
        try:
            with scope:
                await perform_to_the_end(self._ledger, id_, self._backend, self._backups)
        finally:
            del self._scopes[id_]

    async def _living(self, ids: Sequence[str]) -> Collection[str]:
        return self._scopes.keys()
