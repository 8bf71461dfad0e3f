"""Lines of an export about people and bots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from manor import Transaction, members_table
from manor_chat.ids import shown_id
from manor_chat.moving.accounts import NOTIFY
from manor_chat.moving.lines import BotSaid, HearingSaid, InChannelSaid, InTeamSaid, Line, NotifySaid, UserSaid
from manor_chat.moving.preferences import FAVORITE, THEME, say_preferences
from manor_chat.moving.seating import HEARING
from manor_chat.status.custom import PROP
from manor_chat.store.bots import find_bots
from manor_chat.store.channels import MEMBER, ChannelMember
from manor_chat.store.people import Person
from manor_chat.store.preferences import Preference
from manor_chat.tables.channels import channel_members
from manor_chat.tables.personal import preferences


@dataclass
class Names:
    """What everybody and everything in an export is called, by id."""

    users: dict[UUID, str] = field(default_factory=dict)
    bots: set[UUID] = field(default_factory=set)
    teams: dict[UUID, str] = field(default_factory=dict)
    channels: dict[UUID, tuple[UUID, str]] = field(default_factory=dict)


def picture_path(user_id: UUID) -> str:
    """Where somebody's picture is in the archive."""
    return f"pictures/{shown_id(user_id)}.png"


def people_lines(transaction: Transaction, people: Sequence[Person], names: Names, *, with_files: bool) -> list[Line]:
    """Lines of some people, with what they are in and what they prefer."""
    ids = [person.id for person in people]
    prefer = _preferences(transaction, ids)
    seats = _seats(transaction, ids)
    teams = _teams(transaction, ids, names)
    lines = []
    for person in people:
        mine = prefer[person.id]
        said = _said(person)
        say_preferences(said, person, mine)
        themes = {each.name: each.value for each in mine if each.category == THEME and each.name}
        favorites = {each.name for each in mine if each.category == FAVORITE and each.value == "true"}
        in_teams = []
        for team_id, role in sorted(teams[person.id], key=lambda each: names.teams[each[0]]):
            there = [each for each in seats[person.id] if names.channels.get(each.channel_id, (None,))[0] == team_id]
            in_team = InTeamSaid(
                name=names.teams[team_id],
                roles="team_user" if role == "member" else "team_user team_admin",
                theme=themes.get(shown_id(team_id)),
                channels=_in_channels(there, names, favorites) or None,
            )
            in_teams.append(in_team)
        said.teams = in_teams or None
        if with_files and person.profile.picture is not None:
            said.profile_image = picture_path(person.id)
        lines.append(Line(type="user", user=said))
    return lines


def bot_lines(transaction: Transaction, bots: Sequence[Person], names: Names, *, with_files: bool) -> list[Line]:
    """Lines of some bots."""
    rows = find_bots(transaction, [bot.id for bot in bots])
    lines = []
    for bot in bots:
        row = rows.get(bot.id)
        said = BotSaid(
            username=bot.handle,
            owner="" if row is None else names.users.get(row.owner_id, ""),
            display_name=bot.profile.first_name or None,
            description=None if row is None else row.description or None,
            delete_at=_deactivated(bot),
        )
        if with_files and bot.profile.picture is not None:
            said.profile_image = picture_path(bot.id)
        lines.append(Line(type="bot", bot=said))
    return lines


def _said(person: Person) -> UserSaid:
    profile = person.profile
    notify = {theirs: profile.notify_props[ours] for theirs, ours in NOTIFY.items() if ours in profile.notify_props}
    roles = ["system_user", *(["system_admin"] if person.is_admin else []), *profile.roles.split()]
    return UserSaid(
        username=person.handle,
        email=person.email,
        nickname=profile.nickname or None,
        first_name=profile.first_name or None,
        last_name=profile.last_name or None,
        position=profile.position or None,
        roles=" ".join(roles),
        locale=profile.locale or None,
        delete_at=_deactivated(person),
        notify_props=NotifySaid(**notify) if notify else None,
        custom_status=_custom_status(profile.props),
    )


def _deactivated(person: Person) -> int | None:
    if person.is_active:
        return None
    return person.profile.delete_at or person.profile.update_at or person.create_at


def _custom_status(props: Mapping[str, str]) -> dict[str, Any] | None:
    try:
        status = msgspec.json.decode(props.get(PROP) or "null")
    except msgspec.DecodeError:
        return None
    return status if isinstance(status, dict) else None


def _in_channels(seats: Iterable[ChannelMember], names: Names, favorites: set[str]) -> list[InChannelSaid]:
    said = []
    for seat in seats:
        hearing = {
            theirs: value for theirs, ours in HEARING.items() if isinstance(value := seat.notify_props.get(ours), str)
        }
        said.append(
            InChannelSaid(
                name=names.channels[seat.channel_id][1],
                roles="channel_user channel_admin" if seat.is_admin else "channel_user",
                notify_props=HearingSaid(**hearing) if hearing else None,
                favorite=True if shown_id(seat.channel_id) in favorites else None,
            )
        )
    return sorted(said, key=lambda each: each.name)


def _preferences(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, list[Preference]]:
    found: dict[UUID, list[Preference]] = defaultdict(list)
    for row in transaction.connection.execute(select(preferences).where(preferences.c.user_id.in_(ids))):
        found[row.user_id].append(Preference(category=row.category, name=row.name, value=row.value))
    return found


def _seats(transaction: Transaction, ids: Sequence[UUID]) -> dict[UUID, list[ChannelMember]]:
    found: dict[UUID, list[ChannelMember]] = defaultdict(list)
    query = select(*MEMBER).where(channel_members.c.user_id.in_(ids))
    for row in transaction.connection.execute(query).mappings():
        found[row["user_id"]].append(ChannelMember(**row))
    return found


def _teams(transaction: Transaction, ids: Sequence[UUID], names: Names) -> dict[UUID, list[tuple[UUID, str]]]:
    found: dict[UUID, list[tuple[UUID, str]]] = defaultdict(list)
    query = select(members_table.c.user_id, members_table.c.team_id, members_table.c.role)
    for row in transaction.connection.execute(query.where(members_table.c.user_id.in_(ids))):
        if row.team_id in names.teams:
            found[row.user_id].append((row.team_id, row.role))
    return found
