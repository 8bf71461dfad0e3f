"""What a channel and its members count: posts, and what somebody has read of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Update, bindparam, update

from manor import Prepared, Transaction
from manor_chat.store.posts import portions
from manor_chat.tables.channels import channel_members, channels


class Counted(NamedTuple):
    """A channel's numbers after a post."""

    sequence: int
    total_msg_count: int
    total_msg_count_root: int


def _counting(*, is_root: bool, is_counted: bool) -> Prepared:
    one_more: Update = (
        update(channels)
        .where(channels.c.id == bindparam("channel"))
        .values(last_sequence=channels.c.last_sequence + 1, last_post_at=bindparam("now"))
    )
    if is_root:
        one_more = one_more.values(last_root_post_at=bindparam("now"))
    if is_counted:
        one_more = one_more.values(total_msg_count=channels.c.total_msg_count + 1)
    if is_root and is_counted:
        one_more = one_more.values(total_msg_count_root=channels.c.total_msg_count_root + 1)
    numbers = (channels.c.last_sequence, channels.c.total_msg_count, channels.c.total_msg_count_root)
    return Prepared(one_more.returning(*numbers), ["now", "channel"])


_COUNTING = {
    (is_root, is_counted): _counting(is_root=is_root, is_counted=is_counted)
    for is_root in (False, True)
    for is_counted in (False, True)
}

_SEEN = Prepared(
    update(channel_members)
    .where(channel_members.c.channel_id == bindparam("channel"), channel_members.c.user_id == bindparam("user"))
    .values(
        msg_count=bindparam("total"),
        msg_count_root=bindparam("total_root"),
        mention_count=0,
        mention_count_root=0,
        last_viewed_at=bindparam("now"),
        last_update_at=bindparam("now"),
    ),
    ["total", "total_root", "now", "channel", "user"],
)


def count_post(
    transaction: Transaction, channel_id: UUID, create_at: int, *, is_root: bool, is_counted: bool
) -> Counted:
    """Give a channel one post more.

    Args:
        transaction: The caller's.
        channel_id: Which.
        create_at: When the post was written, in milliseconds.
        is_root: Whether it answers no other.
        is_counted: Whether it makes the channel unread.
    """
    row = _COUNTING[is_root, is_counted].run(transaction.connection, create_at, channel_id.bytes).fetchall()
    return Counted(*row[0])


def note_own_post(transaction: Transaction, channel_id: UUID, user_id: UUID, create_at: int, now: Counted) -> None:
    """Somebody who writes has read the channel."""
    numbers = (now.total_msg_count, now.total_msg_count_root, create_at)
    _SEEN.run(transaction.connection, *numbers, channel_id.bytes, user_id.bytes)


def _mentioning(*, is_root: bool) -> Update:
    one_more = (
        update(channel_members)
        .where(
            channel_members.c.channel_id == bindparam("channel"),
            channel_members.c.user_id.in_(bindparam("users", expanding=True)),
        )
        .values(mention_count=channel_members.c.mention_count + 1, last_update_at=bindparam("now"))
    )
    return one_more.values(mention_count_root=channel_members.c.mention_count_root + 1) if is_root else one_more


_MENTIONING = {is_root: _mentioning(is_root=is_root) for is_root in (False, True)}


def count_mentions(
    transaction: Transaction, channel_id: UUID, user_ids: Collection[UUID], now: int, *, is_root: bool
) -> None:
    """Give members of a channel one unread mention more.

    Args:
        transaction: The caller's.
        channel_id: Which.
        user_ids: They.
        now: In milliseconds.
        is_root: Whether the post that mentions them answers no other.
    """
    for some in portions(user_ids):
        values = {"channel": channel_id, "users": some, "now": now}
        transaction.connection.execute(_MENTIONING[is_root], values)
