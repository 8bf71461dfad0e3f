"""Restic's repository: what is asked of the program, and what it answers."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import trio

from manor_hostservices.backups.already import Already
from manor_hostservices.backups.faults import RepositoryFault, fault_of
from manor_hostservices.backups.hearing import Hearing
from manor_hostservices.backups.store import Location
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.programs import Hear, Programs

ANSWER_SECONDS = 60.0
"""How long the store may take to say whether there is a repository."""

LIST_SECONDS = 300.0
LISTED = 1000
"""Backups that are listed of each host and set of paths."""

UNREADABLE = 3
"""Exit status of a backup that was made but lacks files that could not be read."""

UNFOLLOWED = "manor_hostservices.backups.unfollowed"

_GLOB = re.compile(r"([\\*?\[])")


class Repository:
    """Asks restic.

    Args:
        programs: Runs it.
        restic: The program.
        location: Where the repository is.
        password_file: Opens it.
        password: What is in that file, to keep it out of logs; "" when there is none: then nothing opens it.
        folder: A folder of its own, for its cache and what it writes meanwhile.

    Attributes:
        has_password: Whether there is one.
        scratch: Where it writes meanwhile.
    """

    def __init__(
        self, programs: Programs, restic: str, location: Location, password_file: Path, password: str, folder: Path
    ) -> None:
        self._programs = programs
        self._restic = restic
        self._location = location
        self._password = password
        self.has_password = bool(password)
        self.scratch = folder / "scratch"
        # Without a password it opens nothing, and nobody can guess what to make a repository with that it would open:
        # backups would go there for everybody to read, and restores would come from there.
        nothing = {"RESTIC_PASSWORD": secrets.token_urlsafe(32)}
        opens = {"RESTIC_PASSWORD_FILE": str(password_file)} if password else nothing
        self._environment: Mapping[str, str] = {
            **location.environment(),
            **opens,
            "RESTIC_CACHE_DIR": str(folder / "cache"),
            "RESTIC_PROGRESS_FPS": "2",
            "TMPDIR": str(self.scratch),
        }

    async def open(self, seconds: float = ANSWER_SECONDS) -> None:
        """Find out whether it is there and lets us in.

        Args:
            seconds: How long the store may take to say so.

        Raises:
            RepositoryFault: It is not, or does not.
        """
        await self._run(None, "cat", "config", "--no-lock", seconds=seconds)

    async def init(self, report: Report | None = None) -> None:
        """Make it."""
        await self._run(report, "init", seconds=LIST_SECONDS)

    async def unlock(self, report: Report | None = None) -> None:
        """Remove locks that a process of this host left which is gone; those of others only once they are old."""
        await self._run(report, "unlock", seconds=LIST_SECONDS)

    async def snapshots(self) -> list[dict[str, Any]]:
        """What is in it: restic's own objects, oldest first."""
        lines: list[str] = []
        hearing = self._hearing(None)

        def hear(line: str) -> None:
            if line.startswith("[") or line == "null":
                lines.append(line)
            else:
                hearing(line)

        arguments = ("snapshots", "--json", "--no-lock", "--latest", str(LISTED))
        await self._run(None, *arguments, seconds=LIST_SECONDS, hearing=hearing, hear=hear)
        try:
            # Nothing at all is no list: what is there must not look as if it were gone.
            found = msgspec.json.decode(lines[-1] if lines else b"", type=list[dict[str, Any]] | None) or []
        except msgspec.DecodeError as error:
            raise RepositoryFault("other", "What restic says of the backups cannot be read") from error
        return sorted(found, key=lambda snapshot: str(snapshot.get("time", "")))

    async def backup(
        self, report: Report, root: Path, paths: Sequence[str], exclude: Sequence[str], *, dry_run: bool
    ) -> Hearing:
        """Make a backup; what could not be read is logged and counted, and the rest is backed up.

        Args:
            report: Is told how far it is.
            root: What stands for `/`: in the backup, paths begin there.
            paths: From the root on.
            exclude: Restic's patterns; those with a slash at their beginning are whole paths on this machine.
            dry_run: Only show what would be done.
        """
        arguments = ["backup", "--json", *_dry(dry_run), *(f"--exclude={pattern}" for pattern in exclude), "--"]
        arguments += [path.strip("/") or "." for path in paths]
        return await self._run(report, *arguments, cwd=root, fine=(0, UNREADABLE))

    async def restore(self, report: Report, snapshot: str, target: Path, exclude: Sequence[str] = ()) -> Hearing:
        """Put a backup's files there, over what is there, and compare them with the backup; no link is followed."""
        already = Already(target)
        try:
            return await self._restore(report, snapshot, target, exclude, already)
        except RepositoryFault:
            if not already.paths:
                raise
        report.message("Restoring once more, without links that are there as they were")
        return await self._restore(report, snapshot, target, [*exclude, *map(escaped, already.paths)], Already(target))

    async def _restore(
        self, report: Report, snapshot: str, target: Path, exclude: Sequence[str], already: Already
    ) -> Hearing:
        hearing, place = self._hearing(report), target
        through: Sequence[str] = ()
        # Anybody else may write as he pleases: the kernel looks after him.
        if os.geteuid() == 0:
            place = self.scratch / "target"
            await trio.Path(place).mkdir(exist_ok=True)
            await trio.Path(target).mkdir(parents=True, exist_ok=True)
            through = [sys.executable, "-I", "-m", UNFOLLOWED, str(target), str(place)]

        def hear(line: str) -> None:
            told = line.replace(f"{place}/", f"{str(target).rstrip('/')}/")
            already.hear(told)
            hearing(told)

        patterns = [f"--exclude={pattern}" for pattern in exclude]
        arguments = ("restore", "--json", "--verify", f"--target={place}", *patterns, snapshot)
        return await self._run(report, *arguments, hearing=hearing, hear=hear, through=through)

    async def restore_some(self, report: Report, snapshot: str, target: Path, paths: Sequence[str]) -> None:
        """Put a few of a backup's files there, and compare them with the backup."""
        patterns = [f"--include={escaped(path)}" for path in paths]
        await self._run(report, "restore", "--verify", f"--target={target}", *patterns, snapshot)

    async def size(self, snapshot: str) -> tuple[int, int]:
        """How many files a backup has, and bytes."""
        hearing = self._hearing(None)
        found: dict[str, Any] = {}

        def hear(line: str) -> None:
            if line.startswith('{"total_size"'):
                found.update(msgspec.json.decode(line))
            else:
                hearing(line)

        arguments = ("stats", "--json", "--no-lock", "--mode=restore-size", snapshot)
        await self._run(None, *arguments, seconds=LIST_SECONDS, hearing=hearing, hear=hear)
        return int(found.get("total_file_count", 0)), int(found.get("total_size", 0))

    async def files(self, snapshot: str, hear: Callable[[dict[str, Any]], None]) -> None:
        """Each file of a backup, to a function that takes restic's object."""
        hearing = self._hearing(None)

        def take(line: str) -> None:
            if not line.startswith("{"):
                hearing(line)
                return
            node = msgspec.json.decode(line)
            if node.get("type") == "file":
                hear(node)

        await self._run(None, "ls", "--json", "--no-lock", snapshot, hearing=hearing, hear=take)

    async def check(self, report: Report, share: str) -> None:
        """Check that everything is there that backups need, and read a share of it, such as `5%`."""
        await self._run(report, "check", f"--read-data-subset={share}")

    async def forget(self, report: Report, arguments: Sequence[str], *, dry_run: bool) -> None:
        """Remove backups, and what no other needs."""
        await self._run(report, "forget", "--prune", *_dry(dry_run), *arguments)

    def _hearing(self, report: Report | None) -> Hearing:
        return Hearing(report, lambda text: self._location.redacted(text, self._password))

    async def _run(
        self,
        report: Report | None,
        *arguments: str,
        seconds: float | None = None,
        fine: tuple[int, ...] = (0,),
        cwd: Path | None = None,
        hearing: Hearing | None = None,
        hear: Hear | None = None,
        through: Sequence[str] = (),
    ) -> Hearing:
        hearing = hearing or self._hearing(report)
        try:
            done = await self._programs.run(
                [*through, self._restic, *arguments],
                env=self._environment,
                seconds=seconds,
                hear=hear or hearing,
                cwd=None if cwd is None else str(cwd),
            )
        except trio.TooSlowError as error:
            raise RepositoryFault("unreachable", f"The store said nothing for {seconds:.0f} seconds") from error
        if done.status not in fine:
            raise fault_of(done.status, list(hearing.said))
        return hearing


def escaped(path: str) -> str:
    """A path as a pattern that fits nothing else."""
    return _GLOB.sub(r"\\\1", path)


def _dry(dry_run: bool) -> Sequence[str]:
    return ["--dry-run"] if dry_run else []
