"""SQLAlchemy's synchronous Core on a connection that is already there; everything here runs on its thread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import cast

import sqlalchemy
from sqlalchemy import Engine, StaticPool
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.util import LRUCache

from manor.storage.connection import Handle

BUSY_TIMEOUT = 5000
"""Milliseconds to wait for another process that has the database locked."""

_FOR_ALL = (
    "foreign_keys = ON",
    f"busy_timeout = {BUSY_TIMEOUT}",
    "temp_store = MEMORY",  # no temporary files for somebody to find, and none on a full disk
    "cache_size = -8192",  # KiB
    "mmap_size = 0",  # an I/O error in a mapped page is a SIGBUS
)

READER_PRAGMAS = (*_FOR_ALL, "query_only = ON", "wal_autocheckpoint = 0")
"""A reader reads. Only the writer moves the log into the database."""


def writer_pragmas(synchronous: str) -> tuple[str, ...]:
    """The writer's settings.

    Args:
        synchronous: `FULL` (a commit is on the disk when it returns), or `NORMAL` (survives a crash of the process,
            loses the last commits with a power cut).
    """
    if synchronous not in ("FULL", "NORMAL"):
        raise ValueError(f"synchronous is FULL or NORMAL, not {synchronous!r}")
    return (
        *_FOR_ALL,
        "journal_mode = WAL",
        f"synchronous = {synchronous}",
        "secure_delete = ON",  # what is erased is overwritten (full-text indexes need their own `optimize` besides)
        "wal_autocheckpoint = 1000",  # pages
        "journal_size_limit = 67108864",  # bytes that the log may keep once it has been checkpointed
    )


STATEMENTS = 1000
"""How many statements are kept compiled, for all connections of the process together."""


@cache
def _common() -> Engine:
    """What all desks have in common: SQLAlchemy's picture of SQLite, and the statements that it compiled for it.

    Left to itself each engine has its own: every reader would compile every statement again, and every house of a test.
    """
    engine = sqlalchemy.create_engine("sqlite://", execution_options={"compiled_cache": LRUCache(STATEMENTS)})
    engine.connect().close()  # it looks at SQLite once
    engine.dispose()
    return engine


def _engine_on(handle: Handle) -> Engine:
    common = _common()
    prepare = common.dialect.on_connect()
    if prepare is not None:
        prepare(cast("DBAPIConnection", handle))  # `create_engine` would: functions that SQLite lacks, such as REGEXP
    pool = StaticPool(lambda: cast("DBAPIConnection", handle), dialect=common.dialect, reset_on_return=None)
    return Engine(pool, common.dialect, common.url, execution_options=common.get_execution_options())


class Desk:
    """Where units are worked on: a sqlite3 connection with SQLAlchemy's on top.

    Args:
        handle: The sqlite3 connection. Transactions are begun and ended on it, never through SQLAlchemy.
        pragmas: Its settings.
    """

    def __init__(self, handle: Handle, pragmas: Sequence[str]) -> None:
        self.handle = handle
        for pragma in pragmas:
            handle.execute(f"PRAGMA {pragma}").close()
        self._engine = _engine_on(handle)
        self.connection = self._engine.connect()

    @property
    def is_clean(self) -> bool:
        """Whether SQLAlchemy sees no more than one plain transaction: no savepoint is open, nothing was ended."""
        if self.connection.in_nested_transaction():
            return False
        transaction = self.connection.get_transaction()
        return transaction is None or transaction.is_active

    def renew(self) -> None:
        """Forget SQLAlchemy's picture of the transaction, which is wrong once a unit failed in the middle of it."""
        self.handle.is_guarded = False
        self.connection.close()
        self.handle.is_guarded = True
        self.connection = self._engine.connect()

    def abandon(self) -> None:
        """Roll back what is open."""
        self.handle.end()
        self.renew()

    def end(self) -> None:
        """Roll back at the end of a reading unit."""
        self.handle.end()
        if not self.is_clean:
            self.renew()
