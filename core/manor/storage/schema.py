"""The tables that storage itself needs, before anybody's migrations can run."""

from __future__ import annotations

from manor.clock import Clock
from manor.storage.engine import Desk
from manor.storage.times import to_microseconds

_MARK = ("core", "storage-0001")


def prepare(desk: Desk, clock: Clock) -> None:
    """Make them unless they are there; on the writer's thread, in one transaction."""
    handle = desk.handle
    handle.execute("BEGIN IMMEDIATE")
    handle.execute(
        "CREATE TABLE IF NOT EXISTS core_migrations (owner TEXT NOT NULL, id TEXT NOT NULL, "
        "applied_at BIGINT NOT NULL, PRIMARY KEY (owner, id)) WITHOUT ROWID"
    )
    if handle.execute("SELECT 1 FROM core_migrations WHERE owner = ? AND id = ?", _MARK).fetchone() is None:
        handle.execute("CREATE TABLE core_position (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL)")
        handle.execute("INSERT INTO core_position (id, value) VALUES (1, 0)")
        handle.execute("INSERT INTO core_migrations VALUES (?, ?, ?)", (*_MARK, to_microseconds(clock.now())))
    handle.execute("COMMIT")
