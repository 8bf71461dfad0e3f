"""What the plugin tells others, and itself."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from manor import Event
from manor_hostservices.jobs.known import KnownJob


class JobChanged(Event, frozen=True):
    """A job of the host was started, has come further, or has ended.

    Args:
        position: The server's, for streams.
        job: As it is now.
    """

    name: ClassVar[str] = "hostservices.job_changed"
    position: int
    job: KnownJob


class BackupFinished(Event, frozen=True):
    """A backup is made; a rehearsal is none.

    Args:
        job_id: The job that made it.
        snapshot: restic's short id of it; empty when restic did not say.
        bytes: What was looked at; None when that is not known.
        summary: A sentence for people.
        timestamp: When it ended.
    """

    name: ClassVar[str] = "hostservices.backup_finished"
    job_id: str
    snapshot: str
    bytes: int | None
    summary: str
    timestamp: datetime


class BackupFailed(Event, frozen=True):
    """A backup was to be made and is not; one that somebody cancelled has not failed.

    Args:
        job_id: The job that was to make it.
        reason: What went wrong, for people.
        summary: A sentence for people, with the reason in it.
        timestamp: When it ended.
    """

    name: ClassVar[str] = "hostservices.backup_failed"
    job_id: str
    reason: str
    summary: str
    timestamp: datetime


class VerifyFailed(Event, frozen=True):
    """Backups were to be verified, and are damaged or could not be read; what somebody cancelled has not failed.

    Args:
        job_id: The job that was to verify them.
        reason: What went wrong, for people.
        summary: A sentence for people, with the reason in it.
        timestamp: When it ended.
    """

    name: ClassVar[str] = "hostservices.verify_failed"
    job_id: str
    reason: str
    summary: str
    timestamp: datetime


class BackupOverdue(Event, frozen=True):
    """The newest backup has become older than the administrator allows; told once, and again after a restart.

    Args:
        newest: When the newest backup was made; None when there is none.
        summary: A sentence for people.
        timestamp: When it was noticed.
    """

    name: ClassVar[str] = "hostservices.backup_overdue"
    newest: datetime | None
    summary: str
    timestamp: datetime


class ServiceFailed(Event, frozen=True):
    """A service of the host has failed; told once for each time that it does.

    Args:
        key: The service's.
        title: What people call it.
        since: When it failed; None when systemd does not say.
        summary: A sentence for people.
        timestamp: When it was noticed.
    """

    name: ClassVar[str] = "hostservices.service_failed"
    key: str
    title: str
    since: datetime | None
    summary: str
    timestamp: datetime


class UpdatesAvailable(Event, frozen=True):
    """An upgrade of the host would bring other packages than the last time that this was told.

    Args:
        packages: Their names.
        count: How many there are.
        security_count: How many of them mend what could be attacked.
        reboot_required: Whether the host wants a restart already.
        summary: A sentence for people.
        timestamp: When it was noticed.
    """

    name: ClassVar[str] = "hostservices.updates_available"
    packages: list[str]
    count: int
    security_count: int
    reboot_required: bool
    summary: str
    timestamp: datetime


EVENTS: tuple[type[Event], ...] = (JobChanged, BackupFinished, BackupFailed, ServiceFailed, UpdatesAvailable)
