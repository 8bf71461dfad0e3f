"""Wiping what SQLite leaves behind between the rows of a page.

`secure_delete` overwrites the rows that are deleted. It does not overwrite the copies that stay in a page when its rows
move to a neighbour: they lie in the gap between the page's list of cells and its cells (SQLite's file format, section
1.6), where nothing is read from, until new rows happen to be written there. Only VACUUM clears the gaps, and writers
would wait while it copies the whole database. Zeros written into the gaps change nothing that means something, so a
power cut in the middle does no harm either.
"""

from __future__ import annotations

import os
import sqlite3
import struct
from pathlib import Path

from manor.storage.connection import Handle

PAGES_AT_ONCE = 4096
"""The writer does nothing else meanwhile: 16 MiB are wiped in some ten milliseconds."""

_BTREE_HEADERS = {2: 12, 5: 12, 10: 8, 13: 8}
"""Bytes of header by the kind of b-tree page, which is its first byte."""

_MOST_PAGES = 2 << 24
"""In larger databases (128 GiB) the number that other pages begin with may look like a b-tree page's first byte."""

_LOCK_BYTE = 1 << 30
"""No page of rows lies here: SQLite keeps its locks in it."""


class NotAlone(Exception):
    """Others read or write what is in the log."""


def wipe_some(handle: Handle, path: Path, file: int, first: int) -> int | None:
    """Empty the log, and wipe the gaps of some pages; on the writer's thread, outside of a transaction.

    Args:
        handle: The writer's.
        path: The database.
        file: The database, opened for reading and writing. To close it drops SQLite's locks, which belong to the
            process: it stays open for as long as any connection does.
        first: The number of the first page to wipe; the first page of a database is 1.

    Returns:
        The number of the page to go on with; None after the last one.

    Raises:
        NotAlone: Somebody reads an older state; nothing was wiped.
    """
    if handle.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        raise NotAlone
    try:
        handle.execute("BEGIN IMMEDIATE").close()
    except sqlite3.OperationalError as error:  # another process has the lock, or writes right now
        raise NotAlone from error
    try:
        # Nobody writes now. With nothing in the log nobody moves pages from it into the database either, so that what
        # the file says is how it is.
        if path.with_name(f"{path.name}-wal").stat().st_size:
            raise NotAlone
        following = _wipe(file, first) if _can_tell_pages(handle) else None
        # The writer may hold pages as they were, and would write them back with the next row in them.
        handle.execute("PRAGMA shrink_memory").close()
        return following
    finally:
        handle.end()


def _can_tell_pages(handle: Handle) -> bool:
    is_plain = handle.execute("PRAGMA auto_vacuum").fetchone()[0] == 0
    return is_plain and int(handle.execute("PRAGMA page_count").fetchone()[0]) < _MOST_PAGES


def _wipe(file: int, first: int) -> int | None:
    header = os.pread(file, 100, 0)
    size = struct.unpack(">H", header[16:18])[0]
    size = 65536 if size == 1 else size
    usable = size - header[20]
    has_wiped = False
    data = memoryview(os.pread(file, PAGES_AT_ONCE * size, (first - 1) * size))
    for index in range(len(data) // size):
        begin = (first - 1 + index) * size
        # The first page has the schema's rows, and the file's own header before them.
        if begin in (0, _LOCK_BYTE):
            continue
        gap = _gap(data[index * size : (index + 1) * size], usable)
        if gap is None:
            continue
        start, end = gap
        if bytes(data[index * size + start : index * size + end]).strip(b"\0"):
            os.pwrite(file, bytes(end - start), begin + start)
            has_wiped = True
    if has_wiped:
        os.fsync(file)
    return first + PAGES_AT_ONCE if len(data) == PAGES_AT_ONCE * size else None


def _gap(page: memoryview, usable: int) -> tuple[int, int] | None:
    """Where a page's gap begins and ends; None when the page has none, or is no b-tree page."""
    header = _BTREE_HEADERS.get(page[0])
    if header is None:
        return None
    cells, end = struct.unpack(">HH", page[3:7])
    start, end = header + 2 * cells, end or 65536
    return (start, end) if start < end <= usable else None
