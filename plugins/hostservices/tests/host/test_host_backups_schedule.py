"""When backups are made by themselves, and when it is said that none are."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from manor.clock import SetClock
from manor_hostservices.backups.calendar import Calendar, SystemdCalendar
from manor_hostservices.backups.schedule import Schedule
from manor_hostservices.config import BackupConfig
from manor_hostservices.programs import Done, HostPrograms, WrittenDown
from manor_hostservices.refusals import Conflicting, Failed, HostRefusal, NotHere
from manor_hostservices.verbs import Backups, Job, JobKind, ReadBackups, ReadJobs
from tests.host_jobs import NOON, job_id

MIDNIGHT = datetime(2030, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def every_midnight(text: str, after: datetime) -> datetime | None:
    return after.replace(hour=0, minute=0, second=0) + timedelta(days=1)


class Host:
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


@pytest.fixture
def host() -> Host:
    return Host()


def new_schedule(host: Host, calendar: Calendar = every_midnight, **table: Any) -> Schedule:
    return Schedule(BackupConfig(**{"verify": "", **table}), host, host, host.clock, calendar, host.hear)


async def test_a_backup_is_made_when_it_is_due_and_old_ones_are_removed_after_it(host: Host) -> None:
    schedule = new_schedule(host)
    await schedule.look()
    host.end()
    await schedule.look()
    assert (host.kinds(), schedule.due) == ([], MIDNIGHT)

    host.clock.set(MIDNIGHT)
    for _ in range(3):
        await schedule.look()
    assert host.kinds() == ["backup"]
    host.end()
    for _ in range(3):
        await schedule.look()
    assert host.kinds() == ["backup", "forget"]
    host.end()
    await schedule.look()

    assert host.kinds() == ["backup", "forget"]
    assert schedule.due == MIDNIGHT + 24 * HOUR


async def test_nothing_is_removed_when_all_is_kept_or_the_backup_failed(host: Host) -> None:
    for schedule, state in (
        (new_schedule(host, keep_daily=0, keep_weekly=0, keep_monthly=0), "done"),
        (new_schedule(host), "failed"),
        (new_schedule(host), "cancelled"),
    ):
        host.jobs.clear()
        host.has(NOON - 24 * HOUR)
        await schedule.look()
        host.end(state)
        await schedule.look()
        assert host.kinds() == ["backup"]


async def test_what_was_due_while_nobody_was_there_is_made_up_for(host: Host) -> None:
    host.has(NOON - 49 * HOUR)

    await new_schedule(host).look()

    assert host.kinds() == ["backup"]


async def test_a_backup_by_hand_counts(host: Host) -> None:
    host.has(NOON - 49 * HOUR, NOON - HOUR)

    await new_schedule(host).look()

    assert host.kinds() == []


async def test_backups_of_other_servers_do_not_count(host: Host) -> None:
    host.has(NOON - 49 * HOUR, NOON - HOUR)
    host.known.snapshots[1]["hostname"] = "another"
    host.known.snapshots[0]["hostname"] = socket.gethostname()

    await new_schedule(host).look()

    assert host.kinds() == ["backup"]


async def test_a_backup_that_failed_is_tried_again_after_an_hour(host: Host) -> None:
    host.has(NOON - 49 * HOUR)
    schedule = new_schedule(host)
    await schedule.look()
    host.end("failed")
    host.clock.set(NOON + 0.99 * HOUR)
    await schedule.look()
    assert host.kinds() == ["backup"]

    host.clock.set(NOON + HOUR)
    await schedule.look()

    assert host.kinds() == ["backup", "backup"]


async def test_backups_of_a_clock_that_went_wrong_hold_nothing_up(host: Host) -> None:
    host.has(NOON - 49 * HOUR, NOON + 9999 * HOUR)
    schedule = new_schedule(host)
    await schedule.look()
    host.end()

    host.clock.set(MIDNIGHT)
    await schedule.look()

    assert host.kinds() == ["backup"]


@pytest.mark.parametrize("kind", ["restore", "verify", "forget", "init", "backup"])
async def test_what_is_due_waits_for_what_runs(host: Host, kind: JobKind) -> None:
    host.has(NOON - 49 * HOUR)
    await host.start(kind, by="schedule")

    await new_schedule(host).look()

    assert host.kinds() == [kind]


async def test_nothing_happens_without_credentials_or_a_schedule(host: Host) -> None:
    host.known = Backups("NO_KEY")
    await new_schedule(host).look()
    assert host.jobs == []

    host.has(NOON - 49 * HOUR)
    await new_schedule(host, schedule="").look()
    assert host.kinds() == []


async def test_backups_are_verified_when_that_is_due_and_there_are_any(host: Host) -> None:
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


async def test_a_proof_is_remembered_longer_than_its_job_and_one_that_was_due_is_made_up_for(host: Host) -> None:
    host.has(NOON - 999 * HOUR)
    known = host.known
    host.known = msgspec.structs.replace(known, verified_at=NOON - HOUR)
    await new_schedule(host, verify="midnight", schedule="").look()
    assert host.kinds() == []

    host.known = known
    host.jobs.clear()
    await new_schedule(host, verify="midnight", schedule="").look()

    assert host.kinds() == ["verify"]


async def test_a_backup_goes_before_a_verification(host: Host) -> None:
    host.has(NOON - 49 * HOUR)
    schedule = new_schedule(host, verify="midnight")
    for _ in range(2):
        await schedule.look()
        host.end()
    host.has(NOON - 49 * HOUR, NOON)
    await schedule.look()

    assert host.kinds() == ["backup", "forget", "verify"]


@pytest.mark.parametrize("state", ["failed", "lost"])
async def test_a_verification_that_failed_is_told_and_tried_again_after_a_day(host: Host, state: str) -> None:
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


async def test_a_time_of_verifications_that_nobody_can_read_is_said_and_holds_up_no_backup(host: Host) -> None:
    host.has(NOON - 49 * HOUR)
    bogus = new_schedule(host, SystemdCalendar(HostPrograms()), verify="bogus")
    await bogus.look()
    assert host.kinds() == ["backup"]

    host.end()
    await bogus.look()
    host.end()
    await bogus.look()

    assert str(bogus.trouble).startswith("verify: Failed to parse calendar")


async def test_what_failed_is_told_until_something_heals_it_and_without_what_the_store_said(host: Host) -> None:
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


async def test_what_failed_and_worked_since_is_not_what_is_told(host: Host) -> None:
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


async def test_whoever_has_no_jobs_any_more_tells_that_something_failed(host: Host) -> None:
    host.known = Backups("ERROR", "broken")
    schedule = new_schedule(host)

    await schedule.look()

    assert schedule.failing == "work with the backups' repository failed: /app/host says why"


async def test_what_comes_after_a_job_does_not_wait_for_the_next_look(
    host: Host, autojump_clock: trio.testing.MockClock
) -> None:
    host.has(NOON - 49 * HOUR)
    schedule = new_schedule(host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(schedule.run)
        await trio.testing.wait_all_tasks_blocked()
        host.end()
        began = trio.current_time()
        schedule.rouse()
        await trio.testing.wait_all_tasks_blocked()
        took = trio.current_time() - began
        nursery.cancel_scope.cancel()

    assert (host.kinds(), took) == (["backup", "forget"], 0.0)


@pytest.mark.parametrize("refusal", [Conflicting("A job is running: apply"), NotHere("nobody listens")])
async def test_a_job_that_is_refused_is_not_asked_for_without_a_pause(
    host: Host, autojump_clock: trio.testing.MockClock, refusal: HostRefusal
) -> None:
    tries: list[float] = []

    async def refuse(kind: JobKind, *, by: str) -> Job:
        tries.append(trio.current_time())
        schedule.rouse()  # a job that was refused is told as one that failed
        raise refusal

    host.has(NOON - 49 * HOUR)
    schedule = new_schedule(host)
    host.start = refuse  # type: ignore[method-assign]  # this host's own way to start
    with trio.move_on_after(30):
        await schedule.run()

    assert 2 < len(tries) <= 31


async def test_the_repository_is_looked_at_at_the_start_and_daily(host: Host) -> None:
    host.has(NOON)
    schedule = new_schedule(host, schedule="")
    for hours in (0, 1, 23, 24, 25, 48):
        host.clock.set(NOON + hours * HOUR)
        await schedule.look()
        if host.jobs[0].state == "running":
            host.end()

    assert [job.began_at for job in reversed(host.jobs)] == [NOON, NOON + 24 * HOUR, NOON + 48 * HOUR]


async def test_a_backup_that_is_too_old_is_told_once(host: Host) -> None:
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


async def test_that_there_never_was_a_backup_is_told_too(host: Host) -> None:
    schedule = new_schedule(host, max_age_hours=2, schedule="")
    await schedule.look()
    host.clock.set(NOON + 3 * HOUR)
    await schedule.look()
    assert schedule.overdue == "No backup was made for 2 hours: there is none"

    never = new_schedule(host, max_age_hours=0, schedule="")
    host.clock.set(NOON + 9999 * HOUR)
    await never.look()
    assert never.overdue is None


@pytest.mark.parametrize("refusal", [NotHere("nobody listens"), Failed("cut")])
async def test_a_host_that_says_no_is_asked_again(host: Host, refusal: HostRefusal) -> None:
    host.has(NOON - 49 * HOUR)
    host.refusal = refusal
    schedule = new_schedule(host)
    await schedule.look()
    assert schedule.trouble == refusal.detail

    host.refusal = None
    await schedule.look()

    assert [schedule.trouble] == [None]
    assert host.kinds() == ["backup"]


async def test_a_host_that_comes_after_the_daemon_is_not_waited_for_long(
    host: Host, autojump_clock: trio.testing.MockClock
) -> None:
    host.has(NOON - 49 * HOUR)
    host.refusal = NotHere("nobody listens")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(new_schedule(host).run)
        await trio.sleep(5)
        host.refusal = None
        await trio.sleep(10)
        nursery.cancel_scope.cancel()

    assert host.kinds() == ["backup"]


async def test_a_schedule_that_nobody_can_read_is_said(host: Host) -> None:
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
