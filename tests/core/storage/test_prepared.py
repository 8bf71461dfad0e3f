"""Prepared statements: worded once, and the same rows as SQLAlchemy's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)

from manor import Id, Prepared, PreparedRows, Time, new_id, to_microseconds

THINGS = Table(
    "things",
    MetaData(),
    Column("id", Id, primary_key=True),
    Column("name", String),
    Column("is_new", Boolean, nullable=False),
    Column("props", JSON, nullable=False),
    Column("made_at", Time, nullable=False),
    Column("count", Integer, nullable=False),
)
NOW = datetime(2030, 1, 2, 12, tzinfo=UTC)
KEY = new_id()


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.connect() as opened:
        THINGS.create(opened)
        row = {"id": KEY, "name": None, "is_new": True, "props": {"a": [1]}, "made_at": NOW, "count": 1}
        opened.execute(insert(THINGS).values(row))
        yield opened
    engine.dispose()


def test_rows_are_read_as_the_columns_types_say(connection: Connection) -> None:
    one = Prepared(select(THINGS).where(THINGS.c.id == bindparam("key")), ["key"])

    assert one.read(connection, KEY.bytes) == [
        {"id": KEY, "name": None, "is_new": True, "props": {"a": [1]}, "made_at": NOW, "count": 1}
    ]
    assert one.read(connection, new_id().bytes) == []


def test_columns_have_the_names_that_the_statement_gives_them(connection: Connection) -> None:
    renamed = Prepared(select(THINGS.c.id.label("thing"), THINGS.c.count).where(THINGS.c.count == 1), [])
    assert renamed.read(connection) == [{"thing": KEY, "count": 1}]


def test_values_stand_where_the_statement_wants_them(connection: Connection) -> None:
    changed = update(THINGS).where(THINGS.c.id == bindparam("key"), THINGS.c.is_new)
    count = Prepared(
        changed.values(count=THINGS.c.count + bindparam("more"), name="counted").returning(THINGS.c.count),
        ["key", "more"],
    )
    assert count.run(connection, KEY.bytes, 4).fetchall() == [(5,)]
    assert count.run(connection, new_id().bytes, 4).fetchall() == []
    assert connection.execute(select(THINGS.c.name)).scalar_one() == "counted"


def test_constants_are_bound_as_their_types_say(connection: Connection) -> None:
    where = (THINGS.c.id == KEY, THINGS.c.made_at == NOW, THINGS.c.props["a"][0].as_integer() == 1)
    assert Prepared(select(THINGS.c.count).where(*where), []).read(connection) == [{"count": 1}]


def test_a_row_is_inserted_column_by_column(connection: Connection) -> None:
    add = Prepared(insert(THINGS), [column.name for column in THINGS.c])
    other = new_id()
    add.run(connection, other.bytes, "b", False, "{}", to_microseconds(NOW), 2)
    (row,) = connection.execute(select(THINGS).where(THINGS.c.id == other)).mappings()
    assert dict(row) == {"id": other, "name": "b", "is_new": False, "props": {}, "made_at": NOW, "count": 2}


def test_many_rows_are_the_same_as_one_by_one(connection: Connection) -> None:
    rows = PreparedRows(THINGS, ["id", "name", "is_new", "props", "made_at", "count"], optional=["name"])
    ids = [new_id() for _ in range(131)]
    given = [
        (bytearray(id_.bytes), None if number % 2 else f"n{number}", 1, "[]", to_microseconds(NOW), number)
        for number, id_ in enumerate(ids)
    ]

    rows.add(connection, given)
    rows.add(connection, [])
    rows.add(connection, [(bytearray(new_id().bytes), None, 0, "[]", to_microseconds(NOW), 200)])

    found = connection.execute(select(THINGS).where(THINGS.c.count != 1).order_by(THINGS.c.count)).all()
    assert [row.id for row in found[:-1]] == [id_ for number, id_ in enumerate(ids) if number != 1]
    assert [row.name for row in found] == [None if n % 2 else f"n{n}" for n in (0, *range(2, 131))] + [None]
    assert {row.made_at for row in found} == {NOW}
