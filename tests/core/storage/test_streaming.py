from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest
import trio
from sqlalchemy import Column, MetaData, Table, insert, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateTable
from trio.testing import wait_all_tasks_blocked

from manor.errors import Unavailable
from manor.storage import Id, Migration, Storage, Time, Transaction, apply_migrations, new_id
from manor.storage.readers import STREAMS

Opened = Callable[..., AbstractAsyncContextManager[Storage]]

visits = Table("visits_visits", MetaData(), Column("id", Id, primary_key=True), Column("at", Time, nullable=False))
MOMENT = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)


def numbers(last: int) -> str:
    return f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n"


async def test_streamed_rows_have_the_columns_types(storage: Storage) -> None:
    ids = [new_id() for _ in range(7)]

    def fill(transaction: Transaction) -> None:
        transaction.connection.execute(insert(visits), [{"id": id_, "at": MOMENT} for id_ in ids])

    make = Migration("0001", lambda connection: connection.execute(CreateTable(visits)))
    await apply_migrations(storage, "visits", [make])
    await storage.write(fill)

    async with storage.stream(select(visits).order_by(visits.c.id), chunk=3) as rows:
        assert [(row.id, row.at) async for row in rows] == [(id_, MOMENT) for id_ in ids]


async def test_a_stream_reads_no_further_than_it_is_asked(storage: Storage) -> None:
    with trio.fail_after(5):
        async with storage.stream(text(numbers(10**12)), chunk=10) as rows:
            assert [(await rows.__anext__())[0] for _ in range(25)] == list(range(1, 26))


async def test_a_stream_left_early_leaves_room_for_the_next(storage: Storage) -> None:
    with trio.fail_after(10):
        for _ in range(STREAMS * 2):
            async with storage.stream(text(numbers(1000))) as rows:
                async for _row in rows:
                    break


async def test_only_a_few_streams_run_at_once(storage: Storage) -> None:
    started: list[int] = []
    leave = trio.Event()

    async def hold(number: int) -> None:
        async with storage.stream(text(numbers(3))) as rows:
            await rows.__anext__()
            started.append(number)
            await leave.wait()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for number in range(STREAMS + 1):
                nursery.start_soon(hold, number)
            while len(started) < STREAMS:
                await trio.lowlevel.checkpoint()
            await wait_all_tasks_blocked(0.05)
            assert len(started) == STREAMS
            leave.set()
    assert len(started) == STREAMS + 1


async def test_a_stream_sees_one_snapshot_while_others_write(storage: Storage) -> None:
    def add(door: str) -> Callable[[Transaction], None]:
        def work(transaction: Transaction) -> None:
            transaction.connection.exec_driver_sql("INSERT INTO doors_rings (door) VALUES (?)", (door,))

        return work

    for door in "abc":
        await storage.write(add(door))
    async with storage.stream(text("SELECT door FROM doors_rings ORDER BY rowid"), chunk=1) as rows:
        seen = [(await rows.__anext__())[0]]
        await storage.write(add("d"))
        seen += [row[0] async for row in rows]
    assert seen == ["a", "b", "c"]


async def test_a_cancelled_stream_ends_soon(storage: Storage) -> None:
    with trio.fail_after(5), trio.move_on_after(0.05) as scope:
        async with storage.stream(text("SELECT count(*) FROM (" + numbers(10**12) + ")")) as rows:
            await rows.__anext__()
    assert scope.cancelled_caught


async def test_a_statement_that_fails_says_so(storage: Storage) -> None:
    with pytest.raises(OperationalError, match="no such table"):
        async with storage.stream(text("SELECT * FROM nowhere")):
            pass


async def test_a_stream_that_outlives_its_storage_is_ended(opened: Opened) -> None:
    async with opened() as storage:
        stream = storage.stream(text(numbers(1000)), chunk=1)
        rows = await stream.__aenter__()
        await rows.__anext__()

    with pytest.raises(Unavailable):
        await rows.__anext__()
    await stream.__aexit__(None, None, None)
