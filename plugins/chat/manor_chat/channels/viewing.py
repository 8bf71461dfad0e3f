"""Reading: what somebody has seen of their channels."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from manor import Transaction
from manor_chat import faults
from manor_chat.ids import shown_id
from manor_chat.rights import Rights
from manor_chat.store.channel_views import view_channels, view_threads
from manor_chat.store.channels import find_member
from manor_chat.store.people import find_person
from manor_chat.telling import tell
from manor_chat.times import to_milliseconds
from manor_chat.wire.channels import NOTIFY_PROPS


class UnreadShown(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has not read of a channel."""

    team_id: str
    channel_id: str
    msg_count: int
    mention_count: int
    mention_count_root: int
    urgent_mention_count: int = 0
    msg_count_root: int
    notify_props: dict[str, str]


def view(
    transaction: Transaction, rights: Rights, user_id: UUID, channel_ids: Sequence[UUID], *, threads_too: bool
) -> dict[str, int]:
    """Have somebody read all that is in channels; those that they are not in are left out.

    Args:
        transaction: The caller's.
        rights: Of whoever asks.
        user_id: Who reads.
        channel_ids: Which channels.
        threads_too: Whether their threads are read with them, as clients expect that do not show threads apart.

    Returns:
        Until when they have read, by channel's id.

    Raises:
        NotFound: 404: there is no such person.
        Forbidden: 403: they may not.
    """
    if user_id != rights.user_id and find_person(transaction, user_id) is None:
        raise faults.missing_user()
    rights.require_self(user_id)
    viewed = view_channels(transaction, user_id, channel_ids)
    times = {shown_id(each): viewed[each] for each in channel_ids if each in viewed}
    if not times:
        return times
    for each in times:
        tell(transaction, "channel_viewed", {"channel_id": each}, user_id=user_id)
    tell(transaction, "multiple_channels_viewed", {"channel_times": times}, user_id=user_id)
    if threads_too:
        now = to_milliseconds(transaction.now)
        for channel_id in view_threads(transaction, user_id, viewed.keys(), now):
            tell(transaction, "thread_read_changed", {"timestamp": now}, user_id=user_id, channel_id=channel_id)
    return times


def unread_of(transaction: Transaction, rights: Rights, user_id: UUID, channel_id: UUID) -> UnreadShown:
    """What somebody has not read of a channel.

    Raises:
        NotFound: 404: there is no such channel, or they are not in it.
        Forbidden: 403: they may not know.
    """
    channel = rights.channel(channel_id)
    rights.require_self(user_id)
    rights.require_in_channel("read_channel", channel)
    member = find_member(transaction, channel_id, user_id)
    if member is None:
        raise faults.missing_member()
    return UnreadShown(
        team_id=shown_id(channel.team_id),
        channel_id=shown_id(channel.id),
        msg_count=max(channel.total_msg_count - member.msg_count, 0),
        mention_count=member.mention_count,
        mention_count_root=member.mention_count_root,
        msg_count_root=max(channel.total_msg_count_root - member.msg_count_root, 0),
        notify_props=NOTIFY_PROPS | member.notify_props,
    )
