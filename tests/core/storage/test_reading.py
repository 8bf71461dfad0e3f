from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest
import trio
from sqlalchemy import func, literal, select, text
from sqlalchemy.exc import OperationalError

from manor.events import Event
from manor.storage import Storage, Transaction
from manor.storage.readers import READERS

Opened = Callable[..., AbstractAsyncContextManager[Storage]]

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class Seen(Event, frozen=True):
    """Somebody looked."""

    name: ClassVar[str] = "doors.seen"


def insert(door: str) -> Callable[[Transaction], None]:
    def work(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql("INSERT INTO doors_rings (door) VALUES (?)", (door,))

    return work


def count(transaction: Transaction) -> int:
    number: int = transaction.connection.exec_driver_sql("SELECT count(*) FROM doors_rings").scalar_one()
    return number


def endless(transaction: Transaction) -> None:
    transaction.connection.exec_driver_sql(ENDLESS).all()


async def test_what_sqlalchemy_brings_to_sqlite_is_there_on_every_connection(storage: Storage) -> None:
    wanted = select(literal("front door").regexp_match("^fr.nt"), func.floor(2.5))

    def work(transaction: Transaction) -> tuple[Any, ...]:
        return tuple(transaction.connection.execute(wanted).one())

    assert await storage.read(work) == (True, 2)
    assert await storage.write(work) == (True, 2)
    async with storage.stream(wanted) as rows:
        assert [tuple(row) async for row in rows] == [(True, 2)]


async def test_a_read_cannot_write(storage: Storage) -> None:
    with pytest.raises(OperationalError, match="readonly"):
        await storage.read(insert("front"))
    assert await storage.read(count) == 0


@pytest.mark.parametrize(
    "work",
    [
        lambda transaction: transaction.emit(Seen()),
        lambda transaction: transaction.defer(Seen, Seen()),
        lambda transaction: transaction.position(),
    ],
)
async def test_a_read_neither_emits_nor_defers_nor_takes_a_position(
    storage: Storage, work: Callable[[Transaction], Any]
) -> None:
    with pytest.raises(RuntimeError, match="reading"):
        await storage.read(work)


async def test_a_read_sees_one_snapshot(storage: Storage) -> None:
    before_send, before_receive = trio.open_memory_channel[None](1)

    def twice(transaction: Transaction) -> tuple[int, int]:
        before = count(transaction)
        trio.from_thread.run_sync(before_send.send_nowait, None, trio_token=token)
        trio.from_thread.run(before_written.wait, trio_token=token)
        return before, count(transaction)

    token = trio.lowlevel.current_trio_token()
    before_written = trio.Event()
    seen: list[tuple[int, int]] = []

    async def read() -> None:
        seen.append(await storage.read(twice))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await before_receive.receive()
        await storage.write(insert("front"))
        before_written.set()

    assert seen == [(0, 0)]
    assert await storage.read(count) == 1


async def test_a_cancelled_read_is_back_soon_and_the_next_one_works(storage: Storage) -> None:
    with trio.fail_after(10):
        for _ in range(READERS + 1):
            with trio.move_on_after(0.02) as scope:
                await storage.read(endless)
            assert scope.cancelled_caught
        assert await storage.read(count) == 0


async def test_a_cancelled_read_with_an_open_cursor_leaves_no_transaction_behind(storage: Storage) -> None:
    open_cursors: list[sqlite3.Cursor] = []

    def nested(transaction: Transaction) -> None:
        handle = transaction.connection.connection.driver_connection
        assert handle is not None
        # An open cursor keeps the interruption alive, so that the rollback is interrupted too.
        open_cursors.append(handle.execute("SELECT value FROM json_each('[1, 2, 3]')"))
        open_cursors[-1].fetchone()
        endless(transaction)

    with trio.fail_after(10):
        with trio.move_on_after(0.05) as scope:
            await storage.read(nested)
        assert scope.cancelled_caught
        await storage.write(insert("front"))
        async with trio.open_nursery() as nursery:
            for _ in range(READERS):
                nursery.start_soon(storage.read, count)
        assert await storage.read(count) == 1


async def test_reads_go_on_while_others_take_long(storage: Storage) -> None:
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for _ in range(READERS - 1):
                nursery.start_soon(storage.read, endless)
            assert await storage.read(count) == 0
            nursery.cancel_scope.cancel()


async def test_what_a_read_raises_reaches_its_caller(storage: Storage) -> None:
    def refuse(transaction: Transaction) -> None:
        raise LookupError("attic")

    with pytest.raises(LookupError, match="attic"):
        await storage.read(refuse)


async def test_the_log_is_emptied_when_nobody_reads(storage: Storage) -> None:
    await storage.write(insert("front"))
    log = storage.path.with_name(storage.path.name + "-wal")
    assert log.stat().st_size > 0

    assert await storage.compact()
    assert log.stat().st_size == 0


async def test_the_log_is_emptied_once_the_last_stream_has_ended(storage: Storage) -> None:
    await storage.write(insert("front"))
    done: list[bool] = []

    async def compact() -> None:
        done.append(await storage.compact())

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery, storage.stream(text("SELECT * FROM doors_rings")) as rows:
            await rows.__anext__()
            await storage.write(insert("back"))
            nursery.start_soon(compact)
            await storage.write(insert("side"))
            assert done == []
    assert done == [True]
