from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from manor.errors import Unavailable
from manor.storage import Migration, Storage, Transaction, apply_migrations

Opened = Callable[..., AbstractAsyncContextManager[Storage]]

TABLE = Migration("0001", lambda connection: connection.exec_driver_sql("CREATE TABLE notes_notes (text TEXT)"))


def note(text: str) -> Callable[[Transaction], str]:
    def work(transaction: Transaction) -> str:
        transaction.connection.exec_driver_sql("INSERT INTO notes_notes VALUES (?)", (text,))
        return text

    return work


def notes(transaction: Transaction) -> list[str]:
    return list(transaction.connection.exec_driver_sql("SELECT text FROM notes_notes ORDER BY rowid").scalars())


def make_file(path: Path, content: str, *, mode: int = 0o600) -> None:
    path.parent.mkdir()
    path.write_text(content)
    path.chmod(mode)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_storage_opened_again_has_all_that_was_acknowledged(opened: Opened) -> None:
    async with opened() as storage:
        await apply_migrations(storage, "notes", [TABLE])
        for text in "abc":
            await storage.write(note(text))
    async with opened() as storage:
        assert await storage.read(notes) == ["a", "b", "c"]


async def test_nobody_else_can_read_the_files(opened: Opened, path: Path) -> None:
    async with opened() as storage:
        await apply_migrations(storage, "notes", [TABLE])
        assert mode(path.parent) == 0o700
        assert {mode(file) for file in path.parent.iterdir()} == {0o600}


async def test_a_file_open_to_others_is_shut(opened: Opened, path: Path) -> None:
    make_file(path, "", mode=0o644)
    async with opened():
        assert mode(path) == 0o600


async def test_what_was_accepted_is_committed_before_the_storage_is_closed(opened: Opened) -> None:
    async with opened() as storage:
        await apply_migrations(storage, "notes", [TABLE])
        laters = [storage.submit(note(str(number))) for number in range(450)]
    assert [later.take() for later in laters] == [str(number) for number in range(450)]
    async with opened() as storage:
        assert len(await storage.read(notes)) == 450


async def test_what_was_accepted_is_committed_even_if_the_house_is_cancelled(opened: Opened) -> None:
    with trio.CancelScope() as scope:
        async with opened() as storage:
            await apply_migrations(storage, "notes", [TABLE])
            later = storage.submit(note("last"))
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert later.take() == "last"


async def test_a_closed_storage_refuses(opened: Opened) -> None:
    async with opened() as storage:
        pass
    for use in (storage.write, storage.read):
        with pytest.raises(Unavailable):
            await use(notes)
    with pytest.raises(Unavailable):
        storage.submit(notes)


async def test_what_the_body_raises_comes_out_as_it_is(opened: Opened) -> None:
    with pytest.raises(LookupError, match="attic"):
        async with opened():
            raise LookupError("attic")


async def test_the_durability_asked_for_is_the_one_in_use(opened: Opened) -> None:
    def settings(transaction: Transaction) -> tuple[object, ...]:
        return tuple(
            transaction.connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys")
        )

    async with opened() as storage:
        assert await storage.write(settings) == ("wal", 2, 1, 1)
    async with opened(synchronous="NORMAL") as storage:
        assert await storage.write(settings) == ("wal", 1, 1, 1)
    with pytest.raises(ValueError, match="OFF"):
        async with opened(synchronous="OFF"):
            pass


async def test_a_file_that_is_no_database_is_not_opened(opened: Opened, path: Path) -> None:
    make_file(path, "not a database, and long enough to be taken for one" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        async with opened():
            pass


async def test_a_database_that_another_process_holds_refuses_writes_and_still_reads(opened: Opened, path: Path) -> None:
    async with opened() as storage:
        await apply_migrations(storage, "notes", [TABLE])
        await storage.write(lambda transaction: transaction.connection.exec_driver_sql("PRAGMA busy_timeout = 1").all())
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        laters = [storage.submit(note(text)) for text in "ab"]
        assert (await storage.check()).trouble
        seen = [storage.is_writable]
        for later in laters:
            with pytest.raises(Unavailable):
                later.take()
        assert await storage.read(notes) == []

        other.execute("ROLLBACK")
        other.close()
        assert (await storage.check()).trouble == ""
        seen.append(storage.is_writable)
        assert seen == [False, True]
        assert await storage.write(note("c")) == "c"


async def test_inline_storage_does_everything_on_the_loops_thread(opened: Opened, autojump_clock: MockClock) -> None:
    async with opened(inline=True) as storage:
        await apply_migrations(storage, "notes", [TABLE])
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            for text in "abc":
                nursery.start_soon(partial(storage.write, note(text)))
            await trio.sleep(3600)
        assert trio.current_time() - started == 3600
        assert sorted(await storage.read(notes)) == ["a", "b", "c"]
