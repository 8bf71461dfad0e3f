"""Jobs as transient units of systemd: each in a process of its own, which outlives the helper that started it.

An upgrade restarts the daemon and may replace the helper, so a job is a child of neither. It is found again by its
unit's name, which its id gives.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import Any

import trio

from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.backends.systemd.units import MANAGER
from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.exclusion import check_beside, check_may_end
from manor_hostservices.jobs.ledger import Ledger
from manor_hostservices.jobs.limits import hours_for
from manor_hostservices.jobs.settling import running_jobs, settled_jobs
from manor_hostservices.refusals import HostRefusal, Missing
from manor_hostservices.verbs import CancelJob, Job, Lines, ReadJobLog, ReadJobs, StartJob

END_SECONDS = 60
"""How long a job that is ended may take to say so; then its processes are killed."""

MARGIN_SECONDS = 900
"""Beyond a job's time, within which it ends itself and says why; then systemd does."""

RUNNING_MODULE = "manor_hostservices.jobs.running"

_THERE = frozenset({"active", "activating", "deactivating", "reloading"})

_GOING_DOWN = "stopping"


def unit_name(id_: str) -> str:
    """The unit of a job."""
    return f"manor-job-{id_}.service"


class UnitJobs:
    """Starts jobs as units and finds them again; a `JobDesk`.

    Args:
        ledger: Where jobs are written down.
        bus: The host's bus.
        config: The admin's table.
        starting: Is held while a job starts; the same for all in a process.
    """

    def __init__(self, ledger: Ledger, bus: Bus, config: HostConfig, starting: trio.Lock) -> None:
        self._ledger = ledger
        self._bus = bus
        self._config = config
        self._starting = starting

    async def start(self, verb: StartJob) -> Job:
        """Start one; see `JobDesk`."""
        async with self._starting:
            check_beside(verb, await running_jobs(self._ledger, self._living))
            hours = hours_for(verb.kind, self._config)
            job = await trio.to_thread.run_sync(self._ledger.create, verb, hours)
            try:
                async with self._bus.line() as line:
                    await line.call(MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", _transient_unit(job, hours))
            except HostRefusal:
                await trio.to_thread.run_sync(self._ledger.remove, verb.id)
                raise
            return job

    async def cancel(self, verb: CancelJob) -> None:
        """End one; see `JobDesk`."""
        jobs = await self.read(ReadJobs((verb.id,)))
        if not jobs:
            raise Missing("Job not found")
        check_may_end(jobs[0])
        await trio.to_thread.run_sync(self._ledger.ask_to_end, verb.id)
        async with self._bus.line() as line:
            try:
                await line.call(MANAGER, "StopUnit", "ss", (unit_name(verb.id), "replace"))
            except Missing:
                return  # it has just ended

    async def read(self, verb: ReadJobs) -> list[Job]:
        """Newest first; see `JobDesk`."""
        return await settled_jobs(self._ledger, verb.ids, self._living, self._starting)

    async def log(self, verb: ReadJobLog) -> Lines:
        """What its programs said; see `JobDesk`."""
        return Lines(await trio.to_thread.run_sync(self._ledger.log, verb.id, verb.lines))

    async def _living(self, ids: Sequence[str]) -> Collection[str]:
        names = {unit_name(id_): id_ for id_ in ids}
        async with self._bus.line() as line:
            [units] = await line.call(MANAGER, "ListUnitsByNames", "as", (list(names),))
            # Afterwards: what ended because the host goes down did so later than that began.
            if await line.get(MANAGER, "SystemState") == _GOING_DOWN:
                # A restart has not come to its end, and what it cut short is told once the host is back.
                return ids
        # A unit that was just started may still wait in systemd's queue.
        return {names[name] for name, _, _, active, _, _, _, queued, *_ in units if active in _THERE or queued}


def _transient_unit(job: Job, max_hours: int) -> tuple[Any, ...]:
    """What is told systemd of a job; properties as in org.freedesktop.systemd1(5), times in microseconds."""
    argv = [sys.executable, "-I", "-m", RUNNING_MODULE, job.id]
    properties = [
        ("Description", ("s", f"Manor's job {job.kind}")),
        ("Type", ("s", "exec")),
        ("ExecStart", ("a(sasb)", [(argv[0], argv, False)])),
        # Its own programs are ended by the job, which says so; what is left then is killed.
        ("KillMode", ("s", "mixed")),
        ("TimeoutStopUSec", ("t", END_SECONDS * 1_000_000)),
        # Gone once it has ended, also when it failed: how it ended stands in its file.
        ("CollectMode", ("s", "inactive-or-failed")),
        ("UMask", ("u", 0o022)),
    ]
    if max_hours:
        properties.append(("RuntimeMaxUSec", ("t", (max_hours * 3600 + MARGIN_SECONDS) * 1_000_000)))
    return unit_name(job.id), "fail", properties, []
