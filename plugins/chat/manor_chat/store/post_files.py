"""The files of posts, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from manor import Transaction
from manor_chat.store.posts import Post, portions
from manor_chat.tables.posts import files


def free_files(transaction: Transaction, user_id: UUID, channel_id: UUID, ids: Sequence[UUID]) -> list[UUID]:
    """Those of these files that somebody uploaded to a channel and that no post has yet, in the same order."""
    mine = (files.c.user_id == user_id) & (files.c.channel_id == channel_id)
    free = select(files.c.id).where(files.c.id.in_(ids), mine, files.c.post_id.is_(None), files.c.delete_at == 0)
    there = set(transaction.connection.execute(free).scalars())
    return [each for each in dict.fromkeys(ids) if each in there]


def give_files(transaction: Transaction, post: Post, ids: Collection[UUID]) -> None:
    """Have files belong to a post."""
    if ids:
        given = update(files).where(files.c.id.in_(ids)).values(post_id=post.id, update_at=post.update_at)
        transaction.connection.execute(given)


def drop_files(transaction: Transaction, ids: Collection[UUID], now: int) -> None:
    """Have files be deleted."""
    for some in portions(ids):
        transaction.connection.execute(update(files).where(files.c.id.in_(some)).values(delete_at=now, update_at=now))


def drop_files_of(transaction: Transaction, post_ids: Collection[UUID], now: int) -> None:
    """Have all files of posts be deleted."""
    for some in portions(post_ids):
        theirs = files.c.post_id.in_(some) & (files.c.delete_at == 0)
        transaction.connection.execute(update(files).where(theirs).values(delete_at=now, update_at=now))


def list_files_of(transaction: Transaction, post_id: UUID, *, deleted: bool) -> Sequence[Any]:
    """The files of a post, the first one first."""
    query = select(files).where(files.c.post_id == post_id).order_by(files.c.id)
    if not deleted:
        query = query.where(files.c.delete_at == 0)
    return transaction.connection.execute(query).all()
