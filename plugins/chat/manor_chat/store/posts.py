"""Posts as rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import insert, select, update

from manor import Transaction
from manor_chat.tables.posts import posts


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A post; see the table."""

    id: UUID
    channel_id: UUID
    user_id: UUID
    root_id: UUID | None = None
    original_id: UUID | None = None
    create_at: int
    update_at: int
    edit_at: int = 0
    delete_at: int = 0
    is_pinned: bool = False
    has_reactions: bool = False
    type: str = ""
    message: str = ""
    hashtags: str = ""
    props: dict[str, Any] = {}
    file_ids: list[str] = []
    sequence: int | None = None
    position: int | None = None
    reply_count: int = 0
    last_reply_at: int = 0


POST = [posts.c[name] for name in Post.__struct_fields__]


def find_post(transaction: Transaction, post_id: UUID) -> Post | None:
    """The post with this id, a deleted one too."""
    row = transaction.connection.execute(select(*POST).where(posts.c.id == post_id)).mappings().one_or_none()
    return None if row is None else Post(**row)


def find_posts(transaction: Transaction, ids: Collection[UUID]) -> dict[UUID, Post]:
    """Posts by id, deleted ones too; those that are not there are left out."""
    if not ids:
        return {}
    rows = transaction.connection.execute(select(*POST).where(posts.c.id.in_(ids))).mappings()
    return {row["id"]: Post(**row) for row in rows}


def add_post(transaction: Transaction, post: Post) -> None:
    """Keep a new post."""
    transaction.connection.execute(insert(posts).values(msgspec.structs.asdict(post)))


def change_post(transaction: Transaction, post: Post, **changes: Any) -> Post:
    """Store what is different about a post, and give it as it is now."""
    transaction.connection.execute(update(posts).where(posts.c.id == post.id).values(changes))
    return msgspec.structs.replace(post, **changes)
