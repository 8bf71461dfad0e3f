"""Teams and who is in them: plain functions that take the caller's transaction.

Who may do what is for the APIs to say; what holds for all of them is said here: names are taken once, the owner is
neither demoted nor removed, and nobody is in a team twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy import case, delete, func, insert, select, update

from manor.errors import Conflict, FieldProblem, Forbidden, NotFound
from manor.identity.events import MemberChanged, TeamChanged, TeamDeleted
from manor.identity.names import refuse_field
from manor.identity.tables import users
from manor.identity.team_tables import invites, members, teams
from manor.storage import Transaction, new_id

TeamRole = Literal["owner", "admin", "member"]

NAME_LENGTHS = (2, 64)
DISPLAY_NAME_LENGTH = 100
DESCRIPTION_LENGTH = 500

_NAME = re.compile(r"[a-z0-9_-]+")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Team(msgspec.Struct, frozen=True, kw_only=True):
    """A team; its owner is a member like the others, with the role `owner`."""

    id: UUID
    name: str
    display_name: str
    description: str | None
    owner_id: UUID
    is_active: bool
    created_at: datetime
    updated_at: datetime


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Someone in a team, with what they are called today."""

    id: UUID
    team_id: UUID
    user_id: UUID
    username: str
    email: str | None
    role: TeamRole
    joined_at: datetime
    is_active: bool


_TEAM = [teams.c[name] for name in Team.__struct_fields__]
_MEMBER = [
    members.c.id,
    members.c.team_id,
    members.c.user_id,
    users.c.username,
    users.c.email,
    members.c.role,
    members.c.joined_at,
    users.c.is_active,
]


# --- Teams ---------------------------------------------------------------------------------------------------------


def create_team(
    transaction: Transaction, owner_id: UUID, *, name: str, display_name: str, description: str | None = None
) -> Team:
    """Make a team with its owner in it.

    Raises:
        Unprocessable: 422 naming the field: it cannot be one.
        Conflict: 409: there is a team of that name.
    """
    least, most = NAME_LENGTHS
    if not least <= len(name) <= most or _NAME.fullmatch(name) is None:
        raise refuse_field("name", f"expected {least} to {most} of a to z, digits, '_' and '-'")
    _check_words(display_name, description)
    if find_team(transaction, name=name) is not None:
        raise Conflict(f"There is a team '{name}' already", errors=[FieldProblem("name", "is taken")])
    team = Team(
        id=new_id(),
        name=name,
        display_name=display_name,
        description=description,
        owner_id=owner_id,
        is_active=True,
        created_at=transaction.now,
        updated_at=transaction.now,
    )
    transaction.connection.execute(insert(teams).values(msgspec.structs.asdict(team)))
    _add(transaction, team.id, owner_id, "owner")
    transaction.emit(TeamChanged(team_id=team.id))
    transaction.emit(MemberChanged(team_id=team.id, user_id=owner_id))
    return team


def find_team(transaction: Transaction, *, team_id: UUID | None = None, name: str | None = None) -> Team | None:
    """The team of this id or this name; exactly one of them is asked for."""
    match (team_id, name):
        case (UUID() as wanted, None):
            condition = teams.c.id == wanted
        case (None, str() as wanted):
            condition = teams.c.name == wanted
        case _:
            raise TypeError("find_team takes one of team_id and name")
    row = transaction.connection.execute(select(*_TEAM).where(condition)).mappings().one_or_none()
    return None if row is None else Team(**row)


def list_teams(transaction: Transaction, user_id: UUID) -> Sequence[Team]:
    """The teams that someone is in, active or not, by name."""
    query = select(*_TEAM).join_from(teams, members, members.c.team_id == teams.c.id)
    rows = transaction.connection.execute(query.where(members.c.user_id == user_id).order_by(teams.c.name))
    return [Team(**row) for row in rows.mappings()]


def list_all_teams(transaction: Transaction, *, after: str = "", limit: int = 1000) -> Sequence[Team]:
    """A page of all teams by name, active or not: those behind the name `after`."""
    query = select(*_TEAM).where(teams.c.name > after).order_by(teams.c.name).limit(limit)
    return [Team(**row) for row in transaction.connection.execute(query).mappings()]


def roles_of(transaction: Transaction, user_id: UUID) -> dict[UUID, TeamRole]:
    """What someone is in each of their active teams."""
    query = select(members.c.team_id, members.c.role).join_from(members, teams, members.c.team_id == teams.c.id)
    rows = transaction.connection.execute(query.where(members.c.user_id == user_id, teams.c.is_active))
    return {row.team_id: row.role for row in rows}


