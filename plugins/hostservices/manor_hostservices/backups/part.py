"""The part that answers for backups, makes them when they are due, and says so when none are made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from manor import BackgroundTask, Delivery, Event, HealthCheck, Part, Route, Subscription
from manor_hostservices.backups.calendar import SystemdCalendar
from manor_hostservices.backups.schedule import Schedule
from manor_hostservices.backups.standing import WITH_REPOSITORY
from manor_hostservices.events import BackupOverdue, JobChanged, VerifyFailed
from manor_hostservices.http.backups import BackupHandlers, backup_routes
from manor_hostservices.http.stores import StoreHandlers, Stores, store_routes
from manor_hostservices.jobs.known import KnownJob
from manor_hostservices.parts import Shared
from manor_hostservices.programs import HostPrograms


class HeardJob(msgspec.Struct):
    """What is read of `hostservices.job_changed`."""

    job: KnownJob


class BackingUp(Part):
    """Backups.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._clock = shared.context.clock
        self._handlers = BackupHandlers(shared)
        self._stores = StoreHandlers(Stores(shared))
        self._schedule = Schedule(
            shared.config.backup,
            shared.host,
            shared.jobs,
            self._clock,
            # It only reckons, so a sandbox asks it, too.
            SystemdCalendar(HostPrograms()),
            self._tell_overdue,
        )

    def routes(self) -> Sequence[Route]:
        """What devices may ask."""
        return [*backup_routes(self._handlers), *store_routes(self._stores)]

    def event_types(self) -> Sequence[type[Event]]:
        """What is told of backups besides how their jobs end."""
        return [BackupOverdue, VerifyFailed]

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """How jobs end, so that it is seen at once what comes after them."""
        return [Subscription(JobChanged.name, HeardJob, self._hear, delivery=Delivery.INLINE)]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """The schedule."""
        return [BackgroundTask("backup schedule", self._schedule.run)]

    def health_checks(self) -> Sequence[HealthCheck]:
        """Whether backups are made, and were."""
        return [
            HealthCheck("backup schedule", self._check),
            HealthCheck("backups", self._check_age),
            HealthCheck("backup jobs", self._check_jobs),
            HealthCheck("backup of the database", self._check_database),
        ]

    async def _check(self) -> str | None:
        trouble = self._schedule.trouble
        return None if trouble is None else f"backups are not made by themselves: {trouble}"

    async def _check_age(self) -> str | None:
        return self._schedule.overdue

    async def _check_jobs(self) -> str | None:
        return self._schedule.failing

    async def _check_database(self) -> str | None:
        config = self._shared.config
        if config.backend == "sandbox" or not config.backup.manor_data or not self._schedule.has_store:
            return None
        if self._shared.context.storage.path.parent == Path(config.backup.manor_data):
            return None
        return (
            "plugins.hostservices.backup.manor_data is not server.data_dir: backups have no copy of Manor's database, "
            "and a restore writes over it"
        )

    def _hear(self, heard: HeardJob) -> None:
        if heard.job.kind in WITH_REPOSITORY and heard.job.state != "running":
            self._schedule.rouse()

    async def _tell_overdue(self, newest: datetime | None, summary: str) -> None:
        at = self._clock.now()
        event = BackupOverdue(newest, summary, at)
        await self._shared.context.storage.write(lambda transaction: transaction.emit(event))
