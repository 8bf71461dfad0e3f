"""A job with the repository, step by step."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import msgspec
import trio

from manor_hostservices.backups.faults import RepositoryFault
from manor_hostservices.backups.hearing import Hearing
from manor_hostservices.backups.kept import Lesson, Memory
from manor_hostservices.backups.own_state import bring_state_back
from manor_hostservices.backups.repository import Repository
from manor_hostservices.backups.sample import restore_a_sample
from manor_hostservices.backups.setting import Setting, clear
from manor_hostservices.backups.store import Location, make_password
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.refusals import Failed, Missing
from manor_hostservices.verbs import JobKind

CHECKED_SHARE = "5%"
"""Of the repository, read whole by each verification."""

SHOWN = 3
"""Lines of restic's that stand in a job's message; its log has all."""

GONE = "The repository is gone from its place; save the store's settings again to make a new one"
KEEP_IT = "Keep the repository's password elsewhere (as root: manor host recovery-kit): without it no backup opens"
OPENS_OTHERWISE = (
    "There is a repository already, which opens with another password: "
    "put the password that was kept into this server's password file"
)


class Work:
    """One job.

    Args:
        setting: The host.
        location: Where the repository is.
        repository: The repository.
        memory: What is known of it.
        report: Is told how the job fares.
        dry_run: Only show what would be done.

    Attributes:
        memory: What is known after the steps so far.
        lessons: What they taught.
    """

    def __init__(
        self,
        setting: Setting,
        location: Location,
        repository: Repository,
        memory: Memory,
        report: Report,
        *,
        dry_run: bool,
    ) -> None:
        self._setting = setting
        self._location = location
        self._repository = repository
        self._report = report
        self._dry_run = dry_run
        self.memory = memory
        self.lessons: list[Lesson] = []

    def learn(self, lesson: Lesson) -> None:
        """Know something new."""
        self.lessons.append(lesson)
        self.memory = lesson(self.memory)

    async def do(self, kind: JobKind, snapshot: str | None) -> None:
        """Do it.

        Args:
            kind: What.
            snapshot: The backup that it is about, if about one: restic's short id.

        Raises:
            Missing: There is no such backup.
            HostRefusal: It failed.
        """
        try:
            await self._do(kind, snapshot)
        except RepositoryFault as fault:
            if fault.fault == "missing":
                raise Missing(fault.detail) from fault
            raise Failed(told_of(fault, self._repository)) from fault
        except OSError as error:
            raise Failed(f"The disk does not take it: {error.strerror}") from error

    async def _do(self, kind: JobKind, snapshot: str | None) -> None:
        match kind:
            case "init":
                await self._init()
            case "reload":
                await self._reload()
            case "backup":
                await self._backup()
            case "restore":
                await self._restore(snapshot or "")
            case "verify":
                await self._verify()
            case "forget" if snapshot is not None:
                await self._forget_one(snapshot)
            case "forget":
                await self._thin_out()
            case _:
                raise Failed(f"This is no work with backups: {kind}")

    # --- Setting it up ---------------------------------------------------------------------------------------------

    async def _init(self) -> bool:
        """Have a repository; gives whether it was made just now."""
        try:
            await self._repository.open()
        except RepositoryFault as fault:
            if not fault.is_absent:
                raise
            if self._dry_run:
                self._report.message("A repository would be set up")
                return False
            await self._make()
            await self._list()
            self._report.message(f"The repository is set up. {KEEP_IT}")
            return True
        await self._list()
        self._report.message("The repository is there already")
        return False

    async def _make(self) -> None:
        self._report.message("Setting up the repository")
        await trio.to_thread.run_sync(make_password, self._setting.password_file)
        self._repository = await self._setting.repository(self._location)
        await self._repository.init(self._report)
        # What was wrong with an earlier one is no trouble of this one's.
        self.learn(lambda memory: Memory(memory.about, is_made=True))

    async def _reload(self) -> None:
        if not self._repository.has_password:
            self._report.message("There is no repository yet")
            return
        try:
            await self._list()
        except RepositoryFault as fault:
            if not fault.is_absent or self.memory.is_made:
                raise
            self._report.message("There is no repository yet")
        else:
            count = len(self.memory.snapshots)
            self._report.message("1 backup is there" if count == 1 else f"{count} backups are there")

    async def _list(self) -> None:
        now = self._setting.clock.now()
        snapshots = await self._repository.snapshots()
        self.learn(lambda memory: memory.listed(snapshots, now))

    # --- Backing up and restoring ----------------------------------------------------------------------------------

    async def _backup(self) -> None:
        is_new = False
        if not self.memory.is_made:
            is_new = await self._init()
            if not self.memory.is_made:
                return
        await self._take_over()
        hearing = await self._back_up_with_database()
        if self._dry_run:
            size = hearing.summary.get("data_added", 0)
            self._report.message(f"A backup would add {size:,} bytes")
            return
        if made := str(hearing.summary.get("snapshot_id", ""))[:8]:
            self._report.made(made)
        await self._list()
        self._report.message(f"{_how_it_went(hearing)}{f'. {KEEP_IT}' if is_new else ''}")

    async def _back_up_with_database(self) -> Hearing:
        database = self._setting.database()
        if self._dry_run:
            return await self._back_up(self._setting.config.paths)
        if not database.is_there:
            self._report.log(f"There is no database of Manor's in {self._setting.config.manor_data or 'any folder'}")
            return await self._back_up(self._setting.config.paths)
        try:
            await database.copy(self._report)
            return await self._back_up(database.paths(self._setting.config.paths), database.live)
        finally:
            with trio.CancelScope(shield=True):
                await database.remove(self._report)

    async def _back_up(self, paths: Sequence[str], left_out: Sequence[str] = ()) -> Hearing:
        self._report.message("Backing up")
        exclude = self._setting.left_out(self._location, left_out)
        root = self._setting.places.root
        return await self._repository.backup(self._report, root, paths, exclude, dry_run=self._dry_run)

    async def _restore(self, snapshot: str) -> None:
        found = await self._find(snapshot)
        self._report.made(str(found["short_id"]))
        if self._dry_run:
            files, size = await self._repository.size(str(found["id"]))
            self._report.message(f"{files:,} files and folders would be restored, {size:,} bytes")
            return
        await self._take_over()
        self._report.message("Restoring")
        target = self._setting.places.at(self._setting.config.target)
        await self._repository.restore(self._report, str(found["id"]), target, self._setting.left_alone())
        if self._setting.is_in_place:
            await bring_state_back(self._repository, self._report, str(found["id"]), self._setting.state_files)
        self._report.message("Restored, and compared with the backup")

    async def _take_over(self) -> None:
        """Remove what a job left that was killed: its locks, half-written files, and the copy of Manor's database."""
        await self._repository.unlock(self._report)
        if (database := self._setting.database()).is_there:
            await database.remove(self._report)
        await trio.to_thread.run_sync(clear, self._repository.scratch)

    async def _find(self, snapshot: str) -> dict[str, Any]:
        """The backup with this id, from the repository itself."""
        await self._list()
        for found in self.memory.snapshots:
            if snapshot and str(found.get("id", "")).startswith(snapshot):
                return found
        raise Missing("Backup not found")

    # --- Looking after it ------------------------------------------------------------------------------------------

    async def _verify(self) -> None:
        await self._list()
        if not self.memory.snapshots:
            raise Failed("There is no backup to verify yet")
        await self._take_over()
        self._report.message("Checking the repository")
        await self._repository.check(self._report, CHECKED_SHARE)
        self._report.progress(0.5)
        self._report.message("Restoring a few files to try it")
        newest = self.memory.snapshots[-1]
        count = await restore_a_sample(self._repository, self._report, str(newest["id"]))
        now = self._setting.clock.now()
        self.learn(lambda memory: msgspec.structs.replace(memory, verified_at=now))
        files = "1 file" if count == 1 else f"{count} files"
        self._report.message(f"The repository is sound; {files} of the newest backup were restored to try it")

    async def _forget_one(self, snapshot: str) -> None:
        found = await self._find(snapshot)
        self._report.made(str(found["short_id"]))
        await self._forget([str(found["id"])])

    async def _thin_out(self) -> None:
        config = self._setting.config
        kept = {"daily": config.keep_daily, "weekly": config.keep_weekly, "monthly": config.keep_monthly}
        policy = [f"--keep-{span}={count}" for span, count in kept.items() if count]
        if not policy:
            self._report.message("All backups are kept")
            return
        await self._list()
        # Others may back up into the same repository, and keep theirs longer.
        await self._forget([f"--host={socket.gethostname()}", *policy])

    async def _forget(self, arguments: Sequence[str]) -> None:
        await self._take_over()
        before = len(self.memory.snapshots)
        self._report.message("Removing backups")
        await self._repository.forget(self._report, arguments, dry_run=self._dry_run)
        if self._dry_run:
            self._report.message("Nothing was removed; the log shows what would be")
            return
        await self._list()
        gone = before - len(self.memory.snapshots)
        self._report.message("1 backup was removed" if gone == 1 else f"{gone} backups were removed")


def told_of(fault: RepositoryFault, repository: Repository) -> str:
    """A sentence for whoever waits for the repository."""
    if fault.fault == "password" and not repository.has_password:
        return OPENS_OTHERWISE
    return GONE if fault.is_absent else fault.detail


def _how_it_went(hearing: Hearing) -> str:
    if not hearing.troubles:
        return "Backed up"
    files = "1 file" if hearing.troubles == 1 else f"{hearing.troubles} files"
    return f"Backed up but for {files} that could not be read: " + "; ".join(list(hearing.said)[-SHOWN:])
