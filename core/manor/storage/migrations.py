"""Each plugin's tables, brought forward step by step; and dropped when an admin says so."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from manor.errors import ManorError, Refused
from manor.storage.faults import is_full
from manor.storage.times import to_microseconds

if TYPE_CHECKING:
    from manor.storage.storage import Storage
    from manor.storage.transaction import Transaction

_OWNER = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_KEPT = frozenset({"core", "identity", "sqlite"})


@dataclass(frozen=True)
class Migration:
    """One step of a plugin's tables.

    Args:
        id: Sorts and reads like `0003_add_priority`; never changed and never given twice by one plugin.
        run: Changes tables and rows through the connection; what it returns is ignored. It may run more than once, as
            every unit of work; when it raises, nothing of it stays. Its tables' names begin with the plugin's and `_`.
    """

    id: str
    run: Callable[[Connection], object]


class MigrationFailed(ManorError):
    """A step raised; its transaction was rolled back, the steps before it stay.

    Args:
        owner: The plugin.
        id: The step.
        cause: What it raised.
    """

    def __init__(self, owner: str, id: str, cause: BaseException) -> None:  # noqa: A002 - the migration's own word
        super().__init__(f"migration {id} of {owner!r} failed: {cause}")
        self.owner = owner
        self.id = id
        self.cause = cause


async def apply_migrations(storage: Storage, owner: str, migrations: Sequence[Migration]) -> list[str]:
    """Apply what was not applied yet, in order, each in a transaction with its mark.

    Marks that none of the migrations has (a newer version was here) are left alone.

    Returns:
        The ids that were applied now.

    Raises:
        MigrationFailed: A step raised, or two steps have one id.
        StorageFull: The disk is full.
    """
    _check_owner(owner)
    ids = [migration.id for migration in migrations]
    for id_ in ids:
        if ids.count(id_) > 1:
            raise MigrationFailed(owner, id_, ValueError("two migrations have this id"))
    marked = await storage.read(lambda transaction: applied(transaction.connection, owner))
    missing = [migration for migration in migrations if migration.id not in marked]
    for migration in missing:
        await storage.write(_step(owner, migration))
    return [migration.id for migration in missing]


def applied(connection: Connection, owner: str) -> set[str]:
    """The ids of an owner's migrations that this database has seen."""
    rows = connection.exec_driver_sql("SELECT id FROM core_migrations WHERE owner = ?", (owner,))
    return set(rows.scalars())


async def purge(
    storage: Storage, owner: str, *, also: Callable[[Transaction, list[str]], None] = lambda transaction, dropped: None
) -> list[str]:
    """Drop all that a plugin keeps in the database: tables, indexes, triggers, views, and its marks.

    Args:
        storage: The database.
        owner: The plugin.
        also: What is done in the same unit, with the names of what was dropped.

    Returns:
        The names of the tables and views that were dropped.

    Raises:
        ValueError: The owner is the core itself, or no plugin's name.
    """
    _check_owner(owner)
    if owner in _KEPT:
        raise ValueError(f"{owner!r} belongs to the core and is never purged")

    def work(transaction: Transaction) -> list[str]:
        dropped = _drop(transaction.connection, owner)
        also(transaction, dropped)
        return dropped

    return await storage.write(work)


def _step(owner: str, migration: Migration) -> Callable[[Transaction], None]:
    def work(transaction: Transaction) -> None:
        connection = transaction.connection
        try:
            migration.run(connection)
        except Exception as error:
            # A plugin's code: whatever it raises is its fault and has to name it. Only a full disk is not.
            if isinstance(error, Refused) or is_full(error):
                raise
            raise MigrationFailed(owner, migration.id, error) from error
        connection.exec_driver_sql(
            "INSERT INTO core_migrations (owner, id, applied_at) VALUES (?, ?, ?)",
            (owner, migration.id, to_microseconds(transaction.now)),
        )

    work.__qualname__ = f"migration {migration.id} of {owner}"
    return work


def _drop(connection: Connection, owner: str) -> list[str]:
    others = connection.exec_driver_sql("SELECT DISTINCT owner FROM core_migrations").scalars().all()
    # `chat` does not own the tables of a plugin named `chat_bridge`.
    longer = tuple(f"{other}_" for other in others if other.startswith(f"{owner}_"))
    quote = connection.dialect.identifier_preparer.quote_identifier

    def owned() -> list[tuple[str, str, bool]]:
        rows = connection.exec_driver_sql(
            "SELECT type, name, sql LIKE 'CREATE VIRTUAL %' FROM sqlite_master "
            "WHERE type IN ('table', 'view', 'trigger')"
        )
        return [
            (row[0], row[1], bool(row[2]))
            for row in rows
            if row[1].startswith(f"{owner}_") and not row[1].startswith(longer)
        ]

    # Rows may refer to each other in circles: all are deleted before the first table goes.
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    dropped: list[str] = []
    for kind, name, _ in owned():
        if kind in ("trigger", "view"):
            connection.exec_driver_sql(f"DROP {kind} IF EXISTS {quote(name)}")
            dropped += [name] if kind == "view" else []
    # A virtual table takes its shadow tables with it, which may not be dropped by themselves.
    for _, name, is_virtual in owned():
        if is_virtual:
            connection.exec_driver_sql(f"DROP TABLE {quote(name)}")
            dropped.append(name)
    tables = [name for _, name, _ in owned()]
    for name in tables:
        connection.exec_driver_sql(f"DELETE FROM {quote(name)}")  # noqa: S608 - a quoted name of our own schema
    for name in tables:
        connection.exec_driver_sql(f"DROP TABLE {quote(name)}")
    connection.exec_driver_sql("DELETE FROM core_migrations WHERE owner = ?", (owner,))
    return sorted(dropped + tables)


def _check_owner(owner: str) -> None:
    if _OWNER.fullmatch(owner) is None:
        raise ValueError(f"{owner!r} is no plugin's name: lower-case letters, digits and single underscores")
