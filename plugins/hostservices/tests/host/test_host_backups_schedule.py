"""When backups are made by themselves."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing

from manor_hostservices.refusals import Conflicting, Failed, HostRefusal, NotHere
from manor_hostservices.verbs import Backups, Job, JobKind
from tests.host_jobs import NOON
from tests.host_schedule import HOUR, MIDNIGHT, ScheduledHost, new_schedule


@pytest.fixture
def host() -> ScheduledHost:
    return ScheduledHost()


async def test_a_backup_is_made_when_it_is_due_and_old_ones_are_removed_after_it(host: ScheduledHost) -> None:
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


async def test_nothing_is_removed_when_all_is_kept_or_the_backup_failed(host: ScheduledHost) -> None:
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


async def test_what_was_due_while_nobody_was_there_is_made_up_for(host: ScheduledHost) -> None:
    host.has(NOON - 49 * HOUR)

    await new_schedule(host).look()

    assert host.kinds() == ["backup"]


async def test_a_backup_by_hand_counts(host: ScheduledHost) -> None:
    host.has(NOON - 49 * HOUR, NOON - HOUR)

    await new_schedule(host).look()

    assert host.kinds() == []


async def test_backups_of_other_servers_do_not_count(host: ScheduledHost) -> None:
    host.has(NOON - 49 * HOUR, NOON - HOUR)
    host.known.snapshots[1]["hostname"] = "another"
    host.known.snapshots[0]["hostname"] = socket.gethostname()

    await new_schedule(host).look()

    assert host.kinds() == ["backup"]


async def test_a_backup_that_failed_is_tried_again_after_an_hour(host: ScheduledHost) -> None:
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


async def test_backups_of_a_clock_that_went_wrong_hold_nothing_up(host: ScheduledHost) -> None:
    host.has(NOON - 49 * HOUR, NOON + 9999 * HOUR)
    schedule = new_schedule(host)
    await schedule.look()
    host.end()

    host.clock.set(MIDNIGHT)
    await schedule.look()

    assert host.kinds() == ["backup"]


@pytest.mark.parametrize("kind", ["restore", "verify", "forget", "init", "backup"])
async def test_what_is_due_waits_for_what_runs(host: ScheduledHost, kind: JobKind) -> None:
    host.has(NOON - 49 * HOUR)
    await host.start(kind, by="schedule")

    await new_schedule(host).look()

    assert host.kinds() == [kind]


async def test_nothing_happens_without_credentials_or_a_schedule(host: ScheduledHost) -> None:
    host.known = Backups("NO_KEY")
    await new_schedule(host).look()
    assert host.jobs == []

    host.has(NOON - 49 * HOUR)
    await new_schedule(host, schedule="").look()
    assert host.kinds() == []


async def test_what_comes_after_a_job_does_not_wait_for_the_next_look(
    host: ScheduledHost, autojump_clock: trio.testing.MockClock
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
    host: ScheduledHost, autojump_clock: trio.testing.MockClock, refusal: HostRefusal
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


async def test_the_repository_is_looked_at_at_the_start_and_daily(host: ScheduledHost) -> None:
    host.has(NOON)
    schedule = new_schedule(host, schedule="")
    for hours in (0, 1, 23, 24, 25, 48):
        host.clock.set(NOON + hours * HOUR)
        await schedule.look()
        if host.jobs[0].state == "running":
            host.end()

    assert [job.began_at for job in reversed(host.jobs)] == [NOON, NOON + 24 * HOUR, NOON + 48 * HOUR]


@pytest.mark.parametrize("refusal", [NotHere("nobody listens"), Failed("cut")])
async def test_a_host_that_says_no_is_asked_again(host: ScheduledHost, refusal: HostRefusal) -> None:
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
    host: ScheduledHost, autojump_clock: trio.testing.MockClock
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
