"""Teams and their members as the API shows them."""

from __future__ import annotations

from uuid import UUID

import msgspec

from manor_chat.ids import shown_id
from manor_chat.store.teams import ChatTeam


class TeamShown(msgspec.Struct, frozen=True, kw_only=True):
    """A team."""

    id: str
    create_at: int
    update_at: int
    delete_at: int
    display_name: str
    name: str
    description: str
    email: str
    type: str
    company_name: str
    allowed_domains: str
    invite_id: str
    allow_open_invite: bool
    last_team_icon_update: int = 0
    scheme_id: str | None = None
    group_constrained: bool | None = None
    policy_id: str | None = None
    cloud_limits_archived: bool = False


class TeamMemberShown(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's part in a team."""

    team_id: str
    user_id: str
    roles: str
    delete_at: int = 0
    scheme_guest: bool = False
    scheme_user: bool = True
    scheme_admin: bool = False
    explicit_roles: str = ""
    create_at: int = 0


def show_team(team: ChatTeam, *, may_manage: bool, may_invite: bool) -> TeamShown:
    """A team as the API shows it to somebody.

    Args:
        team: Which.
        may_manage: Whether they see its address.
        may_invite: Whether they see what lets people in.
    """
    return TeamShown(
        id=shown_id(team.id),
        create_at=team.create_at,
        update_at=max(team.update_at, team.create_at),
        delete_at=0 if team.is_active else team.delete_at or max(team.update_at, team.create_at),
        display_name=team.display_name,
        name=team.name,
        description=team.description,
        email=team.email if may_manage else "",
        type=team.type,
        company_name=team.company_name,
        allowed_domains=team.allowed_domains,
        invite_id=team.invite_id if may_invite else "",
        allow_open_invite=team.allow_open_invite,
        last_team_icon_update=team.last_team_icon_update,
    )


def show_team_member(team_id: UUID, user_id: UUID, role: str, create_at: int, explicit: str = "") -> TeamMemberShown:
    """Somebody's part in a team; owner and admins are `team_user team_admin`."""
    is_admin = role in ("owner", "admin")
    roles = "team_user team_admin" if is_admin else "team_user"
    return TeamMemberShown(
        team_id=shown_id(team_id),
        user_id=shown_id(user_id),
        roles=f"{explicit} {roles}".strip(),
        scheme_admin=is_admin,
        explicit_roles=explicit,
        create_at=create_at,
    )