def update_team(
    transaction: Transaction,
    team_id: UUID,
    *,
    display_name: str | None = None,
    description: str | msgspec.UnsetType | None = msgspec.UNSET,
) -> Team:
    """Change how a team describes itself; what is left out stays. Its name never changes.

    Raises:
        NotFound: There is no such team.
        Unprocessable: 422 naming the field: it cannot be one.
    """
    team = _existing(transaction, team_id)
    changed = msgspec.structs.replace(
        team,
        display_name=team.display_name if display_name is None else display_name,
        description=team.description if description is msgspec.UNSET else description,
    )
    _check_words(changed.display_name, changed.description)
    return _change(transaction, team, changed)


def set_team_active(transaction: Transaction, team_id: UUID, is_active: bool) -> Team:
    """Switch a team off, so that its members lose access and nothing is deleted; or on again.

    Raises:
        NotFound: There is no such team.
    """
    team = _existing(transaction, team_id)
    return _change(transaction, team, msgspec.structs.replace(team, is_active=is_active))


def delete_team(transaction: Transaction, team_id: UUID) -> None:
    """Remove a team with its memberships and invites; what belonged to it is for those who hear of it.

    Raises:
        NotFound: There is no such team.
    """
    _existing(transaction, team_id)
    for table in (members, invites):
        transaction.connection.execute(delete(table).where(table.c.team_id == team_id))
    transaction.connection.execute(delete(teams).where(teams.c.id == team_id))
    transaction.emit(TeamDeleted(team_id=team_id))


def _check_words(display_name: str, description: str | None) -> None:
    if not 1 <= len(display_name) <= DISPLAY_NAME_LENGTH or not display_name.isprintable():
        raise refuse_field("display_name", f"expected 1 to {DISPLAY_NAME_LENGTH} printable characters")
    if description is not None and len(description) > DESCRIPTION_LENGTH:
        raise refuse_field("description", f"expected at most {DESCRIPTION_LENGTH} characters, got {len(description)}")
    if description is not None and _CONTROL_BUT_LINES.search(description):
        raise refuse_field("description", "expected no control characters other than tabs and ends of lines")


def _existing(transaction: Transaction, team_id: UUID) -> Team:
    team = find_team(transaction, team_id=team_id)
    if team is None:
        raise NotFound("There is no such team")
    return team


def _change(transaction: Transaction, team: Team, changed: Team) -> Team:
    if changed == team:
        return team
    changed = msgspec.structs.replace(changed, updated_at=transaction.now)
    transaction.connection.execute(update(teams).where(teams.c.id == team.id).values(msgspec.structs.asdict(changed)))
    transaction.emit(TeamChanged(team_id=team.id))
    return changed


# --- Members -------------------------------------------------------------------------------------------------------


def list_members(transaction: Transaction, team_id: UUID) -> Sequence[Member]:
    """Who is in a team, those who joined first first."""
    query = select(*_MEMBER).join_from(members, users, users.c.id == members.c.user_id)
    in_team = query.where(members.c.team_id == team_id).order_by(members.c.joined_at, members.c.id)
    return [Member(**row) for row in transaction.connection.execute(in_team).mappings()]


def find_member(transaction: Transaction, team_id: UUID, user_id: UUID) -> Member | None:
    """Someone's part in a team, if they have one."""
    query = select(*_MEMBER).join_from(members, users, users.c.id == members.c.user_id)
    theirs = query.where(members.c.team_id == team_id, members.c.user_id == user_id)
    row = transaction.connection.execute(theirs).mappings().one_or_none()
    return None if row is None else Member(**row)


def count_members(transaction: Transaction, team_id: UUID) -> int:
    """How many are in a team."""
    query = select(func.count()).select_from(members).where(members.c.team_id == team_id)
    return transaction.connection.execute(query).scalar_one()


def add_member(transaction: Transaction, team_id: UUID, user_id: UUID, role: TeamRole = "member") -> Member:
    """Take someone into a team.

    Raises:
        NotFound: There is no such team, or no such person.
        Conflict: They are in it already.
    """
    _existing(transaction, team_id)
    check_role(role)
    if find_member(transaction, team_id, user_id) is not None:
        raise Conflict("They are in this team already")
    _add(transaction, team_id, user_id, role)
    transaction.emit(MemberChanged(team_id=team_id, user_id=user_id))
    return _there(find_member(transaction, team_id, user_id), "There is no such person")


