"""The doorbell's tables, step by step. A step that was released is never changed: add another one."""

from manor import Migration
from sqlalchemy import Connection, text


def make_rings(connection: Connection) -> None:
    """The table of rings."""
    connection.execute(
        text("CREATE TABLE doorbell_rings (id BLOB PRIMARY KEY, door TEXT NOT NULL, rung_at INTEGER NOT NULL)")
    )
    connection.execute(text("CREATE INDEX doorbell_rings_by_door ON doorbell_rings (door, rung_at)"))


MIGRATIONS = [Migration("0001_rings", make_rings)]
