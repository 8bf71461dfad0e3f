"""Having not read a post: a channel from there on is unread again."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import func, select

from manor import Transaction
from manor_chat import faults
from manor_chat.domain.attachments import spoken
from manor_chat.domain.mentions import is_about, mentioned_in
from manor_chat.domain.post_types import COMINGS_AND_GOINGS, is_system
from manor_chat.ids import shown_id
from manor_chat.posts.notifying import wishes_of
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel, ChannelMember, change_member, find_member
from manor_chat.store.people import Person, find_person
from manor_chat.store.posts import Post, list_posts
from manor_chat.tables.posts import posts
from manor_chat.telling import tell
from manor_chat.times import to_milliseconds

MOST_LOOKED_AT = 1000
"""Posts in which mentions are looked for; whoever has more unread has enough."""


class ChannelUnreadAt(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has read of a channel, as they stand in it now."""

    team_id: str
    user_id: str
    channel_id: str
    msg_count: int
    mention_count: int
    mention_count_root: int
    urgent_mention_count: int = 0
    msg_count_root: int
    last_viewed_at: int
    notify_props: dict[str, str] = {}


class _Numbers(NamedTuple):
    posts: int
    roots: int
    mentions: int
    root_mentions: int


def mark_unread(transaction: Transaction, rights: Rights, user_id: UUID, post_id: UUID) -> ChannelUnreadAt:
    """Have somebody not have read a post, nor what came after it.

    Raises:
        NotFound: 404: there is no such post or person, or they are not in its channel.
        Forbidden: 403: the caller may not do that for them, or not read it.
    """
    post, channel = rights.readable_post(post_id)
    rights.require_self(user_id)
    person = rights.person if user_id == rights.user_id else find_person(transaction, user_id)
    if person is None:
        raise faults.missing_user()
    member = find_member(transaction, channel.id, user_id)
    if member is None:
        raise faults.missing_member()
    unread = _numbers(transaction, channel, member, person, post)
    member = change_member(
        transaction,
        member,
        last_viewed_at=post.create_at - 1,
        msg_count=max(channel.total_msg_count - unread.posts, 0),
        msg_count_root=max(channel.total_msg_count_root - unread.roots, 0),
        mention_count=unread.mentions,
        mention_count_root=unread.root_mentions,
        last_update_at=to_milliseconds(transaction.now),
    )
    _tell(transaction, channel, member, post)
    return ChannelUnreadAt(
        team_id=shown_id(channel.team_id),
        user_id=shown_id(user_id),
        channel_id=shown_id(channel.id),
        msg_count=member.msg_count,
        mention_count=member.mention_count,
        mention_count_root=member.mention_count_root,
        msg_count_root=member.msg_count_root,
        last_viewed_at=member.last_viewed_at,
        notify_props=member.notify_props,
    )


def _numbers(transaction: Transaction, channel: Channel, member: ChannelMember, person: Person, post: Post) -> _Numbers:
    later = [
        posts.c.channel_id == channel.id,
        posts.c.sequence >= post.sequence,
        posts.c.delete_at == 0,
        posts.c.original_id.is_(None),
        posts.c.type.not_in(sorted(COMINGS_AND_GOINGS)),
    ]
    count = select(func.count(), func.count().filter(posts.c.root_id.is_(None))).where(*later)
    total, roots = transaction.connection.execute(count).one()
    wishes = wishes_of(transaction, person, channel, member)
    others = list_posts(
        transaction, *later, posts.c.user_id != person.id, order=[posts.c.sequence.desc()], limit=MOST_LOOKED_AT
    )
    mentions = [
        each
        for each in others
        if not is_system(each.type) and is_about(mentioned_in(spoken(each.message, each.props)), wishes)
    ]
    return _Numbers(total, roots, len(mentions), sum(each.root_id is None for each in mentions))


def _tell(transaction: Transaction, channel: Channel, member: ChannelMember, post: Post) -> None:
    data = {
        "msg_count": member.msg_count,
        "msg_count_root": member.msg_count_root,
        "mention_count": member.mention_count,
        "mention_count_root": member.mention_count_root,
        "urgent_mention_count": 0,
        "last_viewed_at": member.last_viewed_at,
        "post_id": shown_id(post.id),
    }
    tell(transaction, "post_unread", data, user_id=member.user_id, channel_id=channel.id, team_id=channel.team_id)
