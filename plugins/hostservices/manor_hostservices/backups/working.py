"""Backups on the side that may make them: what is known of the repository, and that jobs with it are done."""

from __future__ import annotations

import math

import trio

from manor import Clock, SystemClock
from manor_hostservices.backups.destination import Tried
from manor_hostservices.backups.kept import Files, Memory
from manor_hostservices.backups.setting import Setting
from manor_hostservices.backups.store import Store
from manor_hostservices.backups.trying import try_out
from manor_hostservices.backups.work import Work
from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.limits import ran_out
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Failed, HostRefusal, Invalid, Missing
from manor_hostservices.verbs import Backups, JobKind, SetBackupStore

NO_KEY = "No key provided"


class BackupJobs:
    """Knows the repository, and does jobs with it: a `BackupDesk`, and `BackupWork`.

    Args:
        config: The administrator's table.
        places: Where the host's files are.
        programs: Runs restic.
        clock: What time it is.
    """

    def __init__(self, config: HostConfig, places: Places, programs: Programs, clock: Clock | None = None) -> None:
        self._setting = Setting(
            config.backup,
            places,
            programs,
            clock or SystemClock(),
            userdata=config.userdata if config.backend == "nixos" else "",
        )
        self._files = Files(places)

    async def known(self) -> Backups:
        """The repository as it was last looked at; see `BackupDesk`."""
        location = self._setting.location(await self._files.store())
        if not location.has_key:
            return Backups("NO_KEY")
        return (await self._files.memory(location.digest)).answer()

    async def set_store(self, verb: SetBackupStore) -> Tried | None:
        """Keep the credentials, or only try them; see `BackupDesk`."""
        for value in (verb.account, verb.secret):
            if not (value.isascii() and value.isprintable()) or " " in value:
                raise Invalid("Credentials are letters, digits and signs, without blanks")
        store = Store(verb.account, verb.secret, verb.bucket)
        location = self._setting.location(store)
        if location.missing:
            raise Invalid(f"This store has to be told its {', '.join(location.missing)}")
        if verb.test:
            return await try_out(self._setting, location)
        await self._files.keep_store(store)
        await self._files.learn(location.digest, [Memory.without_error])
        return None

    async def perform(self, kind: JobKind, report: Report, *, snapshot: str | None, dry_run: bool) -> None:
        """Do a job; see `BackupWork`."""
        location = self._setting.location(await self._files.store())
        if not location.has_key:
            raise Failed(NO_KEY)
        repository = await self._setting.repository(location)
        memory = await self._files.memory(location.digest)
        work = Work(self._setting, location, repository, memory, report, dry_run=dry_run)
        try:
            await self._do_in_time(work, kind, snapshot)
        except HostRefusal as refusal:
            detail = refusal.detail
            if not dry_run and not isinstance(refusal, Missing):
                work.learn(lambda memory: memory.failed(kind, detail))
            raise
        else:
            if not dry_run:
                work.learn(lambda memory: memory.succeeded(kind))
        finally:
            # Also of a job that is cut short, and quickly: what it found out is true all the same.
            with trio.CancelScope(shield=True):
                await self._files.learn(location.digest, work.lessons)

    async def _do_in_time(self, work: Work, kind: JobKind, snapshot: str | None) -> None:
        hours = self._setting.config.max_hours
        with trio.move_on_after(hours * 3600 if hours else math.inf) as bound:
            await work.do(kind, snapshot)
        if bound.cancelled_caught:
            raise Failed(ran_out(kind, hours))
