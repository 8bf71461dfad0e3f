"""SQLAlchemy's synchronous Core on a connection that is already there; everything here runs on its thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import sqlalchemy
from sqlalchemy import StaticPool

from manor.storage.connection import end_transaction

_FOR_ALL = (
    "foreign_keys = ON",
    "busy_timeout = 5000",
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


class Desk:
    """Where units are worked on: a sqlite3 connection with SQLAlchemy's on top.

    Args:
        handle: The sqlite3 connection. Transactions are begun and ended on it, never through SQLAlchemy.
        pragmas: Its settings.
    """

    def __init__(self, handle: sqlite3.Connection, pragmas: Sequence[str]) -> None:
        self.handle = handle
        for pragma in pragmas:
            handle.execute(f"PRAGMA {pragma}").close()
        self._engine = sqlalchemy.create_engine(
            "sqlite://", creator=lambda: handle, poolclass=StaticPool, pool_reset_on_return=None
        )
        self.connection = self._engine.connect()

    def close_nested(self) -> bool:
        """Roll back the savepoints that a unit left open through SQLAlchemy. True when there were any."""
        found = False
        while (nested := self.connection.get_nested_transaction()) is not None:
            found = True
            nested.rollback()
        return found

    def abandon(self) -> None:
        """Roll back what is open and forget SQLAlchemy's picture of it, which is wrong once a transaction died."""
        end_transaction(self.handle)
        self.connection.close()
        self.connection = self._engine.connect()

    def end(self) -> None:
        """Roll back at the end of a reading unit."""
        if self.connection.in_nested_transaction():
            self.abandon()
        else:
            end_transaction(self.handle)
