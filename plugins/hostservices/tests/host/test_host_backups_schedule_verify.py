"""When backups are verified by themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from manor_hostservices.backups.calendar import SystemdCalendar
from manor_hostservices.programs import HostPrograms
from tests.host_jobs import NOON
from tests.host_schedule import HOUR, MIDNIGHT, ScheduledHost, every_midnight, new_schedule


@pytest.fixture
def host() -> ScheduledHost:
    return ScheduledHost()


async def test_backups_are_verified_when_that_is_due_and_there_are_any(host: ScheduledHost) -> None:
    schedule = new_schedule(host, verify="midnight", schedule="")
    await schedule.look()
    host.end()
    assert (host.kinds(), schedule.verify_due) == ([], None)
    host.has(NOON)
    await schedule.look()
    assert (host.kinds(), schedule.verify_due) == ([], MIDNIGHT)

    host.clock.set(MIDNIGHT + HOUR)
    for _ in range(3):
        await schedule.look()
    assert host.kinds() == ["verify"]
    host.end()
    await schedule.look()

    assert (host.kinds(), schedule.verify_due) == (["verify"], MIDNIGHT + 24 * HOUR)


async def test_a_proof_is_remembered_longer_than_its_job_and_one_that_was_due_is_made_up_for(
    host: ScheduledHost,
) -> None:
    host.has(NOON - 999 * HOUR)
    known = host.known
    host.known = msgspec.structs.replace(known, verified_at=NOON - HOUR)
    await new_schedule(host, verify="midnight", schedule="").look()
    assert host.kinds() == []

    host.known = known
    host.jobs.clear()
    await new_schedule(host, verify="midnight", schedule="").look()

    assert host.kinds() == ["verify"]


async def test_a_backup_goes_before_a_verification(host: ScheduledHost) -> None:
    host.has(NOON - 49 * HOUR)
    schedule = new_schedule(host, verify="midnight")
    for _ in range(2):
        await schedule.look()
        host.end()
    host.has(NOON - 49 * HOUR, NOON)
    await schedule.look()

    assert host.kinds() == ["backup", "forget", "verify"]


@pytest.mark.parametrize("state", ["failed", "lost"])
async def test_a_verification_that_failed_is_told_and_tried_again_after_a_day(host: ScheduledHost, state: str) -> None:
    def calendar(text: str, after: datetime) -> Any:
        return every_midnight(text, after + 6 * 24 * HOUR)

    host.has(NOON - 200 * HOUR)
    schedule = new_schedule(host, calendar, verify="weekly", schedule="")
    await schedule.look()
    host.end(state)
    host.known = msgspec.structs.replace(host.known, state="ERROR", error="damaged")
    host.clock.set(NOON + 23 * HOUR)
    await schedule.look()
    host.end()
    assert host.kinds() == ["verify"]
    assert schedule.failing == "verify failed at 2030-01-02 12:00 UTC: /app/host says why"

    host.clock.set(NOON + 24 * HOUR)
    await schedule.look()

    assert host.kinds() == ["verify", "verify"]


async def test_a_time_of_verifications_that_nobody_can_read_is_said_and_holds_up_no_backup(host: ScheduledHost) -> None:
    host.has(NOON - 49 * HOUR)
    bogus = new_schedule(host, SystemdCalendar(HostPrograms()), verify="bogus")
    await bogus.look()
    assert host.kinds() == ["backup"]

    host.end()
    await bogus.look()
    host.end()
    await bogus.look()

    assert str(bogus.trouble).startswith("verify: Failed to parse calendar")