def set_role(transaction: Transaction, team_id: UUID, user_id: UUID, role: TeamRole) -> Member:
    """Make someone an admin of a team, or a plain member.

    Raises:
        NotFound: They are not in it.
        Forbidden: They own it.
        Unprocessable: 422 naming the field: nobody is made an owner so.
    """
    check_role(role)
    member = _removable(transaction, team_id, user_id)
    if member.role != role:
        mine = (members.c.team_id == team_id) & (members.c.user_id == user_id)
        transaction.connection.execute(update(members).where(mine).values(role=role))
        transaction.emit(MemberChanged(team_id=team_id, user_id=user_id))
    return msgspec.structs.replace(member, role=role)


def remove_member(transaction: Transaction, team_id: UUID, user_id: UUID) -> None:
    """Let someone out of a team.

    Raises:
        NotFound: They are not in it.
        Forbidden: They own it.
    """
    _removable(transaction, team_id, user_id)
    _leave(transaction, team_id, user_id)


def check_role(role: str) -> None:
    """See that someone may be given this role.

    Raises:
        Unprocessable: 422 with the field `role`.
    """
    if role not in ("admin", "member"):
        raise refuse_field("role", "expected admin or member")


def _removable(transaction: Transaction, team_id: UUID, user_id: UUID) -> Member:
    member = _there(find_member(transaction, team_id, user_id), "They are not in this team")
    if member.role == "owner":
        raise Forbidden("The owner of a team stays its owner")
    return member


def _there(member: Member | None, otherwise: str) -> Member:
    if member is None:
        raise NotFound(otherwise)
    return member


def _add(transaction: Transaction, team_id: UUID, user_id: UUID, role: TeamRole) -> None:
    row = {"id": new_id(), "team_id": team_id, "user_id": user_id, "role": role, "joined_at": transaction.now}
    transaction.connection.execute(insert(members).values(row))


def _leave(transaction: Transaction, team_id: UUID, user_id: UUID) -> None:
    mine = (members.c.team_id == team_id) & (members.c.user_id == user_id)
    transaction.connection.execute(delete(members).where(mine))
    transaction.emit(MemberChanged(team_id=team_id, user_id=user_id, is_member=False))


# --- Someone goes --------------------------------------------------------------------------------------------------


def leave_teams(transaction: Transaction, user_id: UUID, limit: int) -> int:
    """Take someone who is erased out of their teams, a batch at a time; returns how many rows are gone or handed over.

    A team that they own goes to the admin who has been in it longest; without one it is deleted.
    """
    owned = select(teams.c.id).where(teams.c.owner_id == user_id).order_by(teams.c.id).limit(1)
    team_id = transaction.connection.execute(owned).scalar_one_or_none()
    if team_id is not None:
        return _hand_over(transaction, team_id, user_id, limit)
    mine = select(members.c.team_id).where(members.c.user_id == user_id).limit(limit)
    left = transaction.connection.execute(mine).scalars().all()
    for each in left:
        _leave(transaction, each, user_id)
    return len(left)


def _hand_over(transaction: Transaction, team_id: UUID, user_id: UUID, limit: int) -> int:
    heirs = (
        select(members.c.user_id)
        .join_from(members, users, users.c.id == members.c.user_id)
        .where(members.c.team_id == team_id, members.c.role == "admin", members.c.user_id != user_id)
        .order_by(case((users.c.is_active, 0), else_=1), members.c.joined_at, members.c.id)
    )
    heir = transaction.connection.execute(heirs.limit(1)).scalar_one_or_none()
    if heir is None:
        return _dissolve(transaction, team_id, limit)
    theirs = (members.c.team_id == team_id) & (members.c.user_id == heir)
    transaction.connection.execute(update(members).where(theirs).values(role="owner"))
    handed = update(teams).where(teams.c.id == team_id).values(owner_id=heir, updated_at=transaction.now)
    transaction.connection.execute(handed)
    transaction.emit(TeamChanged(team_id=team_id))
    transaction.emit(MemberChanged(team_id=team_id, user_id=heir))
    return 1


def _dissolve(transaction: Transaction, team_id: UUID, limit: int) -> int:
    """Delete a team of whatever size, its members first."""
    some = select(members.c.id).where(members.c.team_id == team_id).limit(limit)
    gone = transaction.connection.execute(delete(members).where(members.c.id.in_(some))).rowcount
    if gone < limit:
        delete_team(transaction, team_id)
    return gone + 1
