"""What is erased is gone from the file, wherever SQLite moved it before, and all else is as it was."""

from __future__ import annotations

import random
import sqlite3
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from manor.storage import Storage, Transaction, wiping
from tests.core.storage.conftest import Opened

WORD = "marzipan"


async def moved_about(storage: Storage, seed: int) -> dict[str, str]:
    """Rows of random keys and sizes, changed often, so that pages were split and joined; those with the word go.

    Returns:
        What stays.
    """
    chance = random.Random(seed)
    kept: dict[str, str] = {}

    def fill(transaction: Transaction) -> None:
        kept.clear()
        run = transaction.connection.exec_driver_sql
        keys: list[tuple[str, str]] = []
        for number in range(3_000):
            word = WORD if number % 3 == 0 else "other"
            keys.append((f"{chance.random()} {word}", word))
            run("INSERT INTO doors_rings VALUES (?, ?)", (keys[-1][0], f"{word} " * chance.randint(1, 60)))
            if number % 5 == 0:
                key, word = chance.choice(keys)
                run("UPDATE doors_rings SET note = ? WHERE door = ?", (f"{word} " * chance.randint(1, 300), key))

    def remove(transaction: Transaction) -> int:
        some = "SELECT door FROM doors_rings WHERE note LIKE ? LIMIT 100"
        run = transaction.connection.exec_driver_sql
        return run(f"DELETE FROM doors_rings WHERE door IN ({some})", (f"{WORD}%",)).rowcount

    await storage.write(fill)
    while await storage.write(remove):
        pass
    return await storage.read(rows)


def rows(transaction: Transaction) -> dict[str, str]:
    return {row[0]: row[1] for row in transaction.connection.exec_driver_sql("SELECT door, note FROM doors_rings")}


def words(path: Path) -> int:
    return sum(file.read_bytes().count(WORD.encode()) for file in path.parent.iterdir())


def is_whole(path: Path) -> bool:
    """Ask another connection whether the file is as it must be."""
    connection = sqlite3.connect(path)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    finally:
        connection.close()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_no_copy_of_what_was_erased_stays_in_a_page(storage: Storage, path: Path, seed: int) -> None:
    kept = await moved_about(storage, seed)

    assert await storage.compact()

    assert words(path) == 0
    assert await storage.read(rows) == kept


async def test_the_file_is_whole_afterwards_and_takes_what_comes(opened: Opened, storage: Storage, path: Path) -> None:
    kept = await moved_about(storage, 1)
    await storage.compact()

    def add(transaction: Transaction) -> None:
        chance = random.Random(7)
        for _ in range(300):
            row = (f"{chance.random()} new", "new")
            transaction.connection.exec_driver_sql("INSERT INTO doors_rings VALUES (?, ?)", row)

    await storage.write(add)

    assert len(await storage.read(rows)) == len(kept) + 300
    assert is_whole(path)
    # The writer forgot its own copies of the pages too, and did not write them back.
    assert words(path) == 0


async def test_others_write_between_the_pages_and_lose_nothing(
    storage: Storage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiping, "PAGES_AT_ONCE", 16)
    kept = await moved_about(storage, 1)
    added = 0

    def add(transaction: Transaction) -> None:
        row = (f"{random.Random(added).random()} new", "new " * 50)
        transaction.connection.exec_driver_sql("INSERT INTO doors_rings VALUES (?, ?)", row)

    async def write() -> None:
        nonlocal added
        while True:
            await storage.write(add)
            added += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        assert await storage.compact()
        nursery.cancel_scope.cancel()
    await storage.compact()

    there = await storage.read(rows)
    assert added > 5
    assert len(there) >= len(kept) + added
    assert {key: note for key, note in there.items() if key in kept} == kept
    assert words(path) == 0
    assert is_whole(path)


async def test_nothing_is_wiped_while_another_process_writes(
    opened: Opened, path: Path, autojump_clock: MockClock
) -> None:
    async with opened(inline=True) as storage:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        assert not await storage.compact()

        other.execute("ROLLBACK")
        other.close()
        assert await storage.compact()


async def test_the_locks_on_the_file_are_kept_while_it_is_open(storage: Storage, path: Path) -> None:
    await storage.compact()

    # Locks are seen by other processes alone: one that wants the file for itself is refused.
    greedy = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('PRAGMA journal_mode = DELETE')"
    refused = await trio.run_process([sys.executable, "-c", greedy, str(path)], capture_stderr=True, check=False)

    assert refused.stderr.strip().endswith(b"OperationalError: database is locked")
