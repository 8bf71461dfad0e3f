from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from sqlalchemy import Connection

from manor.storage import Migration, MigrationFailed, Storage, applied, apply_migrations, purge

Opened = Callable[..., AbstractAsyncContextManager[Storage]]


def statements(id_: str, *texts: str) -> Migration:
    def run(connection: Connection) -> None:
        for text in texts:
            connection.exec_driver_sql(text)

    return Migration(id_, run)


FIRST = statements("0001_gates", "CREATE TABLE gates_gates (name TEXT PRIMARY KEY)")
SECOND = statements("0002_colour", "ALTER TABLE gates_gates ADD COLUMN colour TEXT NOT NULL DEFAULT 'green'")


async def names(storage: Storage) -> set[str]:
    return await storage.read(
        lambda transaction: set(
            transaction.connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
            ).scalars()
        )
    )


async def marks(storage: Storage, owner: str) -> set[str]:
    return await storage.read(lambda transaction: applied(transaction.connection, owner))


async def test_each_migration_runs_once_and_in_order(storage: Storage) -> None:
    assert await apply_migrations(storage, "gates", [FIRST]) == ["0001_gates"]
    assert await apply_migrations(storage, "gates", [FIRST, SECOND]) == ["0002_colour"]
    assert await apply_migrations(storage, "gates", [FIRST, SECOND]) == []
    assert await marks(storage, "gates") == {"0001_gates", "0002_colour"}


async def test_a_failing_migration_leaves_nothing_of_itself(storage: Storage) -> None:
    broken = statements("0002_broken", "CREATE TABLE gates_half (a)", "INSERT INTO gates_half VALUES (1)", "NONSENSE")

    with pytest.raises(MigrationFailed) as caught:
        await apply_migrations(storage, "gates", [FIRST, broken, SECOND])

    assert (caught.value.owner, caught.value.id) == ("gates", "0002_broken")
    assert "NONSENSE" in str(caught.value)
    assert await marks(storage, "gates") == {"0001_gates"}
    assert "gates_half" not in await names(storage)


async def test_marks_of_a_newer_version_are_left_alone(storage: Storage) -> None:
    await apply_migrations(storage, "gates", [FIRST, SECOND])

    assert await apply_migrations(storage, "gates", [FIRST]) == []
    assert await marks(storage, "gates") == {"0001_gates", "0002_colour"}


async def test_two_migrations_with_one_id_are_refused(storage: Storage) -> None:
    with pytest.raises(MigrationFailed, match="0001_gates"):
        await apply_migrations(storage, "gates", [FIRST, FIRST])
    assert await marks(storage, "gates") == set()


async def test_migrations_hold_over_a_restart(opened: Opened) -> None:
    async with opened() as storage:
        await apply_migrations(storage, "gates", [FIRST])
    async with opened() as storage:
        assert await apply_migrations(storage, "gates", [FIRST]) == []
        assert "gates_gates" in await names(storage)


async def test_purging_drops_all_that_a_plugin_has_and_nothing_else(storage: Storage) -> None:
    await apply_migrations(
        storage,
        "gates",
        [
            FIRST,
            statements(
                "0002",
                "CREATE TABLE gates_keys (gate TEXT NOT NULL REFERENCES gates_gates (name), twin INTEGER "
                "REFERENCES gates_keys (rowid_), rowid_ INTEGER PRIMARY KEY)",
                "CREATE INDEX gates_keys_gate ON gates_keys (gate)",
                "CREATE VIRTUAL TABLE gates_text USING fts5 (words)",
                "CREATE VIEW gates_green AS SELECT * FROM gates_gates",
                "CREATE TRIGGER gates_added AFTER INSERT ON gates_gates BEGIN "
                "INSERT INTO gates_text VALUES (new.name); END",
                "INSERT INTO gates_gates VALUES ('north')",
                "INSERT INTO gates_keys VALUES ('north', NULL, 1), ('north', 1, 2)",
            ),
        ],
    )
    await apply_migrations(storage, "gates_south", [statements("0001", "CREATE TABLE gates_south_posts (a)")])

    assert await purge(storage, "gates") == ["gates_gates", "gates_green", "gates_keys", "gates_text"]

    left = {name for name in await names(storage) if name.startswith("gates_")}
    assert left == {"gates_south_posts"}
    assert await marks(storage, "gates") == set()
    assert await marks(storage, "gates_south") == {"0001"}
    assert "doors_rings" in await names(storage)


async def test_a_purged_plugin_can_come_back(storage: Storage) -> None:
    await apply_migrations(storage, "gates", [FIRST])
    await purge(storage, "gates")

    assert await apply_migrations(storage, "gates", [FIRST]) == ["0001_gates"]


@pytest.mark.parametrize("owner", ["core", "identity", "sqlite", "", "g%", "Gates", "gates_", '"'])
async def test_the_core_and_what_is_no_name_are_never_purged(storage: Storage, owner: str) -> None:
    before = await names(storage)
    with pytest.raises(ValueError, match=r"core|no plugin's name"):
        await purge(storage, owner)
    assert await names(storage) == before
