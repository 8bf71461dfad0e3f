"""Rings in the database: plain functions that take the connection of a transaction."""

from collections.abc import Sequence
from datetime import datetime

from manor import Id, Time
from sqlalchemy import Column, Connection, MetaData, Table, Text, delete, insert, select

from manor_doorbell.domain import Ring

metadata = MetaData()

rings = Table(
    "doorbell_rings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("door", Text, nullable=False),
    Column("rung_at", Time, nullable=False),
)


def add_ring(connection: Connection, ring: Ring) -> None:
    """Remember a ring."""
    connection.execute(insert(rings).values(id=ring.id, door=ring.door, rung_at=ring.rung_at))


def newest_rings(connection: Connection, door: str, *, limit: int) -> Sequence[Ring]:
    """A door's rings, the newest first."""
    newest_first = (rings.c.rung_at.desc(), rings.c.id.desc())
    rows = connection.execute(select(rings).where(rings.c.door == door).order_by(*newest_first).limit(limit))
    return [Ring(id=row.id, door=row.door, rung_at=row.rung_at) for row in rows]


def forget_rings(connection: Connection, *, before: datetime) -> int:
    """Delete the rings from before a moment; returns how many there were."""
    return connection.execute(delete(rings).where(rings.c.rung_at < before)).rowcount
