"""Backups that are made by themselves: when they are due, thinning them out, and saying so when none are made."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
import trio

from manor import Clock
from manor_hostservices.backups.calendar import Calendar
from manor_hostservices.backups.standing import Standing, standing
from manor_hostservices.config import BackupConfig
from manor_hostservices.host import Host
from manor_hostservices.jobs.exclusion import REPOSITORY
from manor_hostservices.refusals import Conflicting, HostRefusal
from manor_hostservices.verbs import Job, JobKind

EVERY = 900.0
"""Seconds between two looks at most: clocks are set, and hosts sleep."""

WATCHED = 30.0
"""Seconds between two looks while a backup of the schedule's runs."""

TROUBLED = 10.0
"""Seconds to the next look after one that the host refused: the helper's socket may come after the daemon."""

TRY_AGAIN = timedelta(hours=1)
"""After a backup that failed."""

LISTED_EVERY = timedelta(days=1)
BY = "schedule"

_HOST = socket.gethostname()


class StartsJobs(Protocol):
    """Starts jobs."""

    async def start(self, kind: JobKind, *, by: str) -> Job:
        """Start one; see `Jobs.start`."""
        ...


class TellOverdue(Protocol):
    """Is told when the newest backup has become too old."""

    async def __call__(self, newest: datetime | None, summary: str) -> None:
        """Tell it.

        Args:
            newest: When the newest backup was made; None when there is none.
            summary: A sentence for people.
        """
        ...


class Schedule:
    """Makes backups when they are due, also those whose time passed while the daemon did not run.

    What is due follows from when the newest backup was made or tried, so nothing has to be written down.

    Args:
        config: The administrator's table.
        host: The host.
        jobs: Starts jobs.
        clock: What time it is.
        calendar: Knows when a time comes next.
        tell_overdue: Is told when the newest backup has become too old.

    Attributes:
        trouble: Why no backups are made; None when they are.
        overdue: That the newest backup is too old; None when it is not.
        due: When the next backup is to be made; None when nobody knows.
    """

    def __init__(
        self,
        config: BackupConfig,
        host: Host,
        jobs: StartsJobs,
        clock: Clock,
        calendar: Calendar,
        tell_overdue: TellOverdue,
    ) -> None:
        self._config = config
        self._host = host
        self._jobs = jobs
        self._clock = clock
        self._calendar = calendar
        self._tell_overdue = tell_overdue
        self._began = clock.now()
        self._listed: datetime | None = None
        self._made: str | None = None
        self.trouble: str | None = None
        self.overdue: str | None = None
        self.due: datetime | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await trio.sleep(self._pause())

    async def look(self) -> None:
        """Start what is due."""
        try:
            now = await standing(self._host)
            self.trouble = None
            await self._look_at_age(now)
            if now.state == "NO_KEY":
                self.due = None
                return
            if now.running(*REPOSITORY) is None:
                await self._start_what_is_due(now)
        except Conflicting:
            return  # somebody was faster; the next look sees what came of it
        except HostRefusal as refusal:
            self.trouble = refusal.detail

    def _pause(self) -> float:
        if self.trouble is not None:
            return TROUBLED
        if self._made is not None:
            return WATCHED
        if self.due is None:
            return EVERY
        return min(max((self.due - self._clock.now()).total_seconds(), 1.0), EVERY)

    # --- What is due -----------------------------------------------------------------------------------------------

    async def _start_what_is_due(self, now: Standing) -> None:
        if self._made is not None:
            made = next((job for job in now.jobs if job.id == self._made), None)
            self._made = None
            if made is not None and made.state == "done" and self._is_thinned_out():
                await self._start("forget")
                return
        self.due = await self._next(now)
        if self.due is not None and self.due <= self._clock.now():
            self._made = (await self._start("backup")).id
            return
        if self._listed is None or self._clock.now() - self._listed >= LISTED_EVERY:
            # Others may use the same repository, and a new server finds what is in it.
            self._listed = self._clock.now()
            await self._start("reload")

    async def _start(self, kind: JobKind) -> Job:
        return await self._jobs.start(kind, by=BY)

    def _is_thinned_out(self) -> bool:
        return bool(self._config.keep_daily or self._config.keep_weekly or self._config.keep_monthly)

    async def _next(self, now: Standing) -> datetime | None:
        if not self._config.schedule:
            return None
        tried = next((job for job in now.jobs if job.kind == "backup" and not job.dry_run), None)
        moments = [made for made in (_newest(now), None if tried is None else tried.began_at) if made is not None]
        # What was made in the future, by a clock that went wrong, must not hold up backups until then.
        past = [moment for moment in moments if moment <= self._clock.now()]
        due = await self._calendar(self._config.schedule, max(past, default=self._began))
        if tried is not None and tried.state in ("failed", "lost") and tried.ended_at is not None:
            again = tried.ended_at + TRY_AGAIN
            return again if due is None else min(due, again)
        return due

    # --- Whether backups are made at all ---------------------------------------------------------------------------

    async def _look_at_age(self, now: Standing) -> None:
        limit, newest = self._config.max_age_hours, _newest(now)
        is_old = self._clock.now() - (newest or self._began) > timedelta(hours=limit)
        if not limit or now.state == "NO_KEY" or not is_old:
            self.overdue = None
            return
        if newest is None:
            overdue = f"No backup was made for {limit} hours: there is none"
        else:
            made = newest.astimezone(UTC)
            overdue = f"The newest backup is older than {limit} hours: it is of {made:%Y-%m-%d %H:%M} UTC"
        is_news, self.overdue = self.overdue is None, overdue
        if is_news:
            await self._tell_overdue(newest, overdue)


def _newest(now: Standing) -> datetime | None:
    """When the newest backup of this host was made, as far as that can be read; others may use the repository, too."""
    own = [found for found in now.snapshots if found.get("hostname", _HOST) == _HOST]
    try:
        return msgspec.convert(own[-1].get("time"), datetime) if own else None
    except msgspec.ValidationError:
        return None
