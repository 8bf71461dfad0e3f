"""A job as the daemon knows it: how it fares, and who asked for it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from manor_hostservices.verbs import Job, JobKind

State = Literal["running", "done", "failed", "cancelled", "lost"]


class KnownJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job.

    Args:
        id: 32 hexadecimal digits.
        kind: What it does.
        state: `lost`: its process is gone and never said how it ended.
        by: Who asked for it: a device's or a person's id, or `schedule`; "" for somebody who was erased.
        dry_run: Whether it only shows what it would do.
        began_at: When it was asked for.
        ended_at: When it ended; None while it runs.
        progress: From 0 to 1.
        message: A sentence for a person: what it does, or how it ended.
        bytes_done: Of a backup or restore.
        bytes_total: Of a backup or restore.
        seconds_left: As the tool reckons.
        snapshot: The backup that it made, restored or removed: restic's short id.
    """

    id: str
    kind: JobKind
    state: State
    by: str
    dry_run: bool
    began_at: datetime
    ended_at: datetime | None = None
    progress: float = 0.0
    message: str = ""
    bytes_done: int | None = None
    bytes_total: int | None = None
    seconds_left: float | None = None
    snapshot: str | None = None

    def after(self, job: Job) -> KnownJob:
        """The same job, as the host tells of it."""
        return msgspec.structs.replace(self, **{name: getattr(job, name) for name in _TOLD})


_TOLD = (
    "state",
    "began_at",
    "ended_at",
    "progress",
    "message",
    "bytes_done",
    "bytes_total",
    "seconds_left",
    "snapshot",
)
