"""Teams and channels of an import. What is there already under its name is joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import select, update

from manor import Refused, Transaction, create_team, new_id, update_team, users_table
from manor_chat.channels.membership import seat
from manor_chat.domain.channel_rules import misfit_of
from manor_chat.domain.names import DISPLAY_NAME, RESERVED_TEAM_NAMES, TEAM_DESCRIPTION, TEAM_NAME
from manor_chat.moving.known import ChannelKey, look_up_channels, look_up_teams
from manor_chat.moving.lines import ChannelSaid, TeamSaid
from manor_chat.moving.report import Tally
from manor_chat.store.channels import (
    DEFAULT_CHANNELS,
    OPEN,
    PRIVATE,
    Channel,
    add_channel,
    change_channel,
    find_channel,
    find_channel_by_name,
)
from manor_chat.store.teams import find_team
from manor_chat.tables.people import teams as chat_teams
from manor_chat.teams.keeping import found_team, keep_team
from manor_chat.times import to_milliseconds


class Structure(NamedTuple):
    """What a unit of work made of some lines."""

    tally: Tally
    teams: dict[str, UUID]
    channels: dict[ChannelKey, UUID]


def keep_teams(
    transaction: Transaction, lines: Sequence[tuple[int, TeamSaid]], owners: Mapping[str, UUID]
) -> Structure:
    """Have the teams of some lines.

    Args:
        transaction: A writing one.
        lines: With their numbers.
        owners: Who owns a new team of this name; without one an administrator of the server does.
    """
    tally = Tally()
    found = look_up_teams(transaction, [said.name.lower() for _, said in lines])
    for line, said in lines:
        name = said.name.lower()
        if said.scheme:
            tally.left_out["permission schemes"] += 1
        if name in found:
            is_changed = _change_team(transaction, line, said, found[name], tally)
            (tally.changed if is_changed else tally.unchanged)["teams"] += 1
        else:
            team_id = _make_team(transaction, line, said, owners.get(name), tally)
            if team_id is not None:
                found[name] = team_id
                tally.made["teams"] += 1
    return Structure(tally, found, look_up_channels(transaction, list(found.values())))


def _make_team(transaction: Transaction, line: int, said: TeamSaid, owner_id: UUID | None, tally: Tally) -> UUID | None:
    name = said.name.lower()
    if TEAM_NAME.fullmatch(name) is None or name in RESERVED_TEAM_NAMES:
        tally.trouble(line, f"team {name[:80]}: no team may be called so")
        return None
    owner_id = owner_id or _administrator(transaction)
    if owner_id is None:
        tally.trouble(line, f"team {name}: nobody is in it, and this server has no administrator who could own it")
        return None
    try:
        team = create_team(transaction, owner_id, name=name, **_words(said, name))
    except Refused as refused:
        tally.trouble(line, f"team {name}: {refused.detail}")
        return None
    found_team(transaction, team.id, owner_id)
    square = find_channel_by_name(transaction, team.id, DEFAULT_CHANNELS[0])
    if square is not None:
        # At once: whoever is in a team and not yet there is taken in with a post that says so.
        seat(transaction, square, [owner_id])
    settings = _settings(said)
    if settings:
        transaction.connection.execute(update(chat_teams).where(chat_teams.c.team_id == team.id).values(settings))
    return team.id


def _change_team(transaction: Transaction, line: int, said: TeamSaid, team_id: UUID, tally: Tally) -> bool:
    keep_team(transaction, team_id)
    team = find_team(transaction, team_id)
    assert team is not None, "was kept just now"
    words = _words(said, team.display_name)
    changes = {key: value for key, value in _settings(said).items() if getattr(team, key) != value}
    if said.description is None:
        words["description"] = team.description or None
    is_other = (words["display_name"], words["description"] or "") != (team.display_name, team.description)
    try:
        if is_other:
            update_team(transaction, team_id, **words)
    except Refused as refused:
        tally.trouble(line, f"team {team.name}: {refused.detail}")
        is_other = False
    if changes:
        changes["update_at"] = to_milliseconds(transaction.now)
        transaction.connection.execute(update(chat_teams).where(chat_teams.c.team_id == team_id).values(changes))
    return is_other or bool(changes)


def _words(said: TeamSaid, name: str) -> dict[str, Any]:
    return {
        "display_name": (said.display_name or name)[:DISPLAY_NAME],
        "description": (said.description or "")[:TEAM_DESCRIPTION] or None,
    }


def _settings(said: TeamSaid) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if said.type in ("O", "I"):
        settings["type"] = said.type
    if said.allow_open_invite is not None:
        settings["allow_open_invite"] = said.allow_open_invite
    return settings


def _administrator(transaction: Transaction) -> UUID | None:
    is_one = users_table.c.is_admin & users_table.c.is_active & users_table.c.is_system.is_(False)
    query = select(users_table.c.id).where(is_one, users_table.c.is_bot.is_(False)).order_by(users_table.c.handle)
    found: UUID | None = transaction.connection.execute(query.limit(1)).scalar_one_or_none()
    return found


def keep_channels(
    transaction: Transaction, lines: Sequence[tuple[int, ChannelSaid]], teams: Mapping[str, UUID]
) -> Structure:
    """Have the channels of some lines, whose teams are known."""
    tally = Tally()
    team_ids = {team_id for _, said in lines if (team_id := teams.get(said.team.lower())) is not None}
    found = look_up_channels(transaction, team_ids)
    for line, said in lines:
        team_id = teams.get(said.team.lower())
        if said.scheme:
            tally.left_out["permission schemes"] += 1
        if team_id is None:
            tally.trouble(line, f"channel {said.name[:80]}: there is no team {said.team[:80]}")
            continue
        known = found.get((team_id, said.name.lower()))
        if known is not None:
            is_changed = _change_channel(transaction, line, said, known, tally)
            (tally.changed if is_changed else tally.unchanged)["channels"] += 1
            continue
        channel = _make_channel(transaction, line, said, team_id, tally)
        if channel is not None:
            found[team_id, channel.name] = channel.id
            tally.made["channels"] += 1
    return Structure(tally, {}, found)


def _make_channel(
    transaction: Transaction, line: int, said: ChannelSaid, team_id: UUID, tally: Tally
) -> Channel | None:
    now = to_milliseconds(transaction.now)
    channel = Channel(
        id=new_id(),
        team_id=team_id,
        type=said.type if said.type in (OPEN, PRIVATE) else PRIVATE,
        name=said.name.lower(),
        display_name=said.display_name or said.name,
        header=said.header or "",
        purpose=said.purpose or "",
        create_at=now,
        update_at=now,
        delete_at=said.deleted_at or 0,
    )
    if not _fits(line, channel, tally):
        return None
    add_channel(transaction, channel)
    return channel


def _change_channel(transaction: Transaction, line: int, said: ChannelSaid, channel_id: UUID, tally: Tally) -> bool:
    channel = find_channel(transaction, channel_id)
    assert channel is not None, "was found in this transaction"
    said_words = {"display_name": said.display_name or None, "header": said.header, "purpose": said.purpose}
    changes: dict[str, Any] = {
        key: value for key, value in said_words.items() if value is not None and getattr(channel, key) != value
    }
    if said.type in (OPEN, PRIVATE) and said.type != channel.type:
        tally.trouble(
            line, f"channel {channel.name}: is there already as a channel of type {channel.type}, and stays so"
        )
    if not changes or not _fits(line, _with(channel, changes), tally):
        return False
    change_channel(transaction, channel, **changes, update_at=to_milliseconds(transaction.now))
    return True


def _with(channel: Channel, changes: Mapping[str, Any]) -> Channel:
    return msgspec.structs.replace(channel, **changes)


def _fits(line: int, channel: Channel, tally: Tally) -> bool:
    words = ("name", "display_name", "header", "purpose")
    misfit = misfit_of({word: getattr(channel, word) for word in words})
    if misfit is not None:
        tally.trouble(line, f"channel {channel.name[:80]}: {misfit.detail}")
    return misfit is None
