"""Channels and their members as rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, func, insert, select, update

from manor import Prepared, Transaction
from manor_chat.tables.channels import channel_members, channels

OPEN, PRIVATE, DIRECT, GROUP = "O", "P", "D", "G"
DEFAULT_CHANNELS = ("town-square", "off-topic")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel; see the table."""

    id: UUID
    team_id: UUID | None
    type: str
    name: str
    display_name: str
    header: str = ""
    purpose: str = ""
    creator_id: UUID | None = None
    create_at: int
    update_at: int
    delete_at: int = 0
    last_post_at: int = 0
    last_root_post_at: int = 0
    total_msg_count: int = 0
    total_msg_count_root: int = 0
    last_sequence: int = 0

    @property
    def is_of_people(self) -> bool:
        """Whether it is a direct or a group channel, which belongs to no team."""
        return self.team_id is None

    @property
    def is_default(self) -> bool:
        """Whether it is the one that everybody in the team is in."""
        return self.name == DEFAULT_CHANNELS[0] and self.team_id is not None


class ChannelMember(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a channel, and what they have read; see the table."""

    channel_id: UUID
    user_id: UUID
    is_admin: bool = False
    roles: str = ""
    joined_at: int
    last_viewed_at: int = 0
    last_update_at: int
    msg_count: int = 0
    msg_count_root: int = 0
    mention_count: int = 0
    mention_count_root: int = 0
    notify_props: dict[str, str] = {}


CHANNEL = [channels.c[name] for name in Channel.__struct_fields__]
MEMBER = [channel_members.c[name] for name in ChannelMember.__struct_fields__]

_CHANNEL_BY_ID = Prepared(select(*CHANNEL).where(channels.c.id == bindparam("id")), ["id"])
_MEMBER_BY_IDS = Prepared(
    select(*MEMBER).where(
        channel_members.c.channel_id == bindparam("channel"), channel_members.c.user_id == bindparam("user")
    ),
    ["channel", "user"],
)


def find_channel(transaction: Transaction, channel_id: UUID) -> Channel | None:
    """The channel with this id, an archived one too."""
    rows = _CHANNEL_BY_ID.read(transaction.connection, channel_id.bytes)
    return Channel(**rows[0]) if rows else None


def find_channels(transaction: Transaction, ids: Collection[UUID]) -> dict[UUID, Channel]:
    """Channels by id; those that are not there are left out."""
    if not ids:
        return {}
    rows = transaction.connection.execute(select(*CHANNEL).where(channels.c.id.in_(ids))).mappings()
    return {row["id"]: Channel(**row) for row in rows}


def find_channel_by_name(transaction: Transaction, team_id: UUID | None, name: str) -> Channel | None:
    """The channel of a team (None: of people) with this name, an archived one too."""
    where = channels.c.team_id.is_(None) if team_id is None else channels.c.team_id == team_id
    row = (
        transaction.connection.execute(select(*CHANNEL).where(where, channels.c.name == name)).mappings().one_or_none()
    )
    return None if row is None else Channel(**row)


def add_channel(transaction: Transaction, channel: Channel) -> None:
    """Keep a new channel.

    Raises:
        sqlalchemy.exc.IntegrityError: The team has one of this name.
    """
    transaction.connection.execute(insert(channels).values(msgspec.structs.asdict(channel)))


def change_channel(transaction: Transaction, channel: Channel, **changes: Any) -> Channel:
    """Store what is different about a channel, and give it as it is now."""
    changed = msgspec.structs.replace(channel, **changes)
    transaction.connection.execute(update(channels).where(channels.c.id == channel.id).values(changes))
    return changed


def find_member(transaction: Transaction, channel_id: UUID, user_id: UUID) -> ChannelMember | None:
    """Somebody's part in a channel, if they are in it."""
    rows = _MEMBER_BY_IDS.read(transaction.connection, channel_id.bytes, user_id.bytes)
    return ChannelMember(**rows[0]) if rows else None


def member_ids(transaction: Transaction, channel_id: UUID) -> Sequence[UUID]:
    """Everybody in a channel."""
    query = select(channel_members.c.user_id).where(channel_members.c.channel_id == channel_id)
    return transaction.connection.execute(query).scalars().all()


def count_members(transaction: Transaction, channel_id: UUID) -> int:
    """How many are in a channel."""
    query = select(func.count()).select_from(channel_members).where(channel_members.c.channel_id == channel_id)
    return transaction.connection.execute(query).scalar_one()


def add_members(transaction: Transaction, members: Sequence[ChannelMember]) -> None:
    """Keep new members."""
    if members:
        transaction.connection.execute(insert(channel_members), [msgspec.structs.asdict(each) for each in members])


def change_member(transaction: Transaction, member: ChannelMember, **changes: Any) -> ChannelMember:
    """Store what is different about a member, and give them as they are now."""
    mine = (channel_members.c.channel_id == member.channel_id) & (channel_members.c.user_id == member.user_id)
    transaction.connection.execute(update(channel_members).where(mine).values(changes))
    return msgspec.structs.replace(member, **changes)
