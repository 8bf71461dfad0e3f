"""Teams with their chat settings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Select, bindparam, func, select, update

from manor import Prepared, Transaction, members_table, teams_table
from manor_chat.tables.people import teams
from manor_chat.times import to_milliseconds


class ChatTeam(msgspec.Struct, frozen=True, kw_only=True):
    """A team with what chat knows of it; see the tables. `kind` is O (open) or I (by invitation)."""

    id: UUID
    name: str
    display_name: str
    description: str
    owner_id: UUID
    is_active: bool
    created_at: datetime
    type: str
    allow_open_invite: bool
    invite_id: str
    company_name: str
    allowed_domains: str
    email: str
    update_at: int
    delete_at: int
    last_team_icon_update: int
    icon: str | None

    @property
    def create_at(self) -> int:
        """When it was made, in milliseconds."""
        return to_milliseconds(self.created_at)

    def takes(self, email: str) -> bool:
        """Whether people with this address may join: it is at one of the team's domains, or the team names none."""
        listed = self.allowed_domains.replace(",", " ").lower().split()
        domains = [domain.removeprefix("@") for domain in listed if domain != "@"]
        return not domains or email.lower().rpartition("@")[2] in domains


_OF_CORE = ("id", "name", "display_name", "description", "owner_id", "is_active", "created_at")
_OF_CHAT = [name for name in ChatTeam.__struct_fields__ if name not in _OF_CORE]


def select_teams() -> Select[Any]:
    """A query of teams with their settings, for further conditions; `team_of` reads its rows."""
    core = [teams_table.c[name].label(f"team_{name}") for name in _OF_CORE]
    return select(*core, *(teams.c[name] for name in _OF_CHAT)).join_from(
        teams_table, teams, teams.c.team_id == teams_table.c.id
    )


def team_of(row: RowMapping) -> ChatTeam:
    """A team of such a row."""
    core = {name: row[f"team_{name}"] for name in _OF_CORE}
    core["description"] = core["description"] or ""
    return ChatTeam(**core, **{name: row[name] for name in _OF_CHAT})


def find_team(transaction: Transaction, team_id: UUID) -> ChatTeam | None:
    """The team with this id, one that is switched off too."""
    return _one(transaction, teams_table.c.id == team_id)


def find_team_by_name(transaction: Transaction, name: str) -> ChatTeam | None:
    """The team of this name."""
    return _one(transaction, teams_table.c.name == name)


def find_team_by_invite(transaction: Transaction, invite_id: str) -> ChatTeam | None:
    """The team whose invite id this is."""
    return _one(transaction, teams.c.invite_id == invite_id)


def find_teams(transaction: Transaction, ids: Collection[UUID]) -> dict[UUID, ChatTeam]:
    """Teams by id; those that are not there are left out."""
    if not ids:
        return {}
    rows = transaction.connection.execute(select_teams().where(teams_table.c.id.in_(ids))).mappings()
    return {team.id: team for team in map(team_of, rows)}


def list_teams(transaction: Transaction, query: Select[Any]) -> Sequence[ChatTeam]:
    """The teams that a query made of `select_teams` gives, in its order."""
    return [team_of(row) for row in transaction.connection.execute(query).mappings()]


def teams_of(transaction: Transaction, user_id: UUID) -> Sequence[ChatTeam]:
    """The teams that somebody is in and that are not switched off, by what they are called."""
    query = select_teams().join(members_table, members_table.c.team_id == teams_table.c.id)
    theirs = query.where(members_table.c.user_id == user_id, teams_table.c.is_active)
    return list_teams(transaction, theirs.order_by(teams_table.c.display_name, teams_table.c.id))


def is_in_team(transaction: Transaction, team_id: UUID, user_id: UUID) -> bool:
    """Whether somebody is in a team."""
    query = select(members_table.c.id).where(members_table.c.team_id == team_id, members_table.c.user_id == user_id)
    return transaction.connection.execute(query).first() is not None


def team_members_among(transaction: Transaction, team_id: UUID, user_ids: Collection[UUID]) -> set[UUID]:
    """Those of some people who are in a team."""
    theirs = (members_table.c.team_id == team_id) & members_table.c.user_id.in_(user_ids)
    return set(transaction.connection.execute(select(members_table.c.user_id).where(theirs)).scalars())


def teams_of_all(transaction: Transaction, user_ids: Collection[UUID]) -> Sequence[ChatTeam]:
    """The teams that all of some people are in and that are not switched off, by what they are called."""
    everybody = (
        select(members_table.c.team_id)
        .where(members_table.c.user_id.in_(user_ids))
        .group_by(members_table.c.team_id)
        .having(func.count() == len(set(user_ids)))
    )
    query = select_teams().where(teams_table.c.id.in_(everybody), teams_table.c.is_active)
    return list_teams(transaction, query.order_by(teams_table.c.display_name, teams_table.c.id))


_IS_ACTIVE = Prepared(select(teams_table.c.is_active).where(teams_table.c.id == bindparam("id")), ["id"])


def is_active(transaction: Transaction, team_id: UUID) -> bool:
    """Whether there is such a team and it is not switched off."""
    rows = _IS_ACTIVE.read(transaction.connection, team_id.bytes)
    return bool(rows) and rows[0]["is_active"]


def sharing_team(transaction: Transaction, user_id: UUID, others: Collection[UUID]) -> set[UUID]:
    """Those of some people who are in a team with somebody, one that is not switched off."""
    mine, theirs = members_table.alias("mine"), members_table.alias("theirs")
    query = (
        select(theirs.c.user_id)
        .join_from(mine, theirs, theirs.c.team_id == mine.c.team_id)
        .join(teams_table, teams_table.c.id == mine.c.team_id)
        .where(mine.c.user_id == user_id, theirs.c.user_id.in_(others), teams_table.c.is_active)
    )
    return set(transaction.connection.execute(query).scalars())


_ROLE = Prepared(
    select(members_table.c.role)
    .join(teams_table, teams_table.c.id == members_table.c.team_id)
    .where(
        teams_table.c.id == bindparam("team"), teams_table.c.is_active, members_table.c.user_id == bindparam("user")
    ),
    ["team", "user"],
)


def role_in_team(transaction: Transaction, team_id: UUID, user_id: UUID) -> str | None:
    """What somebody is in a team; None when they are not in it, or it is switched off."""
    rows = _ROLE.read(transaction.connection, team_id.bytes, user_id.bytes)
    return rows[0]["role"] if rows else None


def roles_in_teams(transaction: Transaction, team_ids: Collection[UUID], user_id: UUID) -> dict[UUID, str]:
    """What somebody is in those of these teams that they are in and that are not switched off."""
    query = select(members_table.c.team_id, members_table.c.role).join(
        teams_table, teams_table.c.id == members_table.c.team_id
    )
    mine = query.where(teams_table.c.id.in_(team_ids), teams_table.c.is_active, members_table.c.user_id == user_id)
    return {row.team_id: row.role for row in transaction.connection.execute(mine)}


def change_team(transaction: Transaction, team: ChatTeam, **changes: Any) -> ChatTeam:
    """Store what is different about a team's settings in chat; `update_at` is set to now."""
    changes = {"update_at": to_milliseconds(transaction.now)} | changes
    transaction.connection.execute(update(teams).where(teams.c.team_id == team.id).values(changes))
    return msgspec.structs.replace(team, **changes)


def _one(transaction: Transaction, condition: ColumnElement[bool]) -> ChatTeam | None:
    row = transaction.connection.execute(select_teams().where(condition)).mappings().one_or_none()
    return None if row is None else team_of(row)
