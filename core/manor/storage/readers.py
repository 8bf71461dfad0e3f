"""Reading beside the writer: a few connections for transactions, and one of its own for each long stream."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import trio
from sqlalchemy import Result, Row
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import Executable

from manor.clock import Clock
from manor.errors import Unavailable
from manor.storage.connection import Connection
from manor.storage.engine import READER_PRAGMAS, Desk
from manor.storage.transaction import Transaction, Work

T = TypeVar("T")

READERS = 4
STREAMS = 4


class Reader:
    """A read-only connection and what SQLAlchemy has on it."""

    def __init__(self, connection: Connection, desk: Desk, clock: Clock) -> None:
        self.connection = connection
        self._desk = desk
        self._clock = clock

    @classmethod
    async def open(cls, path: Path, name: str, *, clock: Clock, inline: bool) -> Reader:
        """Connect."""
        connection = await Connection(path, name=name, interruptible=True, inline=inline).open()
        try:
            return cls(connection, await connection.run(Desk, connection.handle, READER_PRAGMAS), clock)
        except BaseException:
            await connection.close()
            raise

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function on the connection's thread.

        Raises:
            Unavailable: The storage was closed meanwhile.
        """
        try:
            return await self.connection.run(function, *arguments)
        except (ValueError, sqlite3.Error, SQLAlchemyError) as error:
            # A connection closed under its user fails in one of these ways.
            if not self.connection.is_closing:
                raise
            raise Unavailable("The server's storage is closed.") from error

    def transact(self, work: Work[T]) -> T:
        """Run a reading unit on one snapshot; on the connection's thread."""
        self._desk.end()
        transaction = Transaction(self._desk.connection, self._clock.now())
        self._desk.handle.execute("BEGIN")
        try:
            return work(transaction)
        finally:
            self._desk.end()

    def start(self, statement: Executable) -> Result[Any]:
        """Begin a snapshot and a statement whose rows are fetched later; on the connection's thread."""
        self._desk.handle.execute("BEGIN")
        return self._desk.connection.execute(statement, execution_options={"stream_results": True})


class Rows:
    """The rows of a streamed statement. They are fetched chunk by chunk, when asked for and not before."""

    def __init__(self, reader: Reader, result: Result[Any], chunk: int) -> None:
        self._reader = reader
        self._result = result
        self._chunk = chunk
        self._rows: Sequence[Row[Any]] = ()
        self._next = 0

    def __aiter__(self) -> Rows:
        return self

    async def __anext__(self) -> Row[Any]:
        if self._next == len(self._rows):
            self._rows = await self._reader.run(self._result.fetchmany, self._chunk)
            self._next = 0
            if not self._rows:
                raise StopAsyncIteration
        row = self._rows[self._next]
        self._next += 1
        return row


class Readers:
    """All that reads.

    Args:
        path: The database, which exists.
        clock: Tells units the time.
        inline: Read on the loop's thread.
    """

    def __init__(self, path: Path, *, clock: Clock, inline: bool) -> None:
        self._path = path
        self._clock = clock
        self._inline = inline
        # On one thread no two units are ever under way.
        self._shared = 1 if inline else READERS
        self._slots = trio.Semaphore(self._shared)
        self._free: list[Reader] = []
        self._streams = trio.Semaphore(STREAMS)
        self._open: set[Reader] = set()
        self._is_closed = False

    async def open(self) -> None:
        """Connect the readers that transactions share."""
        for _ in range(self._shared):
            self._free.append(await self._connect("manor-reader"))

    async def read(self, work: Work[T]) -> T:
        """Run a reading unit; a cancelled one is interrupted."""
        async with self._slots:
            self._refuse_if_closed()
            # The last one used has the warmest cache.
            reader = self._free.pop()
            try:
                return await reader.run(reader.transact, work)
            finally:
                self._free.append(reader)

    @asynccontextmanager
    async def stream(self, statement: Executable, *, chunk: int) -> AsyncIterator[Rows]:
        """Rows of one statement on a reader of its own; a further stream waits until one of the few ends."""
        async with self._streams:
            self._refuse_if_closed()
            reader = await self._connect("manor-stream")
            try:
                yield Rows(reader, await reader.run(reader.start, statement), chunk)
            finally:
                await self._disconnect(reader)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Wait for the reading units that run, and keep others waiting. Streams go on."""
        taken = 0
        try:
            for _ in range(self._shared):
                await self._slots.acquire()
                taken += 1
            yield
        finally:
            for _ in range(taken):
                self._slots.release()

    async def close(self) -> None:
        """Interrupt what still runs, and disconnect."""
        self._is_closed = True
        for reader in list(self._open):
            reader.connection.cut_short()
            await self._disconnect(reader)

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise Unavailable("The server's storage is closed.")

    async def _connect(self, name: str) -> Reader:
        reader = await Reader.open(self._path, name, clock=self._clock, inline=self._inline)
        self._open.add(reader)
        return reader

    async def _disconnect(self, reader: Reader) -> None:
        self._open.discard(reader)
        await reader.connection.close()
