"""Channels and their members as the API shows them."""

from __future__ import annotations

from typing import Any

import msgspec

from manor_chat.ids import shown_id
from manor_chat.store.channels import Channel, ChannelMember

NOTIFY_PROPS = {
    "desktop": "default",
    "email": "default",
    "push": "default",
    "mark_unread": "all",
    "ignore_channel_mentions": "default",
    "desktop_threads": "default",
    "push_threads": "default",
    "channel_auto_follow_threads": "off",
}
"""How a member hears of a channel until they say otherwise."""


class ChannelShown(msgspec.Struct, frozen=True, kw_only=True):
    """A channel."""

    id: str
    create_at: int
    update_at: int
    delete_at: int
    team_id: str
    type: str
    display_name: str
    name: str
    header: str
    purpose: str
    last_post_at: int
    total_msg_count: int
    extra_update_at: int = 0
    creator_id: str
    scheme_id: str | None = None
    props: dict[str, Any] | None = None
    group_constrained: bool | None = None
    shared: bool | None = None
    total_msg_count_root: int
    policy_id: str | None = None
    last_root_post_at: int


class ChannelMemberShown(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's part in a channel."""

    channel_id: str
    user_id: str
    roles: str
    last_viewed_at: int
    msg_count: int
    mention_count: int
    mention_count_root: int
    urgent_mention_count: int = 0
    msg_count_root: int
    notify_props: dict[str, str]
    last_update_at: int
    scheme_guest: bool = False
    scheme_user: bool = True
    scheme_admin: bool
    explicit_roles: str


def show_channel(channel: Channel) -> ChannelShown:
    """A channel as the API shows it."""
    return ChannelShown(
        id=shown_id(channel.id),
        create_at=channel.create_at,
        update_at=channel.update_at,
        delete_at=channel.delete_at,
        team_id=shown_id(channel.team_id),
        type=channel.type,
        display_name=channel.display_name,
        name=channel.name,
        header=channel.header,
        purpose=channel.purpose,
        last_post_at=channel.last_post_at,
        total_msg_count=channel.total_msg_count,
        creator_id=shown_id(channel.creator_id),
        total_msg_count_root=channel.total_msg_count_root,
        last_root_post_at=channel.last_root_post_at,
    )


def show_channel_member(member: ChannelMember) -> ChannelMemberShown:
    """Somebody's part in a channel as the API shows it."""
    roles = "channel_user channel_admin" if member.is_admin else "channel_user"
    return ChannelMemberShown(
        channel_id=shown_id(member.channel_id),
        user_id=shown_id(member.user_id),
        roles=f"{member.roles} {roles}".strip(),
        last_viewed_at=member.last_viewed_at,
        msg_count=member.msg_count,
        mention_count=member.mention_count,
        mention_count_root=member.mention_count_root,
        msg_count_root=member.msg_count_root,
        notify_props=NOTIFY_PROPS | member.notify_props,
        last_update_at=member.last_update_at,
        scheme_admin=member.is_admin,
        explicit_roles=member.roles,
    )
