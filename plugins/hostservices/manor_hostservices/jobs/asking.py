"""Jobs as the daemon asks for them."""

from __future__ import annotations

from manor import new_id
from manor_hostservices.acting import Acting
from manor_hostservices.verbs import Job, JobKind, StartJob


class Jobs:
    """Starts jobs.

    Args:
        acting: Changes the host.
    """

    def __init__(self, acting: Acting) -> None:
        self._acting = acting

    async def start(
        self,
        kind: JobKind,
        *,
        by: str,
        snapshot: str | None = None,
        dry_run: bool = False,
        force: bool = False,
    ) -> Job:
        """Start one; it goes on whoever asked for it.

        Args:
            kind: What it does.
            by: Who asks: a device's or a person's id, or `schedule`.
            snapshot: The backup that it is about: restic's short id.
            dry_run: Whether it only shows what it would do.
            force: Whether it is started although something speaks against it.

        Raises:
            Conflicting: A job that it cannot run beside is running.
            HostRefusal: The host says no.
        """
        verb = StartJob(new_id().hex, kind, snapshot, dry_run, force)
        return await self._acting.change(verb, by=by)
