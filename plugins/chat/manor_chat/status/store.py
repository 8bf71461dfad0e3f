"""Statuses as rows."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select

from manor import Transaction, users_table
from manor_chat.presence import Status
from manor_chat.tables.personal import preferences, statuses

_STATUS = [statuses.c[name] for name in Status.__struct_fields__]


def read_statuses(transaction: Transaction) -> dict[UUID, Status]:
    """Everybody's."""
    rows = transaction.connection.execute(select(statuses.c.user_id, *_STATUS)).mappings()
    return {row["user_id"]: Status(**{name: row[name] for name in Status.__struct_fields__}) for row in rows}


def write_statuses(transaction: Transaction, changed: Sequence[tuple[UUID, Status]]) -> None:
    """Keep these, in place of what was kept of the same people; those who are gone have none."""
    ids = [user_id for user_id, _ in changed]
    there = set(transaction.connection.execute(select(users_table.c.id).where(users_table.c.id.in_(ids))).scalars())
    transaction.connection.execute(delete(statuses).where(statuses.c.user_id.in_(ids)))
    rows = [{"user_id": user_id, **msgspec.structs.asdict(each)} for user_id, each in changed if user_id in there]
    if rows:
        transaction.connection.execute(insert(statuses), rows)


def find_preference(transaction: Transaction, user_id: UUID, category: str, name: str) -> str:
    """A preference's value; "" for none."""
    mine = (preferences.c.user_id == user_id) & (preferences.c.category == category) & (preferences.c.name == name)
    found = transaction.connection.execute(select(preferences.c.value).where(mine)).scalar_one_or_none()
    return found or ""


def put_preference(transaction: Transaction, user_id: UUID, category: str, name: str, value: str) -> None:
    """Set a preference."""
    mine = (preferences.c.user_id == user_id) & (preferences.c.category == category) & (preferences.c.name == name)
    transaction.connection.execute(delete(preferences).where(mine))
    row = {"user_id": user_id, "category": category, "name": name, "value": value}
    transaction.connection.execute(insert(preferences).values(row))
