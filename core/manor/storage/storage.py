"""Storage: transactions as plain functions, one writer, readers beside it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import trio
from sqlalchemy.sql import Executable

from manor.clock import Clock
from manor.errors import Refused
from manor.routing import Later
from manor.storage.batch import Committer
from manor.storage.connection import Connection
from manor.storage.engine import BUSY_TIMEOUT, Desk, writer_pragmas
from manor.storage.readers import Readers, Rows
from manor.storage.schema import prepare
from manor.storage.transaction import Joint, Recording, Telling, Transaction, Work
from manor.storage.wiping import NotAlone, wipe_some
from manor.storage.writer import Writer

P = TypeVar("P")
T = TypeVar("T")

RESERVE = 64 * 1024 * 1024
"""Free space in bytes below which storage says that it is low."""

_COMPACT_WAIT = 30.0
_COMPACT_PAUSE = 0.25


@dataclass(frozen=True)
class StorageHealth:
    """How the storage is.

    Args:
        trouble: Why nothing can be written, in a sentence; "" when a write was just committed.
        free: Bytes left on its file system for us.
        is_low: Whether that is less than the reserve.
    """

    trouble: str
    free: int
    is_low: bool


class Storage:
    """The database. Made by `open_storage`."""

    def __init__(self, path: Path, file: int, connection: Connection, writer: Writer, readers: Readers) -> None:
        self._path = path
        self._file = file
        self._connection = connection
        self._writer = writer
        self._readers = readers
        self._compacting = trio.Lock()

    @property
    def path(self) -> Path:
        """The database file."""
        return self._path

    @property
    def is_writable(self) -> bool:
        """Whether the last attempt to commit succeeded."""
        return self._writer.is_writable

    @property
    def position(self) -> int:
        """The last position that was committed; a message to come has a higher one."""
        return self._writer.position

    @property
    def waiting(self) -> int:
        """How many units wait to be written."""
        return self._writer.waiting

    @property
    def commits(self) -> int:
        """How many transactions were committed since the start; fewer than units, as units share them."""
        return self._writer.commits

    async def write(self, work: Work[T]) -> T:
        """Run a unit of work on the writer and wait until it is on the disk.

        A caller cancelled meanwhile goes; its unit is committed all the same.

        Args:
            work: Runs whole, on another thread, and maybe more than once: it changes nothing outside its transaction.

        Returns:
            What the function returned, once its commit did.

        Raises:
            StorageFull: The disk is full; nothing of it was kept.
            Unavailable: Too much waits, the database cannot be written to, or the storage is closed.
            Exception: Whatever the function raised; its transaction is rolled back and its events are told to nobody.
        """
        return await self._writer.write(work)

    def submit(self, work: Work[Any]) -> Later:
        """Like `write`, without waiting: the `Later` brings what the function returned, or what `write` would raise.

        Raises:
            Unavailable: Too much waits, or the storage is closed.
        """
        return self._writer.submit(work)

    def submit_joint(self, joint: Joint[P, Any], payload: P) -> Later:
        """Like `submit`, for work that is cheaper done for many at once; see `Joint`.

        Args:
            joint: The kind of work: the same object each time, as it is what units are known by.
            payload: What to do it for.

        Raises:
            Unavailable: Too much waits, or the storage is closed.
        """
        return self._writer.submit_joint(joint, payload)

    async def read(self, work: Work[T]) -> T:
        """Run a reading unit on one snapshot, beside the writer; a cancelled one is interrupted.

        Args:
            work: Runs whole, on another thread. It can neither change a row nor emit nor defer.

        Raises:
            Unavailable: The storage is closed.
            Exception: Whatever the function raised.
        """
        return await self._readers.read(work)

    def stream(self, statement: Executable, *, chunk: int = 500) -> AbstractAsyncContextManager[Rows]:
        """Read the rows of one statement on one snapshot, as slowly as the caller takes them.

            async with storage.stream(select(messages)) as rows:
                async for row in rows: ...

        A few streams run at once; a further one waits. As long as it is open the log cannot shrink: bound its time.

        Args:
            statement: A SELECT of SQLAlchemy's.
            chunk: Rows that are fetched at once.
        """
        return self._readers.stream(statement, chunk=chunk)

    async def check(self) -> StorageHealth:
        """Try to write a little, and look how much space is left."""
        trouble = ""
        try:
            await self.write(_touch)
        except Refused as error:
            trouble = error.detail
        status = await self._connection.run(os.statvfs, self._path.parent)
        free = status.f_bavail * status.f_frsize
        return StorageHealth(trouble, free, is_low=free < RESERVE)

    async def compact(self) -> bool:
        """Remove from the files what was erased from the tables: the log is emptied, and pages hold rows and zeros.

        Waits up to 30 seconds for those who still read an older state; the writer and new readers go on meanwhile.

        Returns:
            Whether it is done; False when somebody (a stream, a backup) read all the time.
        """
        async with self._compacting:
            page: int | None = 1
            with trio.move_on_after(_COMPACT_WAIT) as patience:
                while page is not None:
                    async with self._readers.paused():
                        following = await self._connection.run(self._compact_some, page)
                    if following == page:
                        await trio.sleep(_COMPACT_PAUSE)
                    else:
                        patience.deadline = trio.current_time() + _COMPACT_WAIT
                    page = following
            return page is None

    def _compact_some(self, page: int) -> int | None:
        """Go on with a page; returns the next one, the same one when others are in the way, None at the end."""
        handle = self._connection.handle
        # It would wait for readers with the writer's thread in its hand; we come again instead.
        handle.execute("PRAGMA busy_timeout = 0").close()
        try:
            return wipe_some(handle, self._path, self._file, page)
        except NotAlone:
            return page
        finally:
            handle.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}").close()


def _touch(transaction: Transaction) -> None:
    transaction.connection.exec_driver_sql("UPDATE core_position SET value = value")


@asynccontextmanager
async def open_storage(
    path: Path,
    *,
    clock: Clock,
    bus: Telling,
    outbox: Recording,
    inline: bool = False,
    synchronous: str = "FULL",
    on_batch: Callable[[int, float], None] = lambda units, seconds: None,
) -> AsyncIterator[Storage]:
    """Open the database, making it if there is none; leaving finishes what was accepted and closes it.

    Args:
        path: The database file; made with mode 0600, its folder with 0700.
        clock: Tells units the time.
        bus: Is told of events after each commit.
        outbox: Writes rows for what must not be forgotten.
        inline: Do all work on the loop's thread: for tests whose clock jumps.
        synchronous: SQLite's: `FULL`, or `NORMAL`, with which a power cut loses acknowledged writes.
        on_batch: Told how many units a batch had and how many seconds it took, for the metrics.
    """
    make_file(path)
    # Closed last: closing it drops the locks that SQLite's connections have on the file.
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        async with _opened(path, file, clock, bus, outbox, inline, synchronous, on_batch) as storage:
            yield storage
    finally:
        os.close(file)


@asynccontextmanager
async def _opened(
    path: Path,
    file: int,
    clock: Clock,
    bus: Telling,
    outbox: Recording,
    inline: bool,
    synchronous: str,
    on_batch: Callable[[int, float], None],
) -> AsyncIterator[Storage]:
    connection = await Connection(path, name="manor-writer", interruptible=False, inline=inline).open()
    failure: BaseException | None = None
    try:
        desk = await connection.run(Desk, connection.handle, writer_pragmas(synchronous))
        await connection.run(prepare, desk, clock)
        committer = await connection.run(Committer, desk, clock, outbox)
        readers = Readers(path, clock=clock, inline=inline)
        writer = Writer(connection, committer, bus, outbox, on_batch)
        try:
            await readers.open()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(writer.run)
                try:
                    yield Storage(path, file, connection, writer, readers)
                except BaseException as error:
                    # What the body raises leaves as it is, and not in the group that a nursery makes of it.
                    failure = error
                writer.close()
        finally:
            await readers.close()
    finally:
        await connection.close()
    if failure is not None:
        raise failure


def make_file(path: Path) -> None:
    """Make the database file, or shut an existing one: nobody but us reads it. Its log inherits the mode."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True)
        path.parent.chmod(0o700)
    path.touch(mode=0o600)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
