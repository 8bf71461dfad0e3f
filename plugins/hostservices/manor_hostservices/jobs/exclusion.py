"""Which jobs cannot run beside which, and which must not be cut short."""

from __future__ import annotations

from collections.abc import Sequence

from manor_hostservices.refusals import Conflicting
from manor_hostservices.verbs import Job, JobKind, StartJob

REPOSITORY: frozenset[JobKind] = frozenset({"backup", "restore", "init", "forget", "verify"})
"""Only one of these at once: each holds the repository, or changes what the other reads."""

HOST: frozenset[JobKind] = frozenset({"apply", "upgrade", "rollback"})
"""Only one of these at once: each changes what runs here."""

WHOLE: frozenset[JobKind] = HOST | {"reboot"}
"""A package that is half installed is worse than waiting for the end."""


MOST = 8
"""Jobs at once, of kinds that may run beside any: each is a process of root's that a taken daemon could start."""


def check_beside(asked: StartJob, running: Sequence[Job]) -> None:
    """Check that a job may start now.

    Args:
        asked: What is to be started.
        running: What runs.

    Raises:
        Conflicting: Something that runs stands against it.
    """
    for other in running:
        if other.kind == "reboot":
            raise Conflicting("The host is about to restart")
        if asked.kind == "reboot" and not asked.force:
            raise Conflicting(f"A job is running: {other.kind}")
        # A restore writes where packages write.
        if _both(asked.kind, other.kind, REPOSITORY) or _both(asked.kind, other.kind, HOST | {"restore"}):
            raise Conflicting(f"A job is running: {other.kind}")
    if len(running) >= MOST and asked.kind != "reboot":
        raise Conflicting(f"{len(running)} jobs are running")


def check_may_end(job: Job) -> None:
    """Check that a job may be ended before it has done its work.

    Raises:
        Conflicting: It has ended, or must not be cut short.
    """
    if job.state != "running":
        raise Conflicting("The job has ended")
    if job.kind in WHOLE:
        raise Conflicting(f"A job of this kind must not be cut short: {job.kind}")


def _both(one: JobKind, other: JobKind, kinds: frozenset[JobKind]) -> bool:
    return one in kinds and other in kinds
