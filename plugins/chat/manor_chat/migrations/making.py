"""Making tables in a step."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Table
from sqlalchemy.schema import CreateIndex, CreateTable


def making(*tables: Table) -> Callable[[Connection], None]:
    """A step that makes these tables with their indexes."""

    def run(connection: Connection) -> None:
        for table in tables:
            connection.execute(CreateTable(table))
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                connection.execute(CreateIndex(index))

    return run
