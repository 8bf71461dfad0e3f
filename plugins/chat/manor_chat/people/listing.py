"""Lists of people: which of them, in which order, and who may see such a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, false, or_, select

from manor import Transaction, members_table, users_table
from manor_chat import faults
from manor_chat.domain.permissions import ROLES, SYSTEM_ADMIN, SYSTEM_USER
from manor_chat.http.params import PageQuery
from manor_chat.ids import read_id
from manor_chat.rights import Rights
from manor_chat.store.people import Person, list_people, select_people
from manor_chat.tables.channels import channel_members
from manor_chat.tables.people import profiles
from manor_chat.tables.personal import statuses

_SORTS_OF_TEAM = frozenset({"", "username", "last_activity_at", "create_at"})
_SORTS_OF_CHANNEL = frozenset({"", "username", "status", "display_name", "admin"})
_TRUE = frozenset({"true", "1", "t"})


class PeopleQuery(PageQuery, frozen=True, kw_only=True):
    """Which people; ids as they were sent."""

    in_team: str = ""
    not_in_team: str = ""
    in_channel: str = ""
    not_in_channel: str = ""
    in_group: str = ""
    group_constrained: str = ""
    without_team: str = ""
    active: str = ""
    inactive: str = ""
    role: str = ""
    roles: str = ""
    channel_roles: str = ""
    team_roles: str = ""
    sort: str = ""


def list_page(transaction: Transaction, rights: Rights, query: PeopleQuery) -> Sequence[Person]:
    """A page of the people that a query means.

    Raises:
        BadRequest: 400: a parameter is malformed, or two exclude each other.
        NotFound: 404: there is no such team or channel.
        Forbidden: 403: the caller may not see that list.
        NotImplementedHere: 501: groups.
    """
    wanted = read_query(query)
    _require(rights, query, wanted)
    people = select_people().where(everybody(), *_conditions(query, wanted))
    return list_people(transaction, _sorted(people, query.sort, wanted).limit(query.limit).offset(query.offset))


def everybody() -> ColumnElement[bool]:
    """All but the server itself."""
    return users_table.c.is_system.is_(False)


def in_team(team_id: UUID) -> ColumnElement[bool]:
    """Those in a team."""
    members = select(members_table.c.user_id).where(members_table.c.team_id == team_id)
    return users_table.c.id.in_(members)


def in_channel(channel_id: UUID) -> ColumnElement[bool]:
    """Those in a channel."""
    members = select(channel_members.c.user_id).where(channel_members.c.channel_id == channel_id)
    return users_table.c.id.in_(members)


def without_team() -> ColumnElement[bool]:
    """Those in no team."""
    return users_table.c.id.not_in(select(members_table.c.user_id))


def read_query(query: PeopleQuery) -> dict[str, UUID]:
    """The ids in a query, which is checked.

    Raises:
        BadRequest: 400: one is malformed, or something excludes something else.
        NotImplementedHere: 501: groups.
    """
    if query.in_group or query.group_constrained.lower() in _TRUE:
        raise faults.switched_off("api.ldap_groups.license_error", "Groups are not available on this server.")
    wanted = {}
    for name in ("in_team", "not_in_team", "in_channel", "not_in_channel"):
        text = getattr(query, name)
        if text:
            id_ = read_id(text)
            if id_ is None:
                raise faults.bad_url_param(name)
            wanted[name] = id_
    if _is_on(query.active) and _is_on(query.inactive):
        raise faults.bad_url_param("inactive")
    sorts = _SORTS_OF_CHANNEL if "in_channel" in wanted else _SORTS_OF_TEAM
    if query.sort not in sorts or (query.sort not in ("", "username") and not {"in_team", "in_channel"} & set(wanted)):
        raise faults.bad_url_param("sort")
    for name in ("role", "roles", "channel_roles", "team_roles"):
        if any(role not in ROLES for role in _names(getattr(query, name))):
            raise faults.bad_url_param(name)
    return wanted


def require_to_see(rights: Rights, *, teams: Sequence[UUID] = (), channels: Sequence[UUID] = ()) -> None:
    """See that somebody may see who is in these teams and channels.

    Raises:
        NotFound: 404: there is no such team or channel.
        Forbidden: 403.
    """
    for team_id in teams:
        rights.team(team_id)
        rights.require_in_team("view_team", team_id)
    for channel_id in channels:
        rights.readable_channel(channel_id)


def _is_on(text: str) -> bool:
    return text.lower() in _TRUE


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _require(rights: Rights, query: PeopleQuery, wanted: dict[str, UUID]) -> None:
    if _is_on(query.without_team):
        rights.require("list_users_without_team")
    teams = [wanted[name] for name in ("in_team", "not_in_team") if name in wanted]
    channels = [wanted[name] for name in ("in_channel", "not_in_channel") if name in wanted]
    require_to_see(rights, teams=teams, channels=channels)
    if not teams and not channels:
        rights.require("view_members")


def _conditions(query: PeopleQuery, wanted: dict[str, UUID]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if "in_team" in wanted:
        found.append(in_team(wanted["in_team"]))
    if "not_in_team" in wanted:
        found.append(~in_team(wanted["not_in_team"]))
    if "in_channel" in wanted:
        found.append(in_channel(wanted["in_channel"]))
    if "not_in_channel" in wanted:
        found.append(~in_channel(wanted["not_in_channel"]))
    if _is_on(query.without_team):
        found.append(without_team())
    if _is_on(query.active) or _is_on(query.inactive):
        found.append(users_table.c.is_active.is_(_is_on(query.active)))
    if query.role:
        found.append(_has_role(query.role))
    any_of = [_has_role(role) for role in _names(query.roles)]
    any_of += _team_roles(query, wanted) + _channel_roles(query, wanted)
    if any_of:
        found.append(or_(*any_of))
    return found


def _has_role(role: str) -> ColumnElement[bool]:
    if role == SYSTEM_ADMIN:
        return users_table.c.is_admin.is_(True)
    if role == SYSTEM_USER:
        return users_table.c.is_admin.is_(False)
    return (" " + profiles.c.roles + " ").contains(f" {role} ", autoescape=True)


def _team_roles(query: PeopleQuery, wanted: dict[str, UUID]) -> list[ColumnElement[bool]]:
    """Members of the team that lead it, or do not; nobody without a team."""
    names = _names(query.team_roles)
    if names and "in_team" not in wanted:
        return [false()]
    leads = members_table.c.role.in_(("owner", "admin"))
    conditions = {"team_admin": leads, "team_user": ~leads}
    return [
        users_table.c.id.in_(
            select(members_table.c.user_id).where(
                and_(members_table.c.team_id == wanted["in_team"], conditions.get(name, false()))
            )
        )
        for name in names
    ]


def _channel_roles(query: PeopleQuery, wanted: dict[str, UUID]) -> list[ColumnElement[bool]]:
    names = _names(query.channel_roles)
    if names and "in_channel" not in wanted:
        return [false()]
    leads = channel_members.c.is_admin
    conditions = {"channel_admin": leads.is_(True), "channel_user": leads.is_(False)}
    return [
        users_table.c.id.in_(
            select(channel_members.c.user_id).where(
                and_(channel_members.c.channel_id == wanted["in_channel"], conditions.get(name, false()))
            )
        )
        for name in names
    ]


def _sorted(people: Select[Any], sort: str, wanted: dict[str, UUID]) -> Select[Any]:
    """The order; whoever is equal by it stands by their name."""
    by_name = users_table.c.handle
    match sort:
        case "last_activity_at" | "status":
            people = people.join(statuses, statuses.c.user_id == users_table.c.id, isouter=True)
            if sort == "last_activity_at":
                return people.order_by(statuses.c.last_activity_at.desc().nulls_last(), by_name)
            ranks = {"online": 0, "away": 1, "dnd": 2}
            return people.order_by(case(ranks, value=statuses.c.status, else_=3), by_name)
        case "admin":
            here = channel_members.c.channel_id == wanted["in_channel"]
            people = people.join(channel_members, here & (channel_members.c.user_id == users_table.c.id))
            return people.order_by(channel_members.c.is_admin.desc(), by_name)
        case "create_at":
            return people.order_by(users_table.c.created_at.desc(), by_name)
    return people.order_by(by_name)
