"""How backups stand: what is known of the repository, and what is done with it right now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from manor_hostservices.host import Host
from manor_hostservices.jobs.exclusion import REPOSITORY
from manor_hostservices.verbs import Backups, Job, JobKind, ReadBackups, ReadJobs

State = Literal["NO_KEY", "NOT_INITIALIZED", "INITIALIZED", "BACKING_UP", "RESTORING", "ERROR", "INITIALIZING"]

WITH_REPOSITORY: frozenset[JobKind] = REPOSITORY | {"reload"}

_BUSY: dict[JobKind, Literal["BACKING_UP", "RESTORING", "INITIALIZING"]] = {
    "backup": "BACKING_UP",
    "restore": "RESTORING",
    "init": "INITIALIZING",
}


@dataclass(frozen=True)
class Standing:
    """How they stand.

    Args:
        state: As the SelfPrivacy API calls it.
        progress: Of what is done right now, from 0 to 1; 0 when nothing is.
        error: What went wrong; None when nothing did.
        known: The repository as it was last looked at.
        jobs: The newest jobs of the host, newest first.
    """

    state: State
    progress: float
    error: str | None
    known: Backups
    jobs: Sequence[Job]

    @property
    def snapshots(self) -> list[dict[str, Any]]:
        """Restic's own objects, oldest first."""
        return self.known.snapshots

    def has(self, snapshot: str) -> bool:
        """Whether there is a backup with this id, short or whole."""
        return any(snapshot in (found.get("short_id"), found.get("id")) for found in self.snapshots)

    def running(self, *kinds: JobKind) -> Job | None:
        """A job of one of these kinds that runs."""
        return next((job for job in self.jobs if job.state == "running" and job.kind in kinds), None)


def failing(now: Standing) -> str | None:
    """That the newest backup, or other work with the repository, failed; None when nothing did.

    Everybody may ask how the house is, so it does not say what the store said: that may name the store.
    """
    if "ERROR" not in (now.state, now.known.state):
        return None
    done: set[JobKind] = set()
    for job in now.jobs:
        if job.kind not in WITH_REPOSITORY or job.kind in done or job.dry_run:
            continue
        if job.state == "done":
            done.add(job.kind)
        if job.state in ("failed", "lost"):
            at = (job.ended_at or job.began_at).astimezone(UTC)
            return f"{job.kind} failed at {at:%Y-%m-%d %H:%M} UTC: /app/host says why"
    return "work with the backups' repository failed: /app/host says why"


async def standing(host: Host) -> Standing:
    """Ask the host how they stand.

    Raises:
        HostRefusal: It says no.
    """
    # Jobs first: one that ends in between has written down what came of it.
    jobs = await host.ask(ReadJobs())
    known = await host.ask(ReadBackups())
    return stand(known, jobs)


def stand(known: Backups, jobs: Sequence[Job]) -> Standing:
    """How they stand, from what the host says."""
    real = [job for job in jobs if not job.dry_run]
    busy = next((job for job in real if job.state == "running" and job.kind in _BUSY), None)
    if busy is not None:
        return Standing(_BUSY[busy.kind], busy.progress, None, known, jobs)
    last = next((job for job in real if job.kind in REPOSITORY), None)
    if last is not None and last.state == "lost" and known.state in ("INITIALIZED", "NOT_INITIALIZED"):
        # It could not write down that it failed.
        return Standing("ERROR", 0.0, f"{last.kind}: {last.message}", known, jobs)
    return Standing(known.state, 0.0, known.error, known, jobs)
