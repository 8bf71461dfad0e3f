from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from sqlalchemy.exc import StatementError
from sqlalchemy.schema import CreateTable

from manor.storage import Id, Storage, Time, Transaction, from_microseconds, new_id, to_microseconds

seen = Table(
    "seen_seen",
    MetaData(),
    Column("number", Integer, primary_key=True),
    Column("at", Time),
    Column("by", Id),
)


@given(st.datetimes(timezones=st.just(UTC)))
def test_no_microsecond_is_lost(moment: datetime) -> None:
    assert from_microseconds(to_microseconds(moment)) == moment


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        to_microseconds(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


async def test_times_and_ids_come_back_as_they_went_in(storage: Storage) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5)))
    someone = new_id()

    def work(transaction: Transaction) -> None:
        transaction.connection.execute(CreateTable(seen))
        rows: list[dict[str, object]] = [{"at": moment, "by": someone}, {"at": None, "by": None}]
        transaction.connection.execute(insert(seen), rows)

    def look(transaction: Transaction) -> list[tuple[object, ...]]:
        return [tuple(row) for row in transaction.connection.execute(select(seen).order_by(seen.c.number))]

    await storage.write(work)
    (_, at, by), (_, *nothing) = await storage.read(look)
    assert (at, by, nothing) == (moment, someone, [None, None])
    assert isinstance(at, datetime)
    assert at.tzinfo is UTC


async def test_a_naive_time_reaches_no_table(storage: Storage) -> None:
    def work(transaction: Transaction) -> None:
        transaction.connection.execute(CreateTable(seen))
        transaction.connection.execute(insert(seen), {"at": datetime(2026, 1, 1)})  # noqa: DTZ001 - the point

    with pytest.raises(StatementError, match="without a zone"):
        await storage.write(work)
