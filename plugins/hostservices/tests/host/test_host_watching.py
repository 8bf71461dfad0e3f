"""What is told of the host without being asked: services that fail, updates that are there."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import structlog.testing
import trio
import trio.testing
from sqlalchemy import MetaData
from sqlalchemy.schema import CreateTable

from manor import Event, Transaction
from manor.testing import House
from manor_hostservices.events import JobChanged
from manor_hostservices.jobs import store
from manor_hostservices.jobs.known import KnownJob
from manor_hostservices.refusals import Failed, Missing, NotHere
from manor_hostservices.verbs import ServiceState, Update, Updates, Verb
from manor_hostservices.watching import SETTLING, PrimaryWatch, ServiceWatch, UpdateWatch
from manor_hostservices.watching import told as told_table
from tests.host_clock import jumping

NINE, TEN = (datetime(2030, 1, 2, hour, tzinfo=UTC) for hour in (9, 10))


class Told:
    """A host that answers what the test says."""

    answer: Any

    async def ask(self, verb: Verb[Any]) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def told() -> Told:
    return Told()


def service(key: str, active: str, since: datetime | None = NINE) -> ServiceState:
    return ServiceState(key, key.title(), 3, active=active, since=since)


async def test_each_failure_of_a_service_is_told_once(house: House, heard: list[Event], told: Told) -> None:
    async def look(*services: ServiceState) -> list[Any]:
        told.answer = list(services)
        before = len(heard)
        # Made anew each time, as after a restart of the daemon.
        await ServiceWatch(house.storage, told).look()
        return heard[before:]

    assert await look(service("gitea", "active"), service("nextcloud", "inactive")) == []
    [first] = await look(service("gitea", "failed"))
    assert await look(service("gitea", "failed"), service("imap", "active")) == []
    [second] = await look(service("gitea", "failed"), service("imap", "failed", None))
    assert await look(service("gitea", "failed"), service("imap", "failed", None)) == []
    [third] = await look(service("gitea", "failed", TEN), service("imap", "active"))
    [fourth] = await look(service("imap", "failed", None), service("gitea", "failed", TEN))

    assert [each.key for each in (first, second, third, fourth)] == ["gitea", "imap", "gitea", "imap"]
    assert (first.name, first.since, first.summary) == ("hostservices.service_failed", NINE, "Gitea has failed")


async def test_updates_are_told_when_they_are_others(house: House, heard: list[Event], told: Told) -> None:
    async def look(*packages: Update) -> list[Any]:
        told.answer = Updates(list(packages), reboot_required=True)
        before = len(heard)
        await UpdateWatch(house.storage, told).look()
        return heard[before:]

    bash, sudo = Update("bash", "5.1", "5.2"), Update("sudo", "1", "2", security=True)
    assert await look() == []
    [first] = await look(bash, sudo)
    assert await look(sudo, bash) == []
    [second] = await look(sudo)
    assert await look() == []
    [third] = await look(sudo)

    assert (first.packages, first.count, first.security_count, first.reboot_required) == (["bash", "sudo"], 2, 1, True)
    assert first.summary == "An upgrade would bring 2 packages, 1 of them for security"
    assert (second.packages, third.packages) == (["sudo"], ["sudo"])


async def test_a_host_that_says_no_is_asked_again_later(house: House, heard: list[Event], told: Told) -> None:
    told.answer = NotHere("This host is read-only")

    await ServiceWatch(house.storage, told).look()
    await UpdateWatch(house.storage, told).look()

    assert heard == []


async def test_updates_that_are_not_told_are_asked_for_again_before_tomorrow(
    house: House, mock_clock: trio.testing.MockClock
) -> None:
    asked: list[float] = []

    class Busy:
        async def ask(self, verb: Verb[Any]) -> Any:
            asked.append(trio.current_time() - began)
            if len(asked) == 1:
                raise Failed("apt-get: Could not get lock")
            return Updates([])

    began = trio.current_time()
    with jumping(mock_clock), trio.move_on_after(SETTLING + 100_000):
        await UpdateWatch(house.storage, Busy()).run()

    assert [round(at) for at in asked] == [300, 300 + 3600, 300 + 3600 + 86_400]


async def test_a_primary_account_that_is_not_there_is_said_until_it_is(told: Told) -> None:
    watch = PrimaryWatch(told, "ada")
    missing = Missing("User not found")
    nobody_knows = NotHere("Only root may look at this")
    seen = []

    with structlog.testing.capture_logs() as logs:
        for told.answer in (nobody_knows, missing, missing, nobody_knows, [], nobody_knows):
            seen.append((await watch.look(), watch.trouble))

    trouble = "there is no account 'ada': set plugins.hostservices.primary_user"
    assert seen == [(False, None), *[(False, trouble)] * 3, (True, None), (False, None)]
    assert [line["event"] for line in logs] == ["the primary account is not on this host"]


async def test_services_that_cannot_be_watched_are_said_until_they_can(house: House, told: Told) -> None:
    watch = ServiceWatch(house.storage, told)
    told.answer = NotHere("This host has no D-Bus")

    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            await watch.look()
    assert await watch.check() == "they cannot be watched: This host has no D-Bus"
    assert [line["event"] for line in logs] == ["the host does not say how its services fare"]

    told.answer = []
    await watch.look()
    assert await watch.check() is None


# --- Rows of jobs --------------------------------------------------------------------------------------------------


def job(number: int, state: Any = "done", by: str = "schedule") -> KnownJob:
    return KnownJob(id=f"{number:032x}", kind="backup", state=state, by=by, dry_run=False, began_at=NINE)


async def test_old_jobs_are_forgotten_and_those_that_run_are_not(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT", 3)
    for number in range(1, 7):
        await house.storage.write(partial(store.add, job=job(number, "running" if number == 1 else "done")))

    found = await house.storage.read(store.newest)

    assert [int(each.id, 16) for each in found] == [6, 5, 4, 1]


async def test_a_job_that_has_ended_changes_no_more(house: House, heard: list[Event]) -> None:
    await house.storage.write(lambda tx: store.add(tx, job(1, "running")))
    heard.clear()

    assert not await house.storage.write(lambda tx: store.change(tx, job(1, "running")))
    assert await house.storage.write(lambda tx: store.change(tx, job(1, "failed")))
    assert not await house.storage.write(lambda tx: store.change(tx, job(1, "done")))
    assert not await house.storage.write(lambda tx: store.change(tx, job(2, "done")))

    assert [event.job.state for event in heard if isinstance(event, JobChanged)] == ["failed"]


async def test_who_asked_is_exported_and_erased(house: House) -> None:
    who = UUID(int=7)
    for number in (1, 2, 3):
        await house.storage.write(partial(store.add, job=job(number, by=str(who))))
    [plugin] = [each for each in house.running if each.name == "hostservices"]
    data = plugin.brought.personal_data
    assert data is not None

    exported = [item["id"] async for section, item in data.export(who) if section == "host_jobs"]
    gone = [await house.storage.write(partial(data.erase, user_id=who, limit=2)) for _ in range(3)]

    assert exported == [f"{number:032x}" for number in (1, 2, 3)]
    assert gone == [2, 1, 0]
    assert {each.by for each in await house.storage.read(store.newest)} == {""}


# --- Tables --------------------------------------------------------------------------------------------------------


async def test_tables_are_what_the_code_takes_them_for(house: House) -> None:
    def look(transaction: Transaction) -> None:
        def columns(name: str) -> set[tuple[object, ...]]:
            rows = transaction.connection.exec_driver_sql(f"PRAGMA table_info({name})")
            return {tuple(row)[1:4] + tuple(row)[5:] for row in rows}

        for table in (store.jobs, told_table):
            transaction.connection.execute(CreateTable(table.to_metadata(MetaData(), name="hostservices_for_a_moment")))
            assert columns(table.name) == columns("hostservices_for_a_moment")
            transaction.connection.exec_driver_sql("DROP TABLE hostservices_for_a_moment")

    await house.storage.write(look)
