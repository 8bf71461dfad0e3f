"""What members have read of their channels, and what there is in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import BindParameter, Select, bindparam, case, func, or_, select, update

from manor import Prepared, Transaction, users_table
from manor_chat.store.channels import MEMBER, ChannelMember
from manor_chat.store.posts import POST, Post, read_posts
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.people import profiles
from manor_chat.tables.posts import files, posts, thread_members


class Totals(msgspec.Struct, frozen=True):
    """How much there is in a channel."""

    members: int
    pinned: int
    files: int


def view_channels(transaction: Transaction, user_id: UUID, channel_ids: Collection[UUID]) -> dict[UUID, int]:
    """Have somebody read all that is in channels.

    A view reaches as far as the newest post: by the clock it would hide one that is written within its millisecond.

    Returns:
        Until when they have read, in milliseconds, by channel; those that they are not in are left out.
    """
    seen, newest = channel_members.c.last_viewed_at, channels.c.last_post_at
    until = case((seen > newest, seen), else_=newest)
    changed = (
        update(channel_members)
        .where(
            channel_members.c.channel_id == channels.c.id,
            channel_members.c.user_id == user_id,
            channel_members.c.channel_id.in_(channel_ids),
        )
        .values(
            msg_count=channels.c.total_msg_count,
            msg_count_root=channels.c.total_msg_count_root,
            mention_count=0,
            mention_count_root=0,
            last_viewed_at=until,
            last_update_at=until,
        )
        .returning(channel_members.c.channel_id, channel_members.c.last_viewed_at)
    )
    return {row.channel_id: row.last_viewed_at for row in transaction.connection.execute(changed)}


def view_threads(transaction: Transaction, user_id: UUID, channel_ids: Collection[UUID], now: int) -> set[UUID]:
    """Have somebody read the threads that they follow in channels; says in which of these any was unread."""
    count = select(posts.c.reply_count).where(posts.c.id == thread_members.c.root_id).scalar_subquery()
    unread = (
        (thread_members.c.user_id == user_id)
        & thread_members.c.channel_id.in_(channel_ids)
        & thread_members.c.following
        & or_(thread_members.c.seen_replies < count, thread_members.c.unread_mentions > 0)
    )
    seen = func.coalesce(count, thread_members.c.seen_replies)
    read = {"seen_replies": seen, "unread_mentions": 0, "last_viewed_at": now, "update_at": now}
    changed = update(thread_members).where(unread).values(read).returning(thread_members.c.channel_id)
    return set(transaction.connection.execute(changed).scalars())


def pinned_posts(transaction: Transaction, channel_id: UUID) -> list[Post]:
    """The pinned posts of a channel, newest first."""
    pinned = (posts.c.channel_id == channel_id) & posts.c.is_pinned & (posts.c.delete_at == 0)
    query = select(*POST).where(pinned, posts.c.original_id.is_(None)).order_by(posts.c.sequence.desc())
    return read_posts(transaction, query)


def _totals() -> Select[Any]:
    here: BindParameter[UUID] = bindparam("channel")
    members = (
        select(func.count())
        .select_from(channel_members)
        .join(users_table, users_table.c.id == channel_members.c.user_id)
        .where(channel_members.c.channel_id == here, users_table.c.is_active)
    )
    pinned = select(func.count()).where(
        posts.c.channel_id == here, posts.c.is_pinned, posts.c.delete_at == 0, posts.c.original_id.is_(None)
    )
    attached = select(func.count()).where(
        files.c.channel_id == here, files.c.post_id.is_not(None), files.c.delete_at == 0
    )
    counts = zip(Totals.__struct_fields__, (members, pinned, attached), strict=True)
    return select(*(query.scalar_subquery().label(name) for name, query in counts))


_TOTALS = Prepared(_totals(), ["channel"])


def count_in(transaction: Transaction, channel_id: UUID) -> Totals:
    """Active members, pinned posts and files of a channel."""
    (row,) = _TOTALS.read(transaction.connection, channel_id.bytes)
    return Totals(**row)


def count_members_of(transaction: Transaction, channel_ids: Collection[UUID]) -> dict[UUID, int]:
    """Active members by channel."""
    query = (
        select(channel_members.c.channel_id, func.count().label("people"))
        .join(users_table, users_table.c.id == channel_members.c.user_id)
        .where(channel_members.c.channel_id.in_(channel_ids), users_table.c.is_active)
        .group_by(channel_members.c.channel_id)
    )
    found = {row.channel_id: row.people for row in transaction.connection.execute(query)}
    return {channel_id: found.get(channel_id, 0) for channel_id in channel_ids}


def timezones_of(transaction: Transaction, channel_id: UUID) -> list[str]:
    """The time zones of a channel's members, each once, by name."""
    setting = profiles.c.timezone
    is_manual = func.coalesce(setting["useAutomaticTimezone"].as_string(), "true") == "false"
    name = case((is_manual, setting["manualTimezone"].as_string()), else_=setting["automaticTimezone"].as_string())
    query = (
        select(name)
        .distinct()
        .join_from(profiles, channel_members, channel_members.c.user_id == profiles.c.user_id)
        .where(channel_members.c.channel_id == channel_id)
    )
    return sorted(zone for zone in transaction.connection.execute(query).scalars() if zone)


def list_members(transaction: Transaction, channel_id: UUID, *, limit: int, offset: int) -> list[ChannelMember]:
    """A page of a channel's members."""
    query = select(*MEMBER).where(channel_members.c.channel_id == channel_id).order_by(channel_members.c.user_id)
    rows = transaction.connection.execute(query.limit(limit).offset(offset)).mappings()
    return [ChannelMember(**row) for row in rows]


def members_among(transaction: Transaction, channel_id: UUID, user_ids: Collection[UUID]) -> Sequence[ChannelMember]:
    """Those of some people who are in a channel."""
    theirs = (channel_members.c.channel_id == channel_id) & channel_members.c.user_id.in_(user_ids)
    query = select(*MEMBER).where(theirs).order_by(channel_members.c.user_id)
    return [ChannelMember(**row) for row in transaction.connection.execute(query).mappings()]
