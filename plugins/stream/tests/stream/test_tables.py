"""Tables as the code asks them are those that the migrations made: each says it in its own words, on purpose."""

from __future__ import annotations

from sqlalchemy import Connection, MetaData, Table
from sqlalchemy.schema import CreateTable

from manor import Transaction
from manor.testing import House
from manor_stream import settings
from manor_stream.broadcast import store as broadcasts
from manor_stream.chat import tables as chat
from manor_stream.hls import numbering
from manor_stream.watching import store as statistics
from manor_stream.webhooks import store as webhooks

DESCRIBED = [settings, broadcasts, chat, numbering, statistics, webhooks]


def columns_of(connection: Connection, table: str) -> set[tuple[object, ...]]:
    """Name, type, whether it has to be there, and its place in the key."""
    return {tuple(row)[1:4] + tuple(row)[5:] for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")}


def described(connection: Connection, table: Table) -> set[tuple[object, ...]]:
    """The same of what the code says, made for a moment."""
    name = "stream_described_for_a_moment"
    connection.execute(CreateTable(table.to_metadata(MetaData(), name=name)))
    found = columns_of(connection, name)
    connection.exec_driver_sql(f"DROP TABLE {name}")
    return found


async def test_every_table_is_what_the_code_takes_it_for(house: House) -> None:
    tables = [table for module in DESCRIBED for table in module.metadata.sorted_tables]

    def work(transaction: Transaction) -> None:
        connection = transaction.connection
        for table in tables:
            assert columns_of(connection, table.name) == described(connection, table), table.name

    await house.storage.write(work)


async def test_no_table_is_left_out(house: House) -> None:
    asked = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'stream\\_%' ESCAPE '\\'"
    found = await house.storage.read(lambda transaction: set(transaction.connection.exec_driver_sql(asked).scalars()))

    assert found == {table.name for module in DESCRIBED for table in module.metadata.sorted_tables}
