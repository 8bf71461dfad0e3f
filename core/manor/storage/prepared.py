"""Statements for hot paths: SQLAlchemy words them once, the driver runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import JSON, BindParameter, Connection, Insert, Select, Table, Update, insert
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.types import TypeEngine

from manor.storage.ids import Id, read_id


class Prepared:
    """A statement that runs thousands of times a second.

    Measured: an INSERT of ten columns takes 57 µs through `Connection.execute`, 29 µs through `exec_driver_sql` and
    14 µs so, of which SQLite has 12. It runs in the connection's transaction; errors are the driver's own.

    Args:
        statement: What to run.
        names: Its values in the order in which `run` gets them: an INSERT's columns, or names of bound parameters.
    """

    def __init__(self, statement: Insert | Update | Select[Any], names: Sequence[str]) -> None:
        self._statement = statement
        self._names = list(names)
        self._worded: dict[str, _Worded] = {}

    def run(self, connection: Connection, *values: Any) -> DBAPICursor:
        """Run it.

        Args:
            connection: In a transaction.
            values: As the driver takes them: bytes for ids, microseconds for times.

        Returns:
            The driver's cursor: rows come as the driver gives them.
        """
        worded = self._worded.get(connection.dialect.name)
        if worded is None:
            worded = self._worded[connection.dialect.name] = _Worded(self._statement, self._names, connection)
        cursor = connection.connection.cursor()
        cursor.execute(worded.text, worded.arranged(values))
        return cursor

    def read(self, connection: Connection, *values: Any) -> list[dict[str, Any]]:
        """Run it, and give its rows by the names of their columns, as the types of these say.

        Measured: a row of twelve columns takes 273 µs through a statement that is made anew, 61 µs through a constant
        one and 20 µs so.

        Args:
            connection: In a transaction.
            values: As for `run`.
        """
        rows = self.run(connection, *values).fetchall()
        return [self._worded[connection.dialect.name].named(row) for row in rows]


MOST_ROWS = 64
"""Rows of one statement: more gain nothing, and each size is a statement of its own that SQLite keeps prepared."""


class PreparedRows:
    """Rows of one table, many at once: a statement for as many of them as may be.

    Measured, a row of eleven columns and four indexes, 64 in a transaction: 13 µs one by one, 9 µs through
    `executemany`, 6 µs so. The driver also hands over the interpreter's lock once for a statement and not for each row.

    Args:
        table: Where they go.
        names: The columns, in the order of a row's values.
        optional: Columns that are NULL when they are left out: where no row has a value they are.
    """

    def __init__(self, table: Table, names: Sequence[str], *, optional: Sequence[str] = ()) -> None:
        self._table = table
        self._names = tuple(names)
        self._optional = tuple(self._names.index(name) for name in optional)
        self._texts: dict[tuple[str, tuple[str, ...], int], str] = {}

    def add(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert them.

        Args:
            connection: In a transaction.
            rows: Values as the driver takes them. Of what it takes for a blob, a `bytearray` is quickest: for `bytes`
                and for None it looks for somebody who adapts them, each time, which is a microsecond.
        """
        names = self._names
        left_out = [index for index in self._optional if all(row[index] is None for row in rows)]
        if left_out:
            kept = [index for index in range(len(names)) if index not in left_out]
            pick = itemgetter(*kept)
            names, rows = pick(names), list(map(pick, rows))
        cursor = connection.connection.cursor()
        start, size = 0, MOST_ROWS
        while start < len(rows):
            while size > len(rows) - start:
                size //= 2
            values = list(chain.from_iterable(rows[start : start + size]))
            cursor.execute(self._text(connection, names, size), values)
            start += size

    def _text(self, connection: Connection, names: tuple[str, ...], size: int) -> str:
        key = connection.dialect.name, names, size
        text = self._texts.get(key)
        if text is None:
            one = str(insert(self._table).compile(dialect=connection.dialect, column_keys=list(names)))
            head, between, values = one.partition(" VALUES ")
            text = self._texts[key] = head + between + ", ".join([values] * size)
        return text


class _Worded:
    """A statement in one database's words."""

    __slots__ = ("_columns", "_is_as_given", "_names", "_picks", "text")

    def __init__(self, statement: Insert | Update | Select[Any], names: list[str], connection: Connection) -> None:
        columns = names if isinstance(statement, Insert) else None
        compiled = statement.compile(dialect=connection.dialect, column_keys=columns)
        self.text = str(compiled)
        wanted = list(compiled.binds) if compiled.positiontup is None else list(compiled.positiontup)
        self._names = None if compiled.positional else wanted
        # Constants of the statement are bound too; they stand in the compiled form.
        self._picks = [
            (names.index(name), None) if name in names else (-1, _bound(compiled.binds[name], connection))
            for name in wanted
        ]
        self._is_as_given = compiled.positional and wanted == names
        selected = statement.selected_columns.items() if isinstance(statement, Select) else ()
        self._columns = [(name, _reader(column.type, connection)) for name, column in selected]

    def named(self, row: Sequence[Any]) -> dict[str, Any]:
        """A row that the driver gave, by the names of its columns."""
        return {
            name: value if process is None or value is None else process(value)
            for (name, process), value in zip(self._columns, row, strict=True)
        }

    def arranged(self, values: tuple[Any, ...]) -> Any:
        """The values where the driver looks for them."""
        # See `PreparedRows.add`.
        values = tuple([bytearray(value) if type(value) is bytes else value for value in values])
        if self._is_as_given:
            return values
        picked = tuple(constant if index < 0 else values[index] for index, constant in self._picks)
        return picked if self._names is None else dict(zip(self._names, picked, strict=True))


def _reader(kind: TypeEngine[Any], connection: Connection) -> Callable[[Any], Any] | None:
    """What makes of a value of the driver, which is not None, one of the column's type."""
    if isinstance(kind, Id):
        return read_id
    if isinstance(kind, JSON):
        return msgspec.json.decode
    return kind.dialect_impl(connection.dialect).result_processor(connection.dialect, None)


def _bound(constant: BindParameter[Any], connection: Connection) -> Any:
    """A constant of a statement as the driver takes it."""
    process = constant.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return constant.effective_value if process is None else process(constant.effective_value)
