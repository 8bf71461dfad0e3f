"""What is set for one member of a channel: what they may do in it, and how they hear of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from manor import Transaction
from manor_chat import faults
from manor_chat.domain.notify_props import OF_MEMBER, BadSetting, chosen
from manor_chat.domain.permissions import CHANNEL_ADMIN, CHANNEL_USER
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel, ChannelMember, change_member, find_member
from manor_chat.telling import as_text, tell
from manor_chat.times import to_milliseconds
from manor_chat.wire.channels import show_channel_member


def set_roles(transaction: Transaction, rights: Rights, channel_id: UUID, user_id: UUID, roles: str) -> None:
    """Say by their roles' names whether somebody leads a channel.

    Raises:
        BadRequest: 400: that is no role of a member's.
        NotFound: 404: there is no such channel, or they are not in it.
        Forbidden: 403: they may not.
    """
    names = set(roles.split())
    if not names <= {CHANNEL_USER, CHANNEL_ADMIN}:
        raise faults.bad_body_param("roles")
    set_admin(transaction, rights, channel_id, user_id, is_admin=CHANNEL_ADMIN in names)


def set_admin(transaction: Transaction, rights: Rights, channel_id: UUID, user_id: UUID, *, is_admin: bool) -> None:
    """Say whether somebody leads a channel.

    Raises:
        NotFound: 404: there is no such channel, or they are not in it.
        Forbidden: 403: they may not.
    """
    channel = rights.channel(channel_id)
    rights.require_in_channel("manage_channel_roles", channel)
    member = _member(transaction, channel, user_id)
    change_and_tell(transaction, member, is_admin=is_admin)


def set_notify_props(
    transaction: Transaction, rights: Rights, channel_id: UUID, user_id: UUID, props: Mapping[str, Any]
) -> None:
    """Change how somebody hears of a channel; what is not named stays, what is not known is left out.

    Raises:
        BadRequest: 400: one cannot have that value.
        NotFound: 404: there is no such channel, or they are not in it.
        Forbidden: 403: they may not.
    """
    try:
        given = chosen(props, OF_MEMBER)
    except BadSetting as error:
        raise faults.bad_body_param(str(error)) from error
    channel = rights.channel(channel_id)
    rights.require_self(user_id)
    member = _member(transaction, channel, user_id)
    change_and_tell(transaction, member, notify_props={**member.notify_props, **given})


def change_and_tell(transaction: Transaction, member: ChannelMember, **changes: Any) -> ChannelMember:
    """Store what is different about a member, and tell them."""
    changed = change_member(transaction, member, **changes, last_update_at=to_milliseconds(transaction.now))
    shown = as_text(show_channel_member(changed))
    tell(transaction, "channel_member_updated", {"channelMember": shown}, user_id=member.user_id)
    return changed


def _member(transaction: Transaction, channel: Channel, user_id: UUID) -> ChannelMember:
    member = find_member(transaction, channel.id, user_id)
    if member is None:
        raise faults.missing_member()
    return member
