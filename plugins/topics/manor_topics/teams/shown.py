"""What the operations of teams answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from manor import Invite, Member, Team, TeamRole, Transaction, count_members, list_members


class TeamShown(msgspec.Struct, frozen=True, kw_only=True):
    """A team as one of its members sees it."""

    id: UUID
    name: str
    display_name: str
    description: str | None
    owner_id: UUID
    member_count: int
    my_role: TeamRole
    is_active: bool
    created_at: datetime
    updated_at: datetime


class TeamDetailed(TeamShown, frozen=True, kw_only=True):
    """The same, with everybody in it."""

    members: list[Member]


class TeamStats(msgspec.Struct, frozen=True, kw_only=True):
    """What the plan of an owner of teams has, and how much of it is used; what has no limit is 2147483647.

    Args:
        base_members: Seats of the plan, in all teams together.
        additional_members: Seats on top of the plan: a server of one's own sells none.
        used_members: Different people in the teams, the owner among them.
        total_members: All seats.
        available_members: Seats that are free.
        percentage_used: Of all seats, with one decimal.
        daily_message_limit: Messages a day in all topics of the owner and of the teams.
        message_retention_days: How long messages are kept.
    """

    base_members: int
    additional_members: int
    used_members: int
    total_members: int
    available_members: int
    percentage_used: float
    daily_message_limit: int
    message_retention_days: int


class InviteShown(msgspec.Struct, frozen=True, kw_only=True):
    """An invite, without its token.

    Args:
        accept_url: What its mail would hold, for who sent it, where there is no mail server.
    """

    id: UUID
    team_id: UUID
    email: str
    role: Literal["admin", "member"]
    invited_by_id: UUID
    created_at: datetime
    expires_at: datetime
    is_expired: bool
    accept_url: str | UnsetType = UNSET


def show_team(transaction: Transaction, team: Team, role: TeamRole) -> TeamShown:
    """A team as somebody who is `role` in it sees it."""
    own = msgspec.structs.asdict(team)
    return TeamShown(**own, member_count=count_members(transaction, team.id), my_role=role)


def show_all(transaction: Transaction, team: Team, role: TeamRole) -> TeamDetailed:
    """The same, with everybody in it."""
    members = [*list_members(transaction, team.id)]
    return TeamDetailed(**msgspec.structs.asdict(team), member_count=len(members), my_role=role, members=members)


def show_invite(invite: Invite, now: datetime, accept_url: str = "") -> InviteShown:
    """An invite; with the link that accepts it for who may see that."""
    return InviteShown(
        id=invite.id,
        team_id=invite.team_id,
        email=invite.email,
        role=invite.role,
        invited_by_id=invite.invited_by_id,
        created_at=invite.created_at,
        expires_at=invite.expires_at,
        is_expired=invite.expires_at <= now,
        accept_url=accept_url or UNSET,
    )
