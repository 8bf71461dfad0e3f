"""Backups that are made and verified by themselves: when that is due, thinning out, and saying so when it fails."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec
import trio

from manor import Clock
from manor_hostservices.backups.calendar import Calendar
from manor_hostservices.backups.standing import Standing, failing, standing
from manor_hostservices.config import BackupConfig
from manor_hostservices.host import Host
from manor_hostservices.jobs.exclusion import REPOSITORY
from manor_hostservices.refusals import Conflicting, Failed, HostRefusal
from manor_hostservices.verbs import Job, JobKind

EVERY = 900.0
"""Seconds between two looks at most: clocks are set, and hosts sleep."""

WATCHED = 30.0
"""Seconds between two looks while a backup of the schedule's runs."""

TROUBLED = 10.0
"""Seconds to the next look after one that the host refused: the helper's socket may come after the daemon."""

TRY_AGAIN = timedelta(hours=1)
"""After a backup that failed."""

VERIFY_AGAIN = timedelta(days=1)
"""After a verification that failed: it costs what the store takes for reading."""

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
        failing: That the last work with the repository failed; None when it did not.
        has_store: Whether backups have somewhere to go.
        due: When the next backup is to be made; None when nobody knows.
        verify_due: When backups are to be verified next; None when nobody knows.
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
        self._roused = trio.Event()
        self._was_refused = False
        self.overdue: str | None = None
        self.failing: str | None = None
        self.has_store = False
        self.due: datetime | None = None
        self.verify_due: datetime | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._roused = trio.Event()
            await self.look()
            if self._was_refused:
                # That is told as a job that failed, and must not have it asked for again at once.
                self._roused = trio.Event()
            with trio.move_on_after(self._pause()):
                await self._roused.wait()

    def rouse(self) -> None:
        """Look soon: something has become of work with the repository."""
        self._roused.set()

    async def look(self) -> None:
        """Start what is due."""
        self._was_refused = False
        try:
            now = await standing(self._host)
            self.trouble = None
            self.failing = failing(now)
            self.has_store = now.state != "NO_KEY"
            await self._look_at_age(now)
            if now.state == "NO_KEY":
                self.due = self.verify_due = None
                return
            if now.running(*REPOSITORY) is None:
                await self._start_what_is_due(now)
        except Conflicting:
            self._was_refused = True  # somebody was faster; the next look sees what came of it
        except HostRefusal as refusal:
            self._was_refused = True
            self.trouble = refusal.detail

    def _pause(self) -> float:
        if self.trouble is not None:
            return TROUBLED
        if self._made is not None:
            return WATCHED
        pauses = [(due - self._clock.now()).total_seconds() for due in (self.due, self.verify_due) if due is not None]
        return min(max(min(pauses, default=EVERY), 1.0), EVERY)

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
        self.verify_due = await self._next_verification(now)
        if self.verify_due is not None and self.verify_due <= self._clock.now():
            await self._start("verify")
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
        return await self._next_time(self._config.schedule, "backup", now, TRY_AGAIN, _newest(now))

    async def _next_verification(self, now: Standing) -> datetime | None:
        oldest = _oldest(now)
        if not self._config.verify or oldest is None:
            return None
        try:
            return await self._next_time(
                self._config.verify, "verify", now, VERIFY_AGAIN, oldest, now.known.verified_at
            )
        except Failed as refusal:
            raise Failed(f"verify: {refusal.detail}") from refusal

    async def _next_time(
        self, text: str, kind: JobKind, now: Standing, try_again: timedelta, *done: datetime | None
    ) -> datetime | None:
        """When something comes next that was done at these moments, or was tried."""
        tried = next((job for job in now.jobs if job.kind == kind and not job.dry_run), None)
        moments = [moment for moment in (*done, None if tried is None else tried.began_at) if moment is not None]
        # What was made in the future, by a clock that went wrong, must not hold up backups until then.
        past = [moment for moment in moments if moment <= self._clock.now()]
        due = await self._calendar(text, max(past, default=self._began))
        if tried is not None and tried.state in ("failed", "lost") and tried.ended_at is not None:
            again = tried.ended_at + try_again
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
    """When the newest backup of this host was made, as far as that can be read."""
    return _time_of(_own(now)[-1:])


def _oldest(now: Standing) -> datetime | None:
    """When the oldest one was made."""
    return _time_of(_own(now)[:1])


def _own(now: Standing) -> Sequence[dict[str, Any]]:
    """This host's; others may use the repository, too."""
    return [found for found in now.snapshots if found.get("hostname", _HOST) == _HOST]


def _time_of(snapshots: Sequence[dict[str, Any]]) -> datetime | None:
    try:
        return msgspec.convert(snapshots[0].get("time"), datetime) if snapshots else None
    except msgspec.ValidationError:
        return None
