"""What is used of aiosqlite, pinned: a new version that changes any of this is noticed here."""

from __future__ import annotations

import inspect
import sqlite3
import threading
from pathlib import Path
from queue import SimpleQueue

import aiosqlite
import pytest
import trio
from aiosqlite import core

from manor.storage.connection import Connection

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.mark.parametrize("inline", [False, True])
async def test_functions_run_on_the_connections_one_thread(path: Path, inline: bool) -> None:
    path.parent.mkdir()
    connection = await Connection(path, name="manor-test", interruptible=False, inline=inline).open()
    threads = {await connection.run(threading.current_thread) for _ in range(3)}
    await connection.close()

    assert {thread.name for thread in threads} == {"MainThread" if inline else "manor-test"}


@pytest.mark.parametrize("inline", [False, True])
async def test_what_a_function_raises_is_raised_where_it_is_waited_for(path: Path, inline: bool) -> None:
    path.parent.mkdir()
    connection = await Connection(path, name="manor-test", interruptible=False, inline=inline).open()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await connection.run(connection.handle.execute, "SELECT * FROM nowhere")
    await connection.close()


async def test_aiosqlites_own_functions_work_on_trio(path: Path) -> None:
    path.parent.mkdir()
    connection = await Connection(path, name="manor-test", interruptible=False).open()
    cursor = await connection.execute("SELECT value FROM json_each('[1, 2, 3]')")
    rows = await cursor.fetchmany(2)
    await cursor.close()
    await connection.close()

    assert [row[0] for row in rows] == [1, 2]


async def test_a_file_that_cannot_be_opened_says_so_and_leaves_no_thread(path: Path) -> None:
    connection = Connection(path, name="manor-lost", interruptible=False)
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        await connection.open()

    thread = next((thread for thread in threading.enumerate() if thread.name == "manor-lost"), None)
    if thread is not None:
        await trio.to_thread.run_sync(thread.join)


async def test_closing_rolls_back_so_that_no_lock_is_left(path: Path) -> None:
    path.parent.mkdir()
    connection = await Connection(path, name="manor-test", interruptible=False).open()
    for statement in ("PRAGMA journal_mode = WAL", "CREATE TABLE t (a)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)"):
        await connection.run(connection.handle.execute, statement)
    open_cursor = await connection.run(connection.handle.execute, "SELECT value FROM json_each('[1, 2]')")
    await connection.run(open_cursor.fetchone)
    await connection.close()

    with sqlite3.connect(path, timeout=0) as other:
        other.execute("INSERT INTO t VALUES (2)")
    assert other.execute("SELECT a FROM t").fetchall() == [(2,)]
    other.close()


async def test_a_closed_connection_runs_nothing_and_closes_again_quietly(path: Path) -> None:
    path.parent.mkdir()
    connection = await Connection(path, name="manor-test", interruptible=False).open()
    await connection.close()
    await connection.close()

    with pytest.raises(ValueError, match="Connection closed"):
        await connection.run(int)


async def test_a_cancelled_reader_is_back_at_once_and_its_connection_works(path: Path) -> None:
    path.parent.mkdir()
    connection = await Connection(path, name="manor-test", interruptible=True).open()
    with trio.fail_after(5):
        with trio.move_on_after(0.05) as scope:
            await connection.run(lambda: connection.handle.execute(ENDLESS).fetchone())
        assert scope.cancelled_caught
        assert await connection.run(lambda: connection.handle.execute("SELECT 7").fetchone()) == (7,)
    await connection.close()


async def test_a_cancelled_reader_ends_even_if_it_was_between_two_statements(path: Path) -> None:
    path.parent.mkdir()
    connection = await Connection(path, name="manor-test", interruptible=True).open()
    reached, cancelled = threading.Event(), threading.Event()

    def work() -> None:
        connection.handle.execute("SELECT 1").fetchone()
        reached.set()
        cancelled.wait(5)
        connection.handle.execute(ENDLESS).fetchone()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.run, work)
            while not reached.is_set():
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
            cancelled.set()
    await connection.close()


async def test_a_writer_is_waited_for_even_if_its_task_is_cancelled(path: Path) -> None:
    path.parent.mkdir()
    connection = await Connection(path, name="manor-test", interruptible=False).open()
    await connection.run(connection.handle.execute, "CREATE TABLE t (a)")
    with trio.CancelScope() as scope:
        scope.cancel()
        await connection.run(connection.handle.execute, "INSERT INTO t VALUES (1)")

    assert await connection.run(lambda: connection.handle.execute("SELECT a FROM t").fetchall()) == [(1,)]
    await connection.close()


def test_aiosqlite_still_has_the_parts_that_are_replaced_or_called() -> None:
    connection = aiosqlite.Connection(lambda: sqlite3.connect(":memory:"), 1)

    assert isinstance(vars(connection)["_tx"], SimpleQueue)
    assert isinstance(vars(connection)["_thread"], threading.Thread)
    assert vars(connection)["_running"] is True
    assert vars(connection)["_connection"] is None
    assert callable(vars(connection)["_connector"])
    assert inspect.iscoroutinefunction(aiosqlite.Connection._execute)
    assert inspect.iscoroutinefunction(aiosqlite.Connection._connect)
    assert inspect.iscoroutinefunction(aiosqlite.Connection.close)
    assert not inspect.iscoroutinefunction(aiosqlite.Connection.stop)


def test_aiosqlites_worker_calls_a_reply_as_it_is_made() -> None:
    heard: list[object] = []

    class Reply:
        def get_loop(self) -> Reply:
            return self

        def call_soon_threadsafe(self, callback: object, reply: object, value: object) -> None:
            heard.append((callback, reply is self, value))

    error = LookupError("no")

    def fail() -> None:
        raise error

    queue: SimpleQueue[object] = SimpleQueue()
    for function in (lambda: 7, fail, lambda: core._STOP_RUNNING_SENTINEL):
        queue.put((Reply(), function))
    core._connection_worker_thread(queue)  # type: ignore[arg-type] # a reply where its types say a future

    assert heard == [
        (core.set_result, True, 7),
        (core.set_exception, True, error),
        (core.set_result, True, core._STOP_RUNNING_SENTINEL),
    ]
