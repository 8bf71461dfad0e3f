"""Finding out which jobs have ended without a word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

import trio

from manor_hostservices.jobs.ledger import Ledger
from manor_hostservices.verbs import Job

Living = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""Takes ids of jobs and gives those whose process is there."""

SHOWN = 100
"""Jobs that are listed when nobody names them."""


async def settled_jobs(ledger: Ledger, ids: Sequence[str], living: Living, starting: trio.Lock) -> list[Job]:
    """Jobs, newest first, each with the end that it has had.

    Args:
        ledger: Has them.
        ids: Only these; none: the newest hundred.
        living: Says whose process is there.
        starting: Is held while a job is written down and its process is not there yet.
    """
    jobs = await trio.to_thread.run_sync(ledger.jobs, ids, SHOWN)
    if not any(job.state == "running" for job in jobs):
        return jobs
    async with starting:
        return await settle(ledger, jobs, living)


async def running_jobs(ledger: Ledger, living: Living) -> list[Job]:
    """Jobs that run. Call it while no other job is started."""
    jobs = await trio.to_thread.run_sync(ledger.jobs)
    return [job for job in await settle(ledger, jobs, living) if job.state == "running"]


async def settle(ledger: Ledger, jobs: Sequence[Job], living: Living) -> list[Job]:
    """The same jobs; what had no end and has no process gets one."""
    running = [job.id for job in jobs if job.state == "running"]
    if not running:
        return list(jobs)
    # After the files were read, so a job that is not there now and says nothing then never will.
    alive = await living(running)
    return await trio.to_thread.run_sync(_settle, ledger, jobs, frozenset(running) - frozenset(alive))


def _settle(ledger: Ledger, jobs: Sequence[Job], gone: frozenset[str]) -> list[Job]:
    return [ledger.settle(job) if job.id in gone else job for job in jobs]
