"""A copy of the tables: of one moment, nobody's business, and gone at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manor.clock import SetClock
from manor.storage import Migration, Storage, Transaction, apply_migrations, open_copy, remove_copies


def count(transaction: Transaction) -> Any:
    return transaction.connection.exec_driver_sql("SELECT COUNT(*) FROM visits_visits").scalar()


def visit(transaction: Transaction) -> None:
    transaction.connection.exec_driver_sql("INSERT INTO visits_visits VALUES (NULL)")


async def test_a_copy_is_of_one_moment_and_what_happens_on_it_stays_there(
    storage: Storage, clock: SetClock, tmp_path: Path
) -> None:
    def make(connection: Any) -> None:
        connection.exec_driver_sql("CREATE TABLE visits_visits (id INTEGER PRIMARY KEY)")

    await apply_migrations(storage, "visits", [Migration("0001", make)])
    await storage.write(visit)
    async with open_copy(storage, tmp_path, clock=clock) as copy:
        (place,) = tmp_path.glob("copy-*")
        assert place.stat().st_mode & 0o077 == 0
        await storage.write(visit)
        assert await copy.read(count) == 1
        for _ in range(3):
            await copy.write(visit)
        assert await copy.read(count) == 4
        assert await storage.read(count) == 2
    assert not list(tmp_path.glob("copy-*"))


async def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "copy-abc").mkdir()
    (tmp_path / "copy-abc" / "copy.db").write_bytes(b"x")
    (tmp_path / "other").mkdir()
    remove_copies(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["other"]
