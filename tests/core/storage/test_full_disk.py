from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from manor.errors import StorageFull
from manor.events import Event
from manor.storage import Migration, Storage, Transaction, apply_migrations

Opened = Callable[..., AbstractAsyncContextManager[Storage]]


class Stored(Event, frozen=True):
    """A blob was stored."""

    name: ClassVar[str] = "blobs.stored"
    label: str


def make_table(connection: Any) -> None:
    connection.exec_driver_sql("CREATE TABLE blobs_blobs (label TEXT PRIMARY KEY, data BLOB NOT NULL)")


def store(label: str, size: int) -> Callable[[Transaction], str]:
    def work(transaction: Transaction) -> str:
        transaction.emit(Stored(label=label))
        transaction.position()
        transaction.connection.exec_driver_sql("INSERT INTO blobs_blobs VALUES (?, zeroblob(?))", (label, size))
        return label

    return work


def remove_all(transaction: Transaction) -> None:
    transaction.connection.exec_driver_sql("DELETE FROM blobs_blobs")


async def labels(storage: Storage) -> list[str]:
    return await storage.read(
        lambda transaction: list(
            transaction.connection.exec_driver_sql("SELECT label FROM blobs_blobs ORDER BY rowid").scalars()
        )
    )


def limit_to(pages: int) -> Callable[[Transaction], None]:
    def work(transaction: Transaction) -> None:
        used = transaction.connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        transaction.connection.exec_driver_sql(f"PRAGMA max_page_count = {used + pages}").all()

    return work


async def submit_around_a_giant(storage: Storage) -> None:
    """A unit that cannot fit, with small ones on both sides, in one batch."""
    before, giant = storage.submit(store("before", 10)), storage.submit(store("giant", 4_000_000))
    after = await storage.write(store("after", 10))

    assert (before.take(), after) == ("before", "after")
    with pytest.raises(StorageFull):
        giant.take()


async def test_the_unit_that_does_not_fit_is_refused_and_its_neighbours_are_kept(
    storage: Storage, journal: list[Any]
) -> None:
    await apply_migrations(storage, "blobs", [Migration("0001", make_table)])
    await storage.write(limit_to(100))

    await submit_around_a_giant(storage)

    assert await labels(storage) == ["before", "after"]
    assert [entry[1].label for entry in journal if entry[0] == "inline"] == ["before", "after"]


async def test_a_full_database_is_said_to_be_so_and_recovers_by_itself(storage: Storage) -> None:
    await apply_migrations(storage, "blobs", [Migration("0001", make_table)])
    await storage.write(limit_to(100))

    with pytest.raises(StorageFull):
        await storage.write(store("giant", 4_000_000))
    seen = [storage.is_writable]

    assert (await storage.check()).trouble == ""
    seen.append(storage.is_writable)
    assert seen == [False, True]
    assert await storage.write(store("small", 10)) == "small"


async def test_a_unit_that_words_a_full_disk_otherwise_is_refused_all_the_same(storage: Storage) -> None:
    await apply_migrations(storage, "blobs", [Migration("0001", make_table)])
    await storage.write(limit_to(100))

    def reword(transaction: Transaction) -> None:
        try:
            store("giant", 4_000_000)(transaction)
        except Exception as error:
            raise LookupError("no room") from error

    small, failed = storage.submit(store("small", 10)), storage.submit(reword)
    await storage.write(store("other", 10))

    assert small.take() == "small"
    with pytest.raises(StorageFull):
        failed.take()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB of its own: only a real one is full at the commit."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.box
async def test_a_full_disk_at_the_commit_fails_only_what_does_not_fit(
    opened: Opened, small_disk: Path, journal: list[Any]
) -> None:
    async with opened(small_disk / "manor.db") as storage:
        await apply_migrations(storage, "blobs", [Migration("0001", make_table)])
        await submit_around_a_giant(storage)

        assert await labels(storage) == ["before", "after"]
        assert [entry[1].label for entry in journal if entry[0] == "inline"] == ["before", "after"]
        assert (await storage.check()).is_low


@pytest.mark.box
async def test_writes_go_on_once_the_disk_has_room_again(opened: Opened, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    async with opened(small_disk / "manor.db") as storage:
        await apply_migrations(storage, "blobs", [Migration("0001", make_table)])
        kept = [await storage.write(store("first", 100_000))]
        with suppress(OSError):
            ballast.write_bytes(bytes(3_000_000))
        refused = 0
        for number in range(50):
            try:
                kept += [await storage.write(store(f"{number}", 100_000))]
            except StorageFull:
                refused += 1
        assert refused
        assert await labels(storage) == kept

        ballast.unlink()
        kept.append(await storage.write(store("later", 100_000)))
        assert await labels(storage) == kept
        await storage.write(remove_all)
    async with opened(small_disk / "manor.db") as storage:
        assert await labels(storage) == []
