"""Tables of the statistics, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, MetaData, String, Table, delete, func, literal, select, type_coerce
from sqlalchemy.dialects.sqlite import insert

from manor import Time, Transaction, to_microseconds
from manor_stream.broadcast.store import broadcasts
from manor_stream.watching.hardware import Value

KEPT = timedelta(days=30)

MOST_VALUES = 1440
"""Of one answer; a longer time is told in longer steps, each by its highest value."""

BATCH = 500

MINUTE = 60_000_000
"""In microseconds, as the table has times."""

metadata = MetaData()

peaks = Table(
    "stream_viewer_peaks",
    metadata,
    Column("name", String, primary_key=True),
    Column("viewers", BigInteger, nullable=False),
)
"""The most viewers there were: `overall`, and `session` of the last broadcast."""

samples = Table(
    "stream_viewer_samples",
    metadata,
    Column("time", Time, primary_key=True),
    Column("viewers", BigInteger, nullable=False),
)
"""How many there were, minute by minute while something was on."""


def find_peaks(transaction: Transaction) -> dict[str, int]:
    """What was kept, by name."""
    return {row.name: row.viewers for row in transaction.connection.execute(select(peaks))}


def keep_peaks(transaction: Transaction, values: Mapping[str, int]) -> None:
    """Replace what was kept."""
    statement = insert(peaks)
    transaction.connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"viewers": statement.excluded.viewers}),
        [{"name": name, "viewers": viewers} for name, viewers in values.items()],
    )


def add_sample(transaction: Transaction, viewers: int) -> None:
    """Note how many there are now, and forget some of what is too old."""
    statement = insert(samples).values(time=transaction.now, viewers=viewers)
    transaction.connection.execute(statement.on_conflict_do_update(index_elements=["time"], set_={"viewers": viewers}))
    old = select(samples.c.time).where(samples.c.time < transaction.now - KEPT).limit(BATCH)
    transaction.connection.execute(delete(samples).where(samples.c.time.in_(old)))


def find_last_end(transaction: Transaction) -> datetime | None:
    """When the last broadcast ended; one that nobody ended does so now."""
    ended_at = func.coalesce(broadcasts.c.ended_at, literal(transaction.now, Time), type_=Time)
    found: datetime | None = transaction.connection.execute(select(func.max(ended_at, type_=Time))).scalar_one()
    return found


def find_samples(transaction: Transaction, since: datetime) -> list[Value]:
    """How many there were from then on, oldest first."""
    since = max(since, transaction.now - KEPT)
    span = to_microseconds(transaction.now) - to_microseconds(since)
    step = max(MINUTE, -(-span // MOST_VALUES))
    time = func.min(samples.c.time, type_=Time)
    rows = transaction.connection.execute(
        select(time.label("time"), func.max(samples.c.viewers).label("viewers"))
        .where(samples.c.time >= since)
        .group_by(type_coerce(samples.c.time, BigInteger) // step)
        .order_by(time)
    )
    return [Value(row.time, row.viewers) for row in rows]
