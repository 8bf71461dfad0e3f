"""Lists of channels: of a team, and of somebody."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from manor import Transaction, teams_table, users_table
from manor_chat.store.channels import CHANNEL, DIRECT, GROUP, MEMBER, OPEN, Channel, ChannelMember
from manor_chat.tables.channels import channel_members, channels

_IS_ALIVE = channels.c.delete_at == 0
_IS_OF_PEOPLE = channels.c.team_id.is_(None)


class Called(NamedTuple):
    """What a channel is called, and what it is for."""

    id: UUID
    name: str
    display_name: str
    purpose: str


_NAMES = [channels.c[name] for name in Called._fields]


def public_channels(transaction: Transaction, team_id: UUID, *, limit: int, offset: int) -> list[Channel]:
    """A page of a team's public channels, by what they are called."""
    query = _called(select(*CHANNEL).where(channels.c.team_id == team_id, channels.c.type == OPEN, _IS_ALIVE))
    return _channels(transaction, query.limit(limit).offset(offset))


def public_among(transaction: Transaction, team_id: UUID, ids: Collection[UUID]) -> list[Channel]:
    """Those of some channels that are public ones of a team."""
    public = (channels.c.team_id == team_id) & (channels.c.type == OPEN) & _IS_ALIVE
    return _channels(transaction, _called(select(*CHANNEL).where(public, channels.c.id.in_(ids))))


def archived_channels(
    transaction: Transaction,
    team_id: UUID,
    user_id: UUID,
    *,
    sees_public: bool,
    sees_all: bool,
    limit: int,
    offset: int,
) -> list[Channel]:
    """A page of a team's archived channels: those that somebody was in, public ones and all where they see them."""
    query = select(*CHANNEL).where(channels.c.team_id == team_id, channels.c.delete_at > 0)
    if not sees_all:
        seen: list[ColumnElement[bool]] = [channels.c.id.in_(_joined(user_id))]
        if sees_public:
            seen.append(channels.c.type == OPEN)
        query = query.where(or_(*seen))
    return _channels(transaction, _called(query).limit(limit).offset(offset))


def channels_of(
    transaction: Transaction,
    user_id: UUID,
    *,
    team_id: UUID | None = None,
    archived_since: int | None = None,
) -> list[Channel]:
    """The channels that somebody is in, those of people among them, by what they are called.

    Args:
        transaction: The caller's.
        user_id: Who.
        team_id: Of channels of teams only those of this one; None for all teams that are not switched off.
        archived_since: Those too that were archived then or later, in milliseconds; None for none.
    """
    mine = select(*CHANNEL).join(channel_members, channel_members.c.channel_id == channels.c.id)
    query = mine.where(channel_members.c.user_id == user_id)
    if team_id is not None:
        query = query.where(or_(channels.c.team_id == team_id, _IS_OF_PEOPLE))
    else:
        active = select(teams_table.c.id).where(teams_table.c.is_active)
        query = query.where(or_(channels.c.team_id.in_(active), _IS_OF_PEOPLE))
    if archived_since is None:
        query = query.where(_IS_ALIVE)
    else:
        query = query.where(or_(_IS_ALIVE, channels.c.delete_at >= archived_since))
    return _channels(transaction, _called(query))


def visible_names(transaction: Transaction, team_id: UUID, user_id: UUID, *, public_only: bool) -> list[Called]:
    """What all channels of a team are called that somebody in it may find, in that order."""
    seen = channels.c.type == OPEN
    if not public_only:
        seen = or_(seen, channels.c.id.in_(_joined(user_id)))
    query = _called(select(*_NAMES).where(channels.c.team_id == team_id, _IS_ALIVE, seen))
    return [Called(*row) for row in transaction.connection.execute(query)]


def joined_names(transaction: Transaction, team_id: UUID, user_id: UUID) -> list[Called]:
    """What somebody's channels of a team and their group channels are called, archived ones too, in that order."""
    here = or_(channels.c.team_id == team_id, channels.c.type == GROUP)
    query = _called(select(*_NAMES).where(here, channels.c.id.in_(_joined(user_id))))
    return [Called(*row) for row in transaction.connection.execute(query)]


def direct_channels_with(transaction: Transaction, user_id: UUID, part: str, *, alone: str) -> list[Channel]:
    """Somebody's direct channels with people who have these letters in their names.

    Args:
        transaction: The caller's.
        user_id: Who.
        part: In lower case.
        alone: The name of their channel with themselves.
    """
    mine, theirs = channel_members.alias("mine"), channel_members.alias("theirs")
    query = (
        select(*CHANNEL)
        .join(mine, mine.c.channel_id == channels.c.id)
        .join(theirs, theirs.c.channel_id == channels.c.id)
        .join(users_table, users_table.c.id == theirs.c.user_id)
        .where(mine.c.user_id == user_id, channels.c.type == DIRECT)
        .where(users_table.c.handle.contains(part, autoescape=True))
        .where(or_(theirs.c.user_id != user_id, channels.c.name == alone))
    )
    return _channels(transaction, query.order_by(users_table.c.handle))


def memberships_of(transaction: Transaction, user_id: UUID, team_id: UUID) -> list[ChannelMember]:
    """Somebody's part in each channel of a team and of people that they are in."""
    here = and_(channel_members.c.user_id == user_id, or_(channels.c.team_id == team_id, _IS_OF_PEOPLE))
    query = select(*MEMBER).join(channels, channels.c.id == channel_members.c.channel_id).where(here)
    rows = transaction.connection.execute(query.order_by(channel_members.c.channel_id)).mappings()
    return [ChannelMember(**row) for row in rows]


def memberships_in(transaction: Transaction, user_id: UUID, channel_ids: Collection[UUID]) -> list[ChannelMember]:
    """Somebody's part in those of some channels that they are in."""
    mine = (channel_members.c.user_id == user_id) & channel_members.c.channel_id.in_(channel_ids)
    rows = transaction.connection.execute(select(*MEMBER).where(mine)).mappings()
    return [ChannelMember(**row) for row in rows]


def _joined(user_id: UUID) -> Select[Any]:
    return select(channel_members.c.channel_id).where(channel_members.c.user_id == user_id)


def _called(query: Select[Any]) -> Select[Any]:
    return query.order_by(func.lower(channels.c.display_name), channels.c.id)


def _channels(transaction: Transaction, query: Select[Any]) -> list[Channel]:
    return [Channel(**row) for row in transaction.connection.execute(query).mappings()]
