"""What a reply does to its thread, and to those who follow it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Select, insert, select, update

from manor import Transaction
from manor_chat.posts.notifying import Heard
from manor_chat.store.posts import Post
from manor_chat.tables.posts import posts, thread_members

if TYPE_CHECKING:
    from manor_chat.posts.creating import NewPost


def follow_reply(transaction: Transaction, reply: Post, root: Post, new: NewPost, heard: Heard) -> tuple[UUID, ...]:
    """Count a reply, have the root's author, its own author and those it names follow, and say who follows."""
    changed = (
        update(posts)
        .where(posts.c.id == root.id)
        .values(reply_count=posts.c.reply_count + 1, last_reply_at=reply.create_at, update_at=reply.create_at)
        .returning(posts.c.reply_count)
    )
    count: int = transaction.connection.execute(changed).scalar_one()
    known = {row.user_id: row for row in transaction.connection.execute(_members_of(root.id))}
    joining = {root.user_id, reply.user_id, *heard.explicitly} - known.keys()
    for user_id in sorted(joining):
        is_author = user_id == reply.user_id
        row = {
            "root_id": root.id,
            "user_id": user_id,
            "channel_id": root.channel_id,
            "following": True,
            "has_replied": is_author,
            "last_viewed_at": reply.create_at if is_author else 0,
            "seen_replies": count if is_author else count - 1,
            "unread_mentions": 1 if user_id in heard.explicitly else 0,
            "update_at": reply.create_at,
        }
        transaction.connection.execute(insert(thread_members).values(row))
    if reply.user_id in known:
        seen = {
            "following": True,
            "has_replied": True,
            "last_viewed_at": reply.create_at,
            "seen_replies": count,
            "unread_mentions": 0,
            "update_at": reply.create_at,
        }
        mine = (thread_members.c.root_id == root.id) & (thread_members.c.user_id == reply.user_id)
        transaction.connection.execute(update(thread_members).where(mine).values(seen))
    mentioned = heard.explicitly & known.keys()
    if mentioned:
        theirs = (thread_members.c.root_id == root.id) & thread_members.c.user_id.in_(mentioned)
        counted = {"unread_mentions": thread_members.c.unread_mentions + 1, "following": True}
        transaction.connection.execute(update(thread_members).where(theirs).values(counted))
    followers = {user_id for user_id, row in known.items() if row.following} | joining | mentioned | {reply.user_id}
    return tuple(sorted(followers))


def _members_of(root_id: UUID) -> Select[Any]:
    columns = (thread_members.c.user_id, thread_members.c.following)
    return select(*columns).where(thread_members.c.root_id == root_id)
