"""Times as systemd writes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from manor_hostservices.backups.calendar import SystemdCalendar
from manor_hostservices.programs import Done, HostPrograms, WrittenDown
from manor_hostservices.refusals import NotHere
from tests.host_jobs import NOON
from tests.host_schedule import ScheduledHost, new_schedule


@pytest.fixture
def host() -> ScheduledHost:
    return ScheduledHost()


async def test_a_schedule_that_nobody_can_read_is_said(host: ScheduledHost) -> None:
    nobody = new_schedule(host, SystemdCalendar(NoPrograms()))
    await nobody.look()
    assert nobody.trouble == "systemd-analyze is not installed"

    bogus = new_schedule(host, SystemdCalendar(HostPrograms()), schedule="bogus")
    host.jobs.clear()
    await bogus.look()
    assert "Failed to parse calendar" in str(bogus.trouble)


class NoPrograms:
    """A machine on which nothing is installed."""

    async def run(self, argv: Sequence[str], **how: Any) -> Done:
        raise NotHere(f"{argv[0]} is not installed")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*-*-* 04:00 UTC", datetime(2030, 1, 3, 4, tzinfo=UTC)),
        ("*-*-* 12:00:01 UTC", NOON + timedelta(seconds=1)),
        ("Mon *-*-1..7 00:30 UTC", datetime(2030, 1, 7, 0, 30, tzinfo=UTC)),
        ("2029-01-01 UTC", None),
    ],
)
async def test_times_are_read_as_systemd_reads_them(text: str, expected: datetime | None) -> None:
    assert await SystemdCalendar(HostPrograms())(text, NOON) == expected


async def test_a_time_of_the_hosts_zone_is_taken_in_utc() -> None:
    said = """  Original form: daily
Normalized form: *-*-* 00:00:00
    Next elapse: Thu 2030-01-03 00:00:00 CET
       (in UTC): Wed 2030-01-02 23:00:00 UTC
       From now: 3 years left
"""
    programs = WrittenDown(answers={("systemd-analyze",): Done(0, said)})

    assert await SystemdCalendar(programs)("daily", NOON) == datetime(2030, 1, 2, 23, tzinfo=UTC)
    [argv] = programs.ran
    assert argv[-3:] == ("--base-time=2030-01-02 12:00:00 UTC", "--", "daily")
