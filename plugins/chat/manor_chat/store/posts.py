"""Posts as rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import Select, bindparam, insert, select, update

from manor import Prepared, Transaction
from manor_chat.tables.posts import posts

T = TypeVar("T")
AT_ONCE = 500
"""Values in one statement: databases bind no more than some thousands."""


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
_ONE = Prepared(select(*POST).where(posts.c.id == bindparam("post_id")), ["post_id"])
_ADD = Prepared(insert(posts), Post.__struct_fields__)


def portions(values: Collection[T]) -> Iterator[list[T]]:
    """Values in lists that one statement takes."""
    rest = iter(values)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def find_post(transaction: Transaction, post_id: UUID) -> Post | None:
    """The post with this id, a deleted one too."""
    rows = _ONE.read(transaction.connection, post_id.bytes)
    return Post(**rows[0]) if rows else None


def find_posts(transaction: Transaction, ids: Collection[UUID]) -> dict[UUID, Post]:
    """Posts by id, deleted ones too; those that are not there are left out."""
    return {post.id: post for some in portions(ids) for post in list_posts(transaction, posts.c.id.in_(some))}


def list_posts(
    transaction: Transaction, *conditions: Any, order: Sequence[Any] = (), limit: int = -1, offset: int = 0
) -> list[Post]:
    """Posts for which all conditions hold.

    Args:
        transaction: The caller's.
        conditions: On columns of the table.
        order: What they are ordered by.
        limit: How many at most; -1 for all.
        offset: Behind how many.
    """
    query = select(*POST).where(*conditions).order_by(*order)
    return read_posts(transaction, query if limit < 0 else query.limit(limit).offset(offset))


def read_posts(transaction: Transaction, query: Select[Any]) -> list[Post]:
    """The posts of a query for the columns `POST`."""
    # By their places: reading names from each row costs more than all else about it.
    names = Post.__struct_fields__
    return [Post(**dict(zip(names, row, strict=True))) for row in transaction.connection.execute(query)]


def add_post(transaction: Transaction, post: Post) -> None:
    """Keep a new post."""
    _ADD.run(
        transaction.connection,
        post.id.bytes,
        post.channel_id.bytes,
        post.user_id.bytes,
        None if post.root_id is None else post.root_id.bytes,
        None if post.original_id is None else post.original_id.bytes,
        post.create_at,
        post.update_at,
        post.edit_at,
        post.delete_at,
        post.is_pinned,
        post.has_reactions,
        post.type,
        post.message,
        post.hashtags,
        msgspec.json.encode(post.props).decode() if post.props else "{}",
        msgspec.json.encode(post.file_ids).decode() if post.file_ids else "[]",
        post.sequence,
        post.position,
        post.reply_count,
        post.last_reply_at,
    )


def change_post(transaction: Transaction, post: Post, **changes: Any) -> Post:
    """Store what is different about a post, and give it as it is now."""
    transaction.connection.execute(update(posts).where(posts.c.id == post.id).values(changes))
    return msgspec.structs.replace(post, **changes)
