"""Where a post is: for whoever follows a link to it."""

from __future__ import annotations

from uuid import UUID

import msgspec

from manor import Transaction
from manor_chat import faults
from manor_chat.ids import shown_id
from manor_chat.rights import Rights
from manor_chat.store.channels import OPEN, Channel
from manor_chat.store.posts import find_post
from manor_chat.store.teams import ChatTeam


class PostInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A post's channel and team, and whether one is in them; the team's members are "" for a channel of people."""

    channel_id: str
    channel_type: str
    channel_display_name: str
    has_joined_channel: bool
    team_id: str = ""
    team_type: str = ""
    team_display_name: str = ""
    has_joined_team: bool = False


def info_of(transaction: Transaction, rights: Rights, post_id: UUID) -> PostInfo:
    """Find out.

    Raises:
        NotFound: 404: there is no such post.
        Forbidden: 403: they may not read it, nor join where it is.
    """
    post = find_post(transaction, post_id)
    if post is None or post.delete_at:
        raise faults.missing_post()
    channel = rights.channel(post.channel_id)
    team = None if channel.team_id is None else rights.team(channel.team_id)
    if not rights.may_read(channel) and not _may_join(rights, channel, team):
        raise faults.no_permission()
    info = PostInfo(
        channel_id=shown_id(channel.id),
        channel_type=channel.type,
        channel_display_name=channel.display_name,
        has_joined_channel=rights.member(channel.id) is not None,
    )
    if team is None:
        return info
    return msgspec.structs.replace(
        info,
        team_id=shown_id(team.id),
        team_type=team.type,
        team_display_name=team.display_name,
        has_joined_team=rights.is_in_team(team.id),
    )


def _may_join(rights: Rights, channel: Channel, team: ChatTeam | None) -> bool:
    """Whether it is an open channel of a team that they may come into."""
    if team is None or channel.type != OPEN:
        return False
    if rights.is_in_team(team.id):
        return rights.may_in_team("join_public_channels", team.id)
    return rights.may("join_public_teams" if team.allow_open_invite else "join_private_teams")
