"""A copy of the database, to read at leisure or to try something on: what happens there is told to nobody."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import trio
from sqlalchemy import Connection

from manor.clock import Clock
from manor.errors import Unavailable
from manor.events import Event
from manor.storage.faults import is_full, storage_full
from manor.storage.storage import Storage, open_storage
from manor.storage.transaction import Deferred

PREFIX = "copy-"


class _Nobody:
    """Hears no events and does no deferred work."""

    def tell_inline(self, events: Sequence[Event]) -> None:
        pass

    def tell_live(self, events: Sequence[Event]) -> None:
        pass

    def record(
        self, connection: Connection, events: Sequence[Event], deferred: Sequence[Deferred], now: datetime
    ) -> bool:
        return False

    def ring(self) -> None:
        pass


@asynccontextmanager
async def open_copy(storage: Storage, folder: Path, *, clock: Clock) -> AsyncIterator[Storage]:
    """A copy of all tables as they are now. Takes as much disk as the database; it is gone at the end.

    Args:
        storage: What is copied; its writer goes on meanwhile.
        folder: Where the copy is put, in a folder of its own that nobody else may enter.
        clock: Tells units the time.

    Raises:
        StorageFull: The disk is full.
        Unavailable: The database cannot be copied.
    """
    place = Path(await trio.to_thread.run_sync(lambda: tempfile.mkdtemp(prefix=PREFIX, dir=folder)))
    nobody = _Nobody()
    try:
        copy = place / "copy.db"
        await trio.to_thread.run_sync(_copy, storage.path, copy)
        async with open_storage(copy, clock=clock, bus=nobody, outbox=nobody, synchronous="NORMAL") as opened:
            yield opened
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(lambda: shutil.rmtree(place, ignore_errors=True))


def remove_copies(folder: Path) -> None:
    """Remove what a process that was killed left of its copies."""
    for place in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(place, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    connection = sqlite3.connect(source, isolation_level=None)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
        target.chmod(0o600)
    except sqlite3.Error as error:
        if is_full(error):
            raise storage_full(error) from error
        raise Unavailable(f"The database cannot be copied: {error}") from error
    finally:
        connection.close()
