"""Manor's own database in a backup: a copy that fits together, in the place of the file that the daemon writes to."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import PurePosixPath

import trio

from manor_hostservices.backups.copying import BESIDE, COPIES, DATABASE
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Failed

COPYING = "manor_hostservices.backups.copying"

COPY_SECONDS = 3600.0
"""How long the copy may take: the daemon's user can hold it up, and nothing else is backed up meanwhile."""

REMOVE_SECONDS = 20.0
REASON_LIMIT = 200
"""Characters of a reason; what says it runs as the daemon's user."""


class Database:
    """Manor's database.

    Args:
        folder: Manor's data folder, from the host's root on; "": nothing is known of it.
        places: Where the host's files are.
        programs: Runs what copies it.
    """

    def __init__(self, folder: str, places: Places, programs: Programs) -> None:
        self._path = PurePosixPath("/", folder.strip("/"))
        self._folder = places.at(folder)
        self._programs = programs
        self.is_there = bool(folder) and os.path.lexists(self._folder / DATABASE)

    @property
    def live(self) -> Sequence[str]:
        """The files that the daemon writes to, from the host's root on."""
        return [f"{self._path}/{DATABASE}{end}" for end in ("", *BESIDE)]

    def paths(self, paths: Sequence[str]) -> Sequence[str]:
        """What is to be backed up so that the copy is, too."""
        copies = self._path / COPIES
        if any(copies.is_relative_to(PurePosixPath("/", path.strip("/"))) for path in paths):
            return paths
        return [*paths, str(copies)]

    async def copy(self, report: Report) -> None:
        """Make the copy.

        Raises:
            Failed: It cannot be made; there is no half of one.
        """
        report.message("Copying Manor's database")
        reason = await self._run(COPY_SECONDS)
        if reason is not None:
            await self.remove(report)
            raise Failed(f"Manor's database could not be copied: {reason}")

    async def remove(self, report: Report) -> None:
        """Remove the copy, if there is one; the next job tries again."""
        if (reason := await self._run(REMOVE_SECONDS, "--remove")) is not None:
            report.log(f"The copy of Manor's database could not be removed: {reason}")

    async def _run(self, seconds: float, *options: str) -> str | None:
        """Why it could not be done; None when it was."""
        argv = [sys.executable, "-I", "-m", COPYING, *options, str(self._folder)]
        try:
            done = await self._programs.run(argv, seconds=seconds)
        except trio.TooSlowError:
            return f"it took more than {seconds:.0f} seconds"
        if done.status == 0:
            return None
        *_, said = done.output.strip().splitlines() or [f"status {done.status}"]
        return "".join(filter(str.isprintable, said))[:REASON_LIMIT]
