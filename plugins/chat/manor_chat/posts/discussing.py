"""A thread as a list of posts: its root, and its replies in one direction."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_

from manor import Transaction
from manor_chat.posts.listing import View, show_list
from manor_chat.store.posts import Post, find_post, list_posts
from manor_chat.tables.posts import posts
from manor_chat.wire.posts import PostList

MOST = 1000
"""Replies at once, where not all are asked for."""


@dataclass(frozen=True)
class Excerpt:
    """Which of a thread's replies are wanted.

    Args:
        limit: How many, a thousand at most; 0 for all.
        is_upwards: Whether from the newest to the oldest; else the other way round.
        from_post: The reply behind which they begin.
        from_create_at: Its time, in milliseconds; alone it does as well.
    """

    limit: int = 0
    is_upwards: bool = True
    from_post: UUID | None = None
    from_create_at: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all replies are."""
        return not self.limit and self.from_post is None and not self.from_create_at


def discussion(transaction: Transaction, view: View, root: Post, part: Excerpt) -> PostList:
    """A thread, the newest post first; a part of it has its root first, and then its replies in the direction asked
    for, so that the last one is where the next part begins.
    """
    conditions = [posts.c.root_id == root.id, posts.c.original_id.is_(None)]
    if not view.with_deleted:
        conditions.append(posts.c.delete_at == 0)
    cursor = _cursor(transaction, root, part)
    if cursor is not None:
        conditions.append(cursor)
    columns = (posts.c.create_at, posts.c.sequence)
    order = [column.desc() for column in columns] if part.is_upwards else columns
    limit = min(part.limit, MOST)
    replies = list_posts(transaction, *conditions, order=order, limit=limit + 1 if limit else -1)
    has_next = bool(limit) and len(replies) > limit
    if has_next:
        replies = replies[:limit]
    whole = part.is_whole and part.is_upwards
    return show_list(transaction, view, [*replies, root] if whole else [root, *replies], has_next=has_next)


def _cursor(transaction: Transaction, root: Post, part: Excerpt) -> ColumnElement[bool] | None:
    """What comes behind the reply where they begin: by time, and by number where times are equal."""
    at, number = part.from_create_at, None
    if part.from_post is not None:
        found = find_post(transaction, part.from_post)
        if found is not None and (found.root_id or found.id) == root.id:
            at, number = found.create_at, found.sequence
    if not at:
        return None
    if part.is_upwards:
        earlier = posts.c.create_at < at
        return earlier if number is None else or_(earlier, and_(posts.c.create_at == at, posts.c.sequence < number))
    later = posts.c.create_at > at
    return later if number is None else or_(later, and_(posts.c.create_at == at, posts.c.sequence > number))
