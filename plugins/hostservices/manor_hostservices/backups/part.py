"""The part that answers for backups, makes them when they are due, and says so when none are made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from manor import BackgroundTask, Event, HealthCheck, Part, Route
from manor_hostservices.backups.calendar import SystemdCalendar
from manor_hostservices.backups.schedule import Schedule
from manor_hostservices.events import BackupOverdue
from manor_hostservices.http.backups import BackupHandlers, backup_routes
from manor_hostservices.parts import Shared
from manor_hostservices.programs import HostPrograms


class BackingUp(Part):
    """Backups.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._clock = shared.context.clock
        self._handlers = BackupHandlers(shared)
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
        return backup_routes(self._handlers)

    def event_types(self) -> Sequence[type[Event]]:
        """What is told of backups besides how their jobs end."""
        return [BackupOverdue]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """The schedule."""
        return [BackgroundTask("backup schedule", self._schedule.run)]

    def health_checks(self) -> Sequence[HealthCheck]:
        """Whether backups are made, and were."""
        return [HealthCheck("backup schedule", self._check), HealthCheck("backups", self._check_age)]

    async def _check(self) -> str | None:
        trouble = self._schedule.trouble
        return None if trouble is None else f"backups are not made by themselves: {trouble}"

    async def _check_age(self) -> str | None:
        return self._schedule.overdue

    async def _tell_overdue(self, newest: datetime | None, summary: str) -> None:
        at = self._clock.now()
        event = BackupOverdue(newest, summary, at)
        await self._shared.context.storage.write(lambda transaction: transaction.emit(event))
