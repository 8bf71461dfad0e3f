"""A schedule of backups for tests, and a host whose jobs end when a test says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from manor.clock import SetClock
from manor_hostservices.backups.calendar import Calendar
from manor_hostservices.backups.schedule import Schedule
from manor_hostservices.config import BackupConfig
from manor_hostservices.refusals import HostRefusal
from manor_hostservices.verbs import Backups, Job, JobKind, ReadBackups, ReadJobs
from tests.host_jobs import NOON, job_id

MIDNIGHT = datetime(2030, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def every_midnight(text: str, after: datetime) -> datetime | None:
    """A calendar on which every text means midnight."""
    return after.replace(hour=0, minute=0, second=0) + timedelta(days=1)


class ScheduledHost:
    """A host whose jobs end when a test says so, and the jobs that were asked of it."""

    def __init__(self) -> None:
        self.clock = SetClock(NOON)
        self.known = Backups("INITIALIZED", listed_at=NOON)
        self.jobs: list[Job] = []
        self.refusal: HostRefusal | None = None
        self.told: list[str] = []

    async def ask(self, verb: Any) -> Any:
        if self.refusal is not None:
            raise self.refusal
        match verb:
            case ReadJobs():
                return self.jobs
            case ReadBackups():
                return self.known
        raise AssertionError(verb)

    async def start(self, kind: JobKind, *, by: str) -> Job:
        assert by == "schedule"
        job = Job(job_id(len(self.jobs)), kind, "running", self.clock.now())
        self.jobs.insert(0, job)
        return job

    async def hear(self, newest: datetime | None, summary: str) -> None:
        self.told.append(summary)

    def end(self, state: Any = "done") -> None:
        """The job that runs ends; a backup leaves one behind when it is done."""
        job = self.jobs[0]
        self.jobs[0] = Job(job.id, job.kind, state, job.began_at, ended_at=self.clock.now())
        if job.kind == "backup" and state == "done":
            self.has(job.began_at)

    def has(self, *times: datetime) -> None:
        """These backups are there."""
        self.known = Backups("INITIALIZED", None, [{"time": f"{time:%Y-%m-%dT%H:%M:%S}.123456789Z"} for time in times])

    def kinds(self) -> list[str]:
        """What was started, in order, but for looks at the repository."""
        return [job.kind for job in reversed(self.jobs) if job.kind != "reload"]


def new_schedule(host: ScheduledHost, calendar: Calendar = every_midnight, **table: Any) -> Schedule:
    """A schedule for it, which verifies nothing unless the table says so."""
    return Schedule(BackupConfig(**{"verify": "", **table}), host, host, host.clock, calendar, host.hear)
