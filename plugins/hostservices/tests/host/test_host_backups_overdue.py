"""When it is said that no backups are made, or that work with them fails."""

from __future__ import annotations

import msgspec
import pytest

from manor_hostservices.verbs import Backups, JobKind
from tests.host_jobs import NOON
from tests.host_schedule import HOUR, ScheduledHost, new_schedule


@pytest.fixture
def host() -> ScheduledHost:
    return ScheduledHost()


async def test_what_failed_is_told_until_something_heals_it_and_without_what_the_store_said(
    host: ScheduledHost,
) -> None:
    host.has(NOON - 49 * HOUR)
    schedule = new_schedule(host)
    await schedule.look()
    assert [schedule.failing] == [None]
    host.end("failed")
    host.known = msgspec.structs.replace(host.known, state="ERROR", error="secret-bucket is full")
    await schedule.look()
    assert schedule.failing == "backup failed at 2030-01-02 12:00 UTC: /app/host says why"

    host.clock.set(NOON + HOUR)
    await schedule.look()
    await schedule.look()
    assert host.jobs[0].state == "running"
    assert schedule.failing == "backup failed at 2030-01-02 12:00 UTC: /app/host says why"
    host.end()
    await schedule.look()

    assert [schedule.failing] == [None]


async def test_what_failed_and_worked_since_is_not_what_is_told(host: ScheduledHost) -> None:
    schedule = new_schedule(host, schedule="")
    ended: list[tuple[JobKind, str]] = [
        ("verify", "failed"),
        ("backup", "failed"),
        ("reload", "done"),
        ("backup", "done"),
    ]
    for kind, state in ended:
        await host.start(kind, by="schedule")
        host.end(state)
        host.clock.set(host.clock.now() + HOUR)
    host.known = Backups("ERROR", "damaged")

    await schedule.look()

    assert schedule.failing == "verify failed at 2030-01-02 12:00 UTC: /app/host says why"


async def test_whoever_has_no_jobs_any_more_tells_that_something_failed(host: ScheduledHost) -> None:
    host.known = Backups("ERROR", "broken")
    schedule = new_schedule(host)

    await schedule.look()

    assert schedule.failing == "work with the backups' repository failed: /app/host says why"


async def test_a_backup_that_is_too_old_is_told_once(host: ScheduledHost) -> None:
    schedule = new_schedule(host, max_age_hours=48, schedule="")
    host.has(NOON - 48 * HOUR)
    await schedule.look()
    assert (schedule.overdue, host.told) == (None, [])

    host.clock.set(NOON + HOUR)
    await schedule.look()
    await schedule.look()
    assert schedule.overdue == "The newest backup is older than 48 hours: it is of 2029-12-31 12:00 UTC"
    assert host.told == [schedule.overdue]

    host.has(NOON)
    await schedule.look()
    assert [schedule.overdue] == [None]
    host.clock.set(NOON + 49 * HOUR)
    await schedule.look()
    assert len(host.told) == 2


async def test_that_there_never_was_a_backup_is_told_too(host: ScheduledHost) -> None:
    schedule = new_schedule(host, max_age_hours=2, schedule="")
    await schedule.look()
    host.clock.set(NOON + 3 * HOUR)
    await schedule.look()
    assert schedule.overdue == "No backup was made for 2 hours: there is none"

    never = new_schedule(host, max_age_hours=0, schedule="")
    host.clock.set(NOON + 9999 * HOUR)
    await never.look()
    assert never.overdue is None
