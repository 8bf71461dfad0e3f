"""One SQLite connection on one thread, waited for from trio.

aiosqlite has the shape we want (a connection that lives on a thread of its own, fed by a queue) and answers through
asyncio futures. Only that last step is replaced: where it would make a future we put a `_Reply`, which has the
few methods of a future that its worker thread calls, and wakes a trio task. What is used of aiosqlite is pinned by
`tests/core/storage/test_connection.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar, cast
from weakref import WeakSet

import aiosqlite
import outcome
import trio
from aiosqlite.core import _STOP_RUNNING_SENTINEL

T = TypeVar("T")

# A cancelled reader is interrupted at once. An interrupt that falls between two statements is lost on SQLite, so the
# next statement notices by itself after this many of its virtual machine's steps (about 10 ms). Fewer would be felt:
# each call of the handler has to take the GIL from the loop.
_STEPS_BETWEEN_LOOKS = 1_000_000


class Handle(sqlite3.Connection):
    """The sqlite3 connection itself; beginning and ending transactions is the storage's alone.

    Attributes:
        is_guarded: Whether `commit` and `rollback` refuse inside a transaction. When not, they do nothing there.
    """

    is_guarded = True

    def commit(self) -> None:
        """Refuse inside a transaction: it belongs to a batch, with other people's units in it."""
        if self.in_transaction and self.is_guarded:
            raise RuntimeError("a unit of work cannot commit: the storage does, once its function has returned")

    def rollback(self) -> None:
        """Refuse inside a transaction: raise from the unit instead."""
        if self.in_transaction and self.is_guarded:
            raise RuntimeError("a unit of work cannot roll back: raise, and the storage does")

    def end(self) -> None:
        """Roll back, if there is anything to roll back."""
        if self.in_transaction:
            self.execute("ROLLBACK")

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """Refuse always: Python commits before it runs a script."""
        raise RuntimeError("executescript commits what came before it: execute the statements one by one")


class ReadingHandle(Handle):
    """One that may be interrupted. An interruption lasts as long as any cursor is open, and would hit the rollback too,
    so it knows its cursors.
    """

    def __init__(self, *arguments: Any, **how: Any) -> None:
        super().__init__(*arguments, **how)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, *arguments: Any) -> Any:
        """Make a cursor, and note it."""
        cursor = super().cursor(*arguments)
        self._cursors.add(cursor)
        return cursor

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute with a cursor that is noted: Python's own shortcut does not come through `cursor`."""
        cursor: sqlite3.Cursor = self.cursor()
        return cursor.execute(sql, parameters)

    def end(self) -> None:
        """Close what is open, and roll back."""
        for cursor in list(self._cursors):
            cursor.close()
        self._cursors.clear()
        super().end()


class _Reply:
    """Stands where aiosqlite puts an asyncio future; wakes the trio task that made it.

    `get_loop`, `call_soon_threadsafe`, `done`, `set_result` and `set_exception` are what aiosqlite's worker calls.
    """

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._task = trio.lowlevel.current_task()
        self._outcome: outcome.Outcome[Any] | None = None
        self._is_waited_for = False

    def get_loop(self) -> _Reply:
        return self

    def call_soon_threadsafe(self, callback: Callable[[_Reply, Any], None], reply: _Reply, value: Any) -> None:
        try:
            self._token.run_sync_soon(callback, reply, value)
        except trio.RunFinishedError:
            # Nobody is left to be told; the worker still has to take what is queued behind, its own end included.
            return

    def done(self) -> bool:
        return self._outcome is not None

    def set_result(self, value: Any) -> None:
        self.arrive(outcome.Value(value))

    def set_exception(self, error: BaseException) -> None:
        self.arrive(outcome.Error(error))

    def arrive(self, result: outcome.Outcome[Any]) -> None:
        """Note the result, on the loop, and wake the task if it waits already."""
        self._outcome = result
        if self._is_waited_for:
            trio.lowlevel.reschedule(self._task)

    async def wait(self, interrupt: Callable[[], None] | None = None) -> Any:
        """Wait for the thread, whatever happens: it must be known to be free before anybody uses it again.

        Args:
            interrupt: Called when the task is cancelled, to have the thread finish early. Without it a cancelled task
                waits as long as the thread works.
        """
        raise_cancel: Callable[[], Any] | None = None

        def abort(raise_it: Callable[[], Any]) -> trio.lowlevel.Abort:
            nonlocal raise_cancel
            if interrupt is not None:
                raise_cancel = raise_it
                interrupt()
            return trio.lowlevel.Abort.FAILED

        if self._outcome is None:
            self._is_waited_for = True
            await trio.lowlevel.wait_task_rescheduled(abort)
        assert self._outcome is not None, "woken without a result"
        if raise_cancel is not None and isinstance(self._outcome, outcome.Error):
            raise_cancel()
        return self._outcome.unwrap()

    def __await__(self) -> Generator[Any, None, Any]:
        return self.wait().__await__()


