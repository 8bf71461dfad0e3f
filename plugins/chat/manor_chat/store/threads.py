"""Who follows threads, as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Select, bindparam, delete, exists, insert, select, text, update

from manor import Prepared, Transaction
from manor_chat.store.posts import portions
from manor_chat.tables.channels import channel_members
from manor_chat.tables.posts import posts, thread_members


class ThreadMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a thread, and what they have read of it; see the table."""

    root_id: UUID
    user_id: UUID
    channel_id: UUID
    following: bool = True
    has_replied: bool = False
    last_viewed_at: int = 0
    seen_replies: int = 0
    unread_mentions: int = 0
    update_at: int

    def unread_replies(self, reply_count: int) -> int:
        """How many of a thread's replies they have not read."""
        return max(reply_count - self.seen_replies, 0)


THREAD_MEMBER = [thread_members.c[name] for name in ThreadMember.__struct_fields__]
_OF_THREAD = Prepared(
    select(*THREAD_MEMBER)
    .where(thread_members.c.root_id == bindparam("root"))
    .order_by(thread_members.c.update_at, thread_members.c.user_id),
    ["root"],
)
_REPLIED = Prepared(
    update(posts)
    .where(posts.c.id == bindparam("root"))
    .values(reply_count=posts.c.reply_count + 1, last_reply_at=bindparam("now"), update_at=bindparam("now"))
    .returning(posts.c.reply_count),
    ["now", "root"],
)


def count_reply(transaction: Transaction, root_id: UUID, now: int) -> int:
    """Give a root one reply more; how many it has then."""
    ((count,),) = _REPLIED.run(transaction.connection, now, root_id.bytes).fetchall()
    return int(count)


def members_of_thread(transaction: Transaction, root_id: UUID) -> dict[UUID, ThreadMember]:
    """All who follow a thread, have followed it or wrote in it."""
    rows = _OF_THREAD.read(transaction.connection, root_id.bytes)
    return {row["user_id"]: ThreadMember(**row) for row in rows}


def find_thread_member(transaction: Transaction, root_id: UUID, user_id: UUID) -> ThreadMember | None:
    """Somebody's part in a thread, if they have one."""
    query = select(*THREAD_MEMBER).where(_is(root_id, user_id))
    row = transaction.connection.execute(query).mappings().one_or_none()
    return None if row is None else ThreadMember(**row)


def add_thread_members(transaction: Transaction, members: Sequence[ThreadMember]) -> None:
    """Keep new ones."""
    if members:
        transaction.connection.execute(insert(thread_members), [msgspec.structs.asdict(each) for each in members])


def change_thread_member(transaction: Transaction, member: ThreadMember, **changes: Any) -> ThreadMember:
    """Store what is different about somebody's part in a thread, and give it as it is now."""
    statement = update(thread_members).where(_is(member.root_id, member.user_id)).values(changes)
    transaction.connection.execute(statement)
    return msgspec.structs.replace(member, **changes)


_REPLIED_AGAIN = Prepared(
    update(thread_members)
    .where(thread_members.c.root_id == bindparam("root"), thread_members.c.user_id == bindparam("user"))
    .values(
        following=True,
        has_replied=True,
        last_viewed_at=bindparam("now"),
        seen_replies=bindparam("count"),
        unread_mentions=0,
        update_at=bindparam("now"),
    ),
    ["now", "count", "root", "user"],
)


def note_reply(transaction: Transaction, member: ThreadMember, now: int, reply_count: int) -> ThreadMember:
    """Whoever replies follows the thread and has read it; they are in it already. Gives them as they are now."""
    _REPLIED_AGAIN.run(transaction.connection, now, reply_count, member.root_id.bytes, member.user_id.bytes)
    return msgspec.structs.replace(
        member,
        following=True,
        has_replied=True,
        last_viewed_at=now,
        seen_replies=reply_count,
        unread_mentions=0,
        update_at=now,
    )


def mention_in_thread(transaction: Transaction, root_id: UUID, user_ids: Collection[UUID]) -> None:
    """Have people who are in a thread follow it, with one unread mention more."""
    changes = {"unread_mentions": thread_members.c.unread_mentions + 1, "following": True}
    for some in portions(user_ids):
        theirs = (thread_members.c.root_id == root_id) & thread_members.c.user_id.in_(some)
        transaction.connection.execute(update(thread_members).where(theirs).values(changes))


def forget_thread(transaction: Transaction, root_id: UUID) -> None:
    """Nobody is in a thread any more."""
    transaction.connection.execute(delete(thread_members).where(thread_members.c.root_id == root_id))


_AUTO_FOLLOWERS = text(
    "SELECT user_id FROM chat_channel_members WHERE channel_id = :channel_id"
    " AND json_extract(notify_props, '$.channel_auto_follow_threads') = 'on'"
)
"""The condition is that of the index `chat_channel_members_auto_follow`, to the letter: nobody else is looked at."""


def auto_followers(transaction: Transaction, channel_id: UUID) -> list[UUID]:
    """The members of a channel who follow each of its threads."""
    rows = transaction.connection.execute(_AUTO_FOLLOWERS, {"channel_id": channel_id.bytes})
    return [UUID(bytes=row.user_id) for row in rows]


def _is(root_id: UUID, user_id: UUID) -> ColumnElement[bool]:
    return (thread_members.c.root_id == root_id) & (thread_members.c.user_id == user_id)


def unfollow_from_outside(transaction: Transaction, channel_ids: Select[Any], user_id: UUID | None = None) -> None:
    """Have nobody follow the threads of channels that they are not in: they may not read these any more.

    Args:
        transaction: A writing one.
        channel_ids: Which channels.
        user_id: Who alone; None for everybody.
    """
    inside = exists().where(
        channel_members.c.channel_id == thread_members.c.channel_id,
        channel_members.c.user_id == thread_members.c.user_id,
    )
    outside = thread_members.c.channel_id.in_(channel_ids) & thread_members.c.following & ~inside
    theirs = outside if user_id is None else outside & (thread_members.c.user_id == user_id)
    transaction.connection.execute(update(thread_members).where(theirs).values(following=False))
