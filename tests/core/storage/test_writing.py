from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, NamedTuple

import pytest
import trio
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from manor.clock import SetClock
from manor.errors import Unavailable
from manor.events import Event
from manor.storage import Storage, Transaction
from manor.storage import writer as writer_module


class DoorRang(Event, frozen=True):
    """Someone pressed a bell."""

    name: ClassVar[str] = "doors.rang"
    door: str


class Announce(NamedTuple):
    name: str = "doors.announce"
    payload: type[str] = str


ANNOUNCE = Announce()


class NoSuchDoor(Exception):
    """The test's own refusal."""


def ring(door: str) -> Callable[[Transaction], str]:
    def work(transaction: Transaction) -> str:
        transaction.connection.exec_driver_sql("INSERT INTO doors_rings (door) VALUES (?)", (door,))
        transaction.emit(DoorRang(door=door))
        return door

    return work


def refuse(transaction: Transaction) -> None:
    ring("attic")(transaction)
    transaction.defer(ANNOUNCE, "attic")
    raise NoSuchDoor("attic")


async def doors(storage: Storage) -> list[str]:
    return await storage.read(
        lambda transaction: list(
            transaction.connection.exec_driver_sql("SELECT door FROM doors_rings ORDER BY rowid").scalars()
        )
    )


async def all_at_once(storage: Storage, *works: Callable[[Transaction], Any]) -> list[Any]:
    """Submit them so that they share a batch; what each returned or raised."""
    commits = storage.commits
    laters = [storage.submit(work) for work in works]
    await storage.write(lambda transaction: None)
    assert storage.commits == commits + 1
    results: list[Any] = []
    for later in laters:
        try:
            results.append(later.take())
        except Exception as error:
            results.append(error)
    return results


async def test_what_a_unit_returned_comes_back_once_it_is_committed(storage: Storage) -> None:
    assert await storage.write(ring("front")) == "front"
    assert await doors(storage) == ["front"]


async def test_a_rolled_back_transaction_tells_nobody(storage: Storage, journal: list[Any]) -> None:
    with pytest.raises(NoSuchDoor):
        await storage.write(refuse)

    assert journal == []
    assert await doors(storage) == []


async def test_units_that_wait_share_a_commit(storage: Storage) -> None:
    assert await all_at_once(storage, *map(ring, "abcdef")) == list("abcdef")


async def test_a_failing_unit_leaves_its_neighbours_alone(storage: Storage, journal: list[Any]) -> None:
    front, failed, back = await all_at_once(storage, ring("front"), refuse, ring("back"))

    assert (front, back) == ("front", "back")
    assert isinstance(failed, NoSuchDoor)
    assert await doors(storage) == ["front", "back"]
    assert [entry[1].door for entry in journal if entry[0] == "inline"] == ["front", "back"]


