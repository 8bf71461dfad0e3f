"""How people arranged their channels, as rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select, tuple_

from manor import Transaction
from manor_chat.domain.categories import Category, sort_orders
from manor_chat.tables.sidebar import sidebar_categories, sidebar_channels

_CATEGORY = [sidebar_categories.c[name] for name in Category.__dataclass_fields__]


def stored_categories(transaction: Transaction, user_id: UUID, team_id: UUID) -> list[Category]:
    """The categories that somebody changed something about, with all others that they have, in their order."""
    mine = (sidebar_categories.c.user_id == user_id) & (sidebar_categories.c.team_id == team_id)
    query = select(*_CATEGORY).where(mine).order_by(sidebar_categories.c.sort_order)
    return [Category(**row) for row in transaction.connection.execute(query).mappings()]


def store_categories(transaction: Transaction, user_id: UUID, team_id: UUID, categories: Sequence[Category]) -> None:
    """Keep all of somebody's categories, in this order, in place of those that are kept."""
    mine = (sidebar_categories.c.user_id == user_id) & (sidebar_categories.c.team_id == team_id)
    transaction.connection.execute(delete(sidebar_categories).where(mine))
    orders, whose = sort_orders(categories), {"user_id": user_id, "team_id": team_id}
    rows = [asdict(each) | whose | {"sort_order": orders[each.id]} for each in categories]
    transaction.connection.execute(insert(sidebar_categories), rows)


def put_channels(transaction: Transaction, user_id: UUID, team_id: UUID) -> dict[UUID, tuple[str, int]]:
    """Where somebody put channels: the category's id and the place in it."""
    columns = (sidebar_channels.c.channel_id, sidebar_channels.c.category_id, sidebar_channels.c.sort_order)
    rows = transaction.connection.execute(select(*columns).where(_mine(user_id, team_id)))
    return {row.channel_id: (row.category_id, row.sort_order) for row in rows}


def put(
    transaction: Transaction,
    user_id: UUID,
    team_id: UUID,
    places: Mapping[UUID, tuple[str, int]],
    *,
    nowhere: Collection[UUID] = (),
) -> None:
    """Put channels into categories.

    Args:
        transaction: The caller's.
        user_id: Whose they are.
        team_id: In which team.
        places: The category's id and the place in it, by channel.
        nowhere: Channels that are put nowhere from now on.
    """
    moved = {*places, *nowhere}
    if moved:
        theirs = _mine(user_id, team_id) & sidebar_channels.c.channel_id.in_(moved)
        transaction.connection.execute(delete(sidebar_channels).where(theirs))
    if places:
        whose = {"user_id": user_id, "team_id": team_id}
        rows = [
            {**whose, "channel_id": channel_id, "category_id": category_id, "sort_order": order}
            for channel_id, (category_id, order) in places.items()
        ]
        transaction.connection.execute(insert(sidebar_channels), rows)


def forget_category(transaction: Transaction, user_id: UUID, team_id: UUID, category_id: str) -> None:
    """Have nothing in a category that is deleted."""
    theirs = _mine(user_id, team_id) & (sidebar_channels.c.category_id == category_id)
    transaction.connection.execute(delete(sidebar_channels).where(theirs))


def teams_with_sidebar(transaction: Transaction, user_id: UUID) -> Sequence[UUID]:
    """The teams in which somebody has arranged anything."""
    query = select(sidebar_categories.c.team_id).where(sidebar_categories.c.user_id == user_id).distinct()
    return transaction.connection.execute(query.order_by(sidebar_categories.c.team_id)).scalars().all()


def remove_some(transaction: Transaction, user_id: UUID, limit: int) -> int:
    """Remove at most so many rows of somebody's; how many are gone."""
    gone = 0
    for table in (sidebar_channels, sidebar_categories):
        key = tuple_(*table.primary_key)
        some = select(*table.primary_key).where(table.c.user_id == user_id).limit(limit - gone)
        gone += transaction.connection.execute(delete(table).where(key.in_(some))).rowcount
    return gone


def _mine(user_id: UUID, team_id: UUID) -> ColumnElement[bool]:
    return (sidebar_channels.c.user_id == user_id) & (sidebar_channels.c.team_id == team_id)
