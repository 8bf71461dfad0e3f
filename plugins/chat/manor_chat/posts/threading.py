"""What a reply does to its thread, and to those who follow it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import msgspec

from manor import Transaction
from manor_chat.posts.notifying import Heard
from manor_chat.posts.showing import show_posts
from manor_chat.store.channels import Channel
from manor_chat.store.posts import Post
from manor_chat.store.threads import (
    ThreadMember,
    add_thread_members,
    count_reply,
    mention_in_thread,
    note_reply,
)
from manor_chat.telling import as_text, tell
from manor_chat.wire.threads import show_thread


@dataclass(frozen=True)
class Thread:
    """A thread that is being replied to.

    Args:
        root: As it was before.
        members: Who was in it before.
        joining: Who comes into it for the reply, whoever is mentioned by it not among them.
    """

    root: Post
    members: Mapping[UUID, ThreadMember]
    joining: Collection[UUID] = ()


@dataclass(frozen=True)
class Followed:
    """A thread after a reply.

    Args:
        reply_count: How many replies it has.
        members: Who follows it, as they stand in it now, in the order of their ids.
    """

    reply_count: int
    members: tuple[ThreadMember, ...]

    @property
    def user_ids(self) -> tuple[UUID, ...]:
        """Who follows it."""
        return tuple(member.user_id for member in self.members)


def follow_reply(transaction: Transaction, reply: Post, thread: Thread, heard: Heard, *, is_theirs: bool) -> Followed:
    """Count a reply, and have those follow whom it concerns.

    Somebody who follows no more is not brought back by other people's replies, only by a mention.

    Args:
        transaction: The caller's.
        reply: Which was written.
        thread: What it answers.
        heard: Whom it mentions.
        is_theirs: Whether its author wrote it, rather than a webhook in their name.
    """
    root, known = thread.root, thread.members
    now = reply.create_at
    count = count_reply(transaction, root.id, now)
    joining = {*thread.joining, *heard.following} | ({reply.user_id} if is_theirs else set())
    new = [
        ThreadMember(
            root_id=root.id,
            user_id=user_id,
            channel_id=root.channel_id,
            has_replied=is_theirs and user_id == reply.user_id,
            last_viewed_at=now if user_id == reply.user_id else 0,
            seen_replies=count if user_id == reply.user_id else 0,
            unread_mentions=1 if user_id in heard.following else 0,
            update_at=now,
        )
        for user_id in sorted(joining - known.keys())
    ]
    add_thread_members(transaction, new)
    now_in = {**known, **{member.user_id: member for member in new}}
    if is_theirs and reply.user_id in known:
        now_in[reply.user_id] = note_reply(transaction, known[reply.user_id], now, count)
    mentioned = sorted(heard.following & known.keys())
    mention_in_thread(transaction, root.id, mentioned)
    for user_id in mentioned:
        before = now_in[user_id]
        now_in[user_id] = msgspec.structs.replace(before, following=True, unread_mentions=before.unread_mentions + 1)
    followers = [member for _, member in sorted(now_in.items()) if member.following]
    return Followed(count, tuple(followers))


def tell_followers(transaction: Transaction, channel: Channel, thread: Thread, followed: Followed, reply: Post) -> None:
    """Tell each follower what the thread looks like to them now."""
    root = msgspec.structs.replace(
        thread.root, reply_count=followed.reply_count, last_reply_at=reply.create_at, update_at=reply.create_at
    )
    (shown,) = show_posts(transaction, [root])
    encoded = msgspec.Raw(msgspec.json.encode(shown))
    for member in followed.members:
        before = thread.members.get(member.user_id)
        tell(
            transaction,
            "thread_updated",
            {
                "thread": as_text(show_thread(shown, member, encoded=encoded)),
                "previous_unread_mentions": 0 if before is None else before.unread_mentions,
                "previous_unread_replies": 0 if before is None else before.unread_replies(thread.root.reply_count),
            },
            user_id=member.user_id,
            team_id=channel.team_id,
        )
