"""What people prefer, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert as upsert

from manor import Transaction
from manor_chat.tables.personal import preferences

FLAGGED_POST = "flagged_post"


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of one person."""

    category: str
    name: str
    value: str = ""


def list_preferences(
    transaction: Transaction, user_id: UUID, *, category: str | None = None, name: str | None = None
) -> list[Preference]:
    """Somebody's preferences: all, or those of a category, or one of them."""
    query = select(preferences.c.category, preferences.c.name, preferences.c.value)
    query = query.where(preferences.c.user_id == user_id)
    if category is not None:
        query = query.where(preferences.c.category == category)
    if name is not None:
        query = query.where(preferences.c.name == name)
    rows = transaction.connection.execute(query.order_by(preferences.c.category, preferences.c.name)).mappings()
    return [Preference(**row) for row in rows]


def set_preferences(transaction: Transaction, user_id: UUID, wanted: Sequence[Preference]) -> None:
    """Keep preferences, in place of what they were."""
    statement = upsert(preferences)
    changed = statement.on_conflict_do_update(
        index_elements=["user_id", "category", "name"], set_={"value": statement.excluded.value}
    )
    rows = {(each.category, each.name): msgspec.structs.asdict(each) | {"user_id": user_id} for each in wanted}
    if rows:
        transaction.connection.execute(changed, list(rows.values()))


_DELETE = delete(preferences).where(
    preferences.c.user_id == bindparam("whose"),
    preferences.c.category == bindparam("of_category"),
    preferences.c.name == bindparam("called"),
)


def delete_preferences(transaction: Transaction, user_id: UUID, unwanted: Collection[Preference]) -> None:
    """Forget preferences; those that are not there are none."""
    rows = [{"whose": user_id, "of_category": each.category, "called": each.name} for each in unwanted]
    if rows:
        transaction.connection.execute(_DELETE, rows)