async def test_a_constraint_checked_at_the_commit_fails_its_unit_alone(storage: Storage, journal: list[Any]) -> None:
    def make(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql(
            "CREATE TABLE doors_keys (door TEXT REFERENCES doors_rings (door) DEFERRABLE INITIALLY DEFERRED)"
        )

    def dangle(transaction: Transaction) -> None:
        transaction.emit(DoorRang(door="nowhere"))
        transaction.connection.exec_driver_sql("INSERT INTO doors_keys VALUES ('nowhere')")

    await storage.write(make)
    later, failed = storage.submit(ring("front")), storage.submit(dangle)
    assert await storage.write(ring("back")) == "back"

    assert later.take() == "front"
    with pytest.raises(sqlite3.IntegrityError):
        failed.take()
    assert storage.is_writable
    assert await doors(storage) == ["front", "back"]
    assert [entry for entry in journal if entry[0] == "inline"] == [
        ("inline", DoorRang(door="front")),
        ("inline", DoorRang(door="back")),
    ]


async def test_inline_is_told_before_the_callers_and_live_after_them(storage: Storage, journal: list[Any]) -> None:
    for door in ("front", "back"):
        storage.submit(ring(door)).then(partial(journal.append, f"answered {door}"))
    await wait_all_tasks_blocked()
    await storage.write(lambda transaction: None)

    front, back = DoorRang(door="front"), DoorRang(door="back")
    assert journal == [
        ("inline", front),
        ("inline", back),
        "answered front",
        "answered back",
        ("live", front),
        ("live", back),
    ]


async def test_deferred_work_is_written_with_its_unit_and_rings_the_outbox(
    storage: Storage, journal: list[Any]
) -> None:
    await storage.write(lambda transaction: transaction.defer(ANNOUNCE, "front"))

    assert journal == ["ring"]
    rows = await storage.read(
        lambda transaction: transaction.connection.exec_driver_sql("SELECT * FROM core_noted").all()
    )
    assert [tuple(row) for row in rows] == [("doors.announce", "front")]


async def test_an_answer_that_cannot_be_given_harms_no_neighbour(storage: Storage) -> None:
    def broken() -> None:
        raise OSError("the door is gone")

    with capture_logs() as logs:
        storage.submit(ring("front")).then(broken)
        assert await storage.write(ring("back")) == "back"

    assert [entry["event"] for entry in logs] == ["an answer could not be given"]


async def test_a_cancelled_writer_goes_and_its_unit_stays(storage: Storage) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await storage.write(ring("front"))
    assert scope.cancelled_caught

    await storage.write(ring("back"))
    assert await doors(storage) == ["front", "back"]


async def test_a_unit_is_told_the_clocks_time(storage: Storage, clock: SetClock) -> None:
    clock.set(datetime(2031, 5, 6, tzinfo=UTC))
    assert await storage.write(lambda transaction: transaction.now) == datetime(2031, 5, 6, tzinfo=UTC)


async def test_a_kept_transaction_emits_nothing(storage: Storage, journal: list[Any]) -> None:
    kept = await storage.write(lambda transaction: transaction)

    with pytest.raises(RuntimeError, match="after the transaction"):
        kept.emit(DoorRang(door="front"))
    with pytest.raises(RuntimeError, match="after the transaction"):
        kept.defer(ANNOUNCE, "front")
    with pytest.raises(RuntimeError, match="after the transaction"):
        kept.position()


async def test_a_unit_cannot_end_its_neighbours_transaction(storage: Storage) -> None:
    def commit(transaction: Transaction) -> None:
        ring("cellar")(transaction)
        transaction.connection.commit()

    def roll_back(transaction: Transaction) -> None:
        ring("attic")(transaction)
        transaction.connection.rollback()

    def script(transaction: Transaction) -> None:
        handle = transaction.connection.connection.driver_connection
        assert handle is not None
        handle.executescript("INSERT INTO doors_rings (door) VALUES ('side')")

    front, *refused, back = await all_at_once(storage, ring("front"), commit, roll_back, script, ring("back"))

    assert (front, back) == ("front", "back")
    assert [type(error) for error in refused] == [RuntimeError] * 3
    assert await doors(storage) == ["front", "back"]


async def test_a_savepoint_left_open_fails_its_unit_alone(storage: Storage) -> None:
    def forget(transaction: Transaction) -> None:
        transaction.connection.begin_nested()
        ring("attic")(transaction)

    front, failed, back = await all_at_once(storage, ring("front"), forget, ring("back"))

    assert (front, back) == ("front", "back")
    assert isinstance(failed, RuntimeError)
    assert await doors(storage) == ["front", "back"]


async def test_a_units_own_savepoint_undoes_only_its_part(storage: Storage) -> None:
    await storage.write(ring("front"))

    def twice(transaction: Transaction) -> None:
        ring("back")(transaction)
        savepoint = transaction.connection.begin_nested()
        ring("side")(transaction)
        with pytest.raises(IntegrityError):
            ring("front")(transaction)
        savepoint.rollback()

    await all_at_once(storage, twice, ring("cellar"))
    assert await doors(storage) == ["front", "back", "cellar"]


async def test_too_many_waiting_units_are_refused(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "UNITS_WAITING", 3)
    laters = [storage.submit(ring(door)) for door in "abc"]

    with pytest.raises(Unavailable):
        storage.submit(ring("d"))
    with pytest.raises(Unavailable):
        await storage.write(ring("e"))

    await wait_all_tasks_blocked()
    await storage.write(ring("f"))
    assert [later.take() for later in laters] == ["a", "b", "c"]


async def test_a_slow_unit_is_logged_with_its_name(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "SLOW", -1.0)
    with capture_logs() as logs:
        await storage.write(refuse_nothing)

    assert [entry["work"] for entry in logs] == [f"{__name__}.refuse_nothing"]


def refuse_nothing(transaction: Transaction) -> None:
    ring("front")(transaction)
