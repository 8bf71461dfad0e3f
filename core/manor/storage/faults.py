"""What SQLite's errors mean to us."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from manor.errors import Refused, StorageFull, Unavailable

# SQLITE_FULL is ENOSPC on the database or its log; the others are ENOSPC on the log's index, which has no code.
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP})


def is_full(error: BaseException) -> bool:
    """Whether a full disk is behind this error, however often it was wrapped."""
    return any(isinstance(cause, sqlite3.Error) and _code(cause) in _FULL for cause in _causes(error))


def storage_full(cause: BaseException) -> StorageFull:
    """The refusal of the one unit that did not fit."""
    error = StorageFull("The server's disk is full; nothing of this was stored.")
    error.__cause__ = cause
    return error


def cannot_commit(cause: BaseException) -> Refused:
    """The refusal of a unit whose function was fine and whose transaction could not be begun or committed."""
    if is_full(cause):
        return storage_full(cause)
    error = Unavailable("The server cannot write to its storage at the moment.")
    error.__cause__ = cause
    return error


def _code(error: sqlite3.Error) -> int | None:
    # Errors that Python's own layer raises (a closed connection, say) have none.
    return getattr(error, "sqlite_errorcode", None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__]
