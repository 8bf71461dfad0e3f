"""Lists as one bound value, so that a statement reads the same however long the list is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, func, select


def among(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """That a column has one of the texts in the list that is bound as `name`; see `listed`.

    SQLite's `json_each`; the one place that says so.
    """
    listed_: Select[Any] = select(func.json_each(bindparam(name)).table_valued("value").c.value)
    return column.in_(listed_)


def listed(texts: Collection[str]) -> str:
    """What `among` is given."""
    return msgspec.json.encode(list(texts)).decode()