class _Here(SimpleQueue[Any]):
    """Stands where aiosqlite puts its queue: what is put is done at once, on the loop's own thread."""

    def put_nowait(self, item: tuple[_Reply | None, Callable[[], Any]]) -> None:
        reply, function = item
        result = outcome.capture(function)
        if reply is not None:
            reply.arrive(result)


class Connection(aiosqlite.Connection):
    """A connection to one database file, on a thread of its own.

    Args:
        path: The database.
        name: The thread's, for whoever looks at the process.
        interruptible: Whether a cancelled task ends its statement (readers), or waits for it (the writer: an
            interrupt there would take the whole batch with it).
        inline: Do everything on the loop's thread instead: for tests whose clock jumps.
    """

    def __init__(self, path: Path, *, name: str, interruptible: bool, inline: bool = False) -> None:
        # Autocommit as far as Python is concerned: every BEGIN is ours, so DDL rolls back like everything else.
        connect = partial(
            sqlite3.connect,
            path,
            isolation_level=None,
            cached_statements=512,
            factory=ReadingHandle if interruptible else Handle,
        )
        super().__init__(connect, iter_chunk_size=1)
        self._thread.name = name
        self._interruptible = interruptible
        self._inline = inline
        self._is_interrupted = False
        self.is_closing = False
        if inline:
            self._tx = _Here()

    @property
    def handle(self) -> Handle:
        """The sqlite3 connection, for functions that run on its thread."""
        return cast("Handle", self._conn)

    async def open(self) -> Connection:
        """Start the thread and connect."""
        await self
        if self._interruptible:
            await self.run(self._conn.set_progress_handler, self._look, _STEPS_BETWEEN_LOOKS)
        return self

    def __await__(self) -> Generator[Any, None, Connection]:
        if not self._inline:
            self._thread.start()
        return self._connect().__await__()

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function on the connection's thread, one hop there and back.

        Raises:
            ValueError: The connection is closed.
            Exception: Whatever the function raised.
        """
        result: T = await self._execute(function, *arguments)
        return result

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._running or self._connection is None:
            raise ValueError("Connection closed")
        self._is_interrupted = False
        reply = _Reply()
        self._put(reply, partial(fn, *args, **kwargs))
        return await reply.wait(self.cut_short if self._interruptible else None)

    async def _connect(self) -> Connection:
        reply = _Reply()
        self._put(reply, self._connector)
        try:
            self._connection = await reply
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> Any:
        """End the thread once it has done what is queued. Use `close`."""
        self._running = False
        reply = _Reply() if trio.lowlevel.in_trio_task() else None
        self._put(reply, self._close_and_stop)
        return reply

    def _put(self, reply: _Reply | None, function: Callable[[], Any]) -> None:
        # To aiosqlite's types it is a future; its worker calls no more than `_Reply` has.
        self._tx.put_nowait((cast("Any", reply), function))

    def _close_and_stop(self) -> Any:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return _STOP_RUNNING_SENTINEL

    async def close(self) -> None:
        """Roll back, close and end the thread; twice does no harm.

        A transaction that is still open would keep its locks for as long as any cursor lives, so it is ended first.
        """
        if self.is_closing or self._connection is None:
            return
        self.is_closing = True
        with trio.CancelScope(shield=True):
            try:
                await self.run(self.handle.end)
            finally:
                await super().close()

    def cut_short(self) -> None:
        """Have the running function fail at its present or next statement."""
        self._is_interrupted = True
        if self._connection is not None:
            self._connection.interrupt()

    def _look(self) -> int:
        return self._is_interrupted
