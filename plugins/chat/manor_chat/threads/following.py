"""Following threads, and having read them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update

from manor import Transaction
from manor_chat import faults
from manor_chat.domain.attachments import spoken
from manor_chat.domain.mentions import is_about, mentioned_in
from manor_chat.ids import shown_id
from manor_chat.posts.notifying import wishes_of
from manor_chat.rights import Rights
from manor_chat.store.channels import find_channel, find_member
from manor_chat.store.people import find_person
from manor_chat.store.posts import Post, list_posts
from manor_chat.store.threads import ThreadMember, add_thread_members, change_thread_member, find_thread_member
from manor_chat.tables.channels import channels
from manor_chat.tables.posts import posts, thread_members
from manor_chat.telling import tell
from manor_chat.threads.reading import followed, root_of
from manor_chat.times import to_milliseconds

MOST_LOOKED_AT = 1000
"""Replies in which mentions are looked for; whoever has more unread has enough."""


def follow(
    transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID, post_id: UUID, *, following: bool
) -> None:
    """Have somebody follow a thread, who has read it then; or not follow it.

    Raises:
        NotFound: 404: there is no such thread.
        Forbidden: 403: they may not read it.
    """
    root = root_of(transaction, rights, post_id)
    _set_following(transaction, root, user_id, following=following)
    data = {"thread_id": shown_id(root.id), "state": following, "reply_count": root.reply_count}
    tell(transaction, "thread_follow_changed", data, user_id=user_id, team_id=team_id)


def _set_following(transaction: Transaction, root: Post, user_id: UUID, *, following: bool) -> ThreadMember:
    now = to_milliseconds(transaction.now)
    member = find_thread_member(transaction, root.id, user_id)
    seen: dict[str, Any] = {"last_viewed_at": now, "seen_replies": root.reply_count, "unread_mentions": 0}
    if member is None:
        member = ThreadMember(
            root_id=root.id, user_id=user_id, channel_id=root.channel_id, following=following, update_at=now, **seen
        )
        add_thread_members(transaction, [member])
        return member
    if member.following == following:
        return member
    changes = {"following": following, "update_at": now} | (seen if following else {})
    return change_thread_member(transaction, member, **changes)


def read_until(
    transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID, post_id: UUID, timestamp: int
) -> None:
    """Have somebody have read a thread until a time; a client whose clock is fast means now.

    Raises:
        NotFound: 404: there is no such thread, or they do not follow it.
        Forbidden: 403: the caller may not read it.
    """
    root, member = followed(transaction, rights, user_id, post_id)
    _set_viewed(transaction, root, member, team_id, min(timestamp, to_milliseconds(transaction.now)))


def unread_from(
    transaction: Transaction, rights: Rights, user_id: UUID, team_id: UUID, root_id: UUID, post_id: UUID
) -> None:
    """Have somebody not have read a post of a thread, nor what came after it; they follow it then.

    Raises:
        BadRequest: 400: the post is none of the thread.
        NotFound: 404: there is no such thread.
        Forbidden: 403: the caller may not read it.
    """
    root = root_of(transaction, rights, root_id)
    post, _ = rights.readable_post(post_id)
    if (post.root_id or post.id) != root.id:
        raise faults.bad_url_param("post_id")
    member = _set_following(transaction, root, user_id, following=True)
    _set_viewed(transaction, root, member, team_id, post.create_at - 1)


def read_all(transaction: Transaction, user_id: UUID, team_id: UUID) -> None:
    """Have somebody have read all their threads in a team and in channels of people."""
    now = to_milliseconds(transaction.now)
    here = select(channels.c.id).where(or_(channels.c.team_id == team_id, channels.c.team_id.is_(None)))
    count = select(posts.c.reply_count).where(posts.c.id == thread_members.c.root_id).scalar_subquery()
    theirs = (thread_members.c.user_id == user_id) & thread_members.c.following
    unread = or_(thread_members.c.seen_replies < count, thread_members.c.unread_mentions > 0)
    seen = {
        "seen_replies": func.coalesce(count, thread_members.c.seen_replies),
        "unread_mentions": 0,
        "last_viewed_at": now,
        "update_at": now,
    }
    statement = update(thread_members).where(theirs, thread_members.c.channel_id.in_(here), unread).values(seen)
    transaction.connection.execute(statement)
    tell(transaction, "thread_read_changed", {"timestamp": now}, user_id=user_id, team_id=team_id)


def _set_viewed(transaction: Transaction, root: Post, member: ThreadMember, team_id: UUID, until: int) -> None:
    now = to_milliseconds(transaction.now)
    later = [
        posts.c.root_id == root.id,
        posts.c.original_id.is_(None),
        posts.c.delete_at == 0,
        posts.c.create_at > until,
    ]
    unread = 0
    if until < root.last_reply_at:
        count = select(func.count()).select_from(posts).where(*later)
        unread = transaction.connection.execute(count).scalar_one()
    mentions = _mentions(transaction, member, list_posts(transaction, *later, limit=MOST_LOOKED_AT)) if unread else 0
    after = change_thread_member(
        transaction,
        member,
        last_viewed_at=until,
        seen_replies=root.reply_count - unread,
        unread_mentions=mentions,
        update_at=now,
    )
    data = {
        "thread_id": shown_id(root.id),
        "timestamp": until,
        "unread_mentions": after.unread_mentions,
        "unread_replies": after.unread_replies(root.reply_count),
        "previous_unread_mentions": member.unread_mentions,
        "previous_unread_replies": member.unread_replies(root.reply_count),
        "channel_id": shown_id(root.channel_id),
    }
    tell(transaction, "thread_read_changed", data, user_id=member.user_id, team_id=team_id)


def _mentions(transaction: Transaction, member: ThreadMember, replies: list[Post]) -> int:
    """How many of these replies mention somebody."""
    person = find_person(transaction, member.user_id)
    channel = find_channel(transaction, member.channel_id)
    in_channel = find_member(transaction, member.channel_id, member.user_id)
    if person is None or channel is None or in_channel is None:
        return 0
    wishes = wishes_of(transaction, person, channel, in_channel)
    return sum(
        each.user_id != person.id and is_about(mentioned_in(spoken(each.message, each.props)), wishes)
        for each in replies
    )
