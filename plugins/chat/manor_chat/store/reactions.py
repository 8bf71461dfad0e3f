"""Reactions, as rows."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, insert, select

from manor import Transaction
from manor_chat.store.posts import portions
from manor_chat.tables.posts import reactions


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's reaction to a post; see the table."""

    post_id: UUID
    user_id: UUID
    emoji_name: str
    channel_id: UUID
    create_at: int


def reactions_of(transaction: Transaction, post_ids: Collection[UUID]) -> dict[UUID, list[Reaction]]:
    """Reactions by post, the oldest first; a post without any is left out."""
    found: dict[UUID, list[Reaction]] = {}
    for some in portions(post_ids):
        query = select(reactions).where(reactions.c.post_id.in_(some))
        query = query.order_by(reactions.c.create_at, reactions.c.user_id, reactions.c.emoji_name)
        for row in transaction.connection.execute(query).mappings():
            found.setdefault(row["post_id"], []).append(Reaction(**row))
    return found


def find_reaction(transaction: Transaction, post_id: UUID, user_id: UUID, emoji_name: str) -> Reaction | None:
    """Somebody's reaction of one name, if there is one."""
    query = select(reactions).where(
        reactions.c.post_id == post_id, reactions.c.user_id == user_id, reactions.c.emoji_name == emoji_name
    )
    row = transaction.connection.execute(query).mappings().one_or_none()
    return None if row is None else Reaction(**row)


def names_at(transaction: Transaction, post_id: UUID) -> set[str]:
    """The emoji that a post has."""
    query = select(reactions.c.emoji_name).where(reactions.c.post_id == post_id).distinct()
    return set(transaction.connection.execute(query).scalars())


def add_reaction(transaction: Transaction, reaction: Reaction) -> None:
    """Keep a new one."""
    transaction.connection.execute(insert(reactions).values(msgspec.structs.asdict(reaction)))


def drop_reaction(transaction: Transaction, reaction: Reaction) -> int:
    """Have it no more; how many the post still has."""
    this = (
        (reactions.c.post_id == reaction.post_id)
        & (reactions.c.user_id == reaction.user_id)
        & (reactions.c.emoji_name == reaction.emoji_name)
    )
    transaction.connection.execute(delete(reactions).where(this))
    left = select(func.count()).select_from(reactions).where(reactions.c.post_id == reaction.post_id)
    return transaction.connection.execute(left).scalar_one()
