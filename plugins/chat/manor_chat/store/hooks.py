"""Webhooks as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, func, insert, or_, select, update

from manor import Transaction
from manor_chat.store.channels import OPEN
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.integrations import incoming_hooks, outgoing_hooks
from manor_chat.times import to_milliseconds


class IncomingHook(msgspec.Struct, frozen=True, kw_only=True):
    """Lets whoever knows its id post into a channel; see the table."""

    id: UUID
    create_at: int
    update_at: int
    user_id: UUID
    channel_id: UUID
    team_id: UUID
    display_name: str = ""
    description: str = ""
    username: str = ""
    icon_url: str = ""
    channel_locked: bool = False

    def __repr__(self) -> str:
        """Without the id, whatever log or traceback it lands in."""
        return f"IncomingHook({self.display_name!r})"


class OutgoingHook(msgspec.Struct, frozen=True, kw_only=True):
    """Tells another server of posts; see the table. With `channel_id` None it is for all channels of the team."""

    id: UUID
    token: str
    create_at: int
    update_at: int
    creator_id: UUID
    channel_id: UUID | None
    team_id: UUID
    trigger_words: list[str]
    trigger_when: int
    callback_urls: list[str]
    display_name: str = ""
    description: str = ""
    content_type: str = ""
    username: str = ""
    icon_url: str = ""

    def __repr__(self) -> str:
        """Without the token, whatever log or traceback it lands in."""
        return f"OutgoingHook({self.display_name!r})"


_INCOMING = [incoming_hooks.c[name] for name in IncomingHook.__struct_fields__]
_OUTGOING = [outgoing_hooks.c[name] for name in OutgoingHook.__struct_fields__]

# --- Incoming ------------------------------------------------------------------------------------------------------


def find_incoming(transaction: Transaction, hook_id: UUID) -> IncomingHook | None:
    """The incoming webhook with this id."""
    query = select(*_INCOMING).where(incoming_hooks.c.id == hook_id)
    row = transaction.connection.execute(query).mappings().one_or_none()
    return None if row is None else IncomingHook(**row)


def list_incoming(
    transaction: Transaction,
    *,
    team_id: UUID | None,
    user_id: UUID | None,
    reader_id: UUID | None,
    offset: int,
    limit: int,
) -> Sequence[IncomingHook]:
    """A page of a team's (None: of all), or of somebody's in it, by name.

    Args:
        transaction: The caller's.
        team_id: Which team's.
        user_id: Whose.
        reader_id: Those for private channels only where this person is in them; None for all.
        offset: Behind how many.
        limit: How many.
    """
    query = select(*_INCOMING).where(*_listed(team_id, user_id, reader_id))
    query = query.order_by(incoming_hooks.c.display_name, incoming_hooks.c.id).offset(offset).limit(limit)
    return [IncomingHook(**row) for row in transaction.connection.execute(query).mappings()]


def count_incoming(
    transaction: Transaction, *, team_id: UUID | None, user_id: UUID | None, reader_id: UUID | None
) -> int:
    """How many there are; see `list_incoming`."""
    query = select(func.count()).select_from(incoming_hooks).where(*_listed(team_id, user_id, reader_id))
    return transaction.connection.execute(query).scalar_one()


def add_incoming(transaction: Transaction, hook: IncomingHook) -> None:
    """Keep a new one."""
    transaction.connection.execute(insert(incoming_hooks).values(msgspec.structs.asdict(hook)))


def change_incoming(transaction: Transaction, hook: IncomingHook, **changes: Any) -> IncomingHook:
    """Store what is different; `update_at` is set to now."""
    changes = {"update_at": to_milliseconds(transaction.now)} | changes
    transaction.connection.execute(update(incoming_hooks).where(incoming_hooks.c.id == hook.id).values(changes))
    return msgspec.structs.replace(hook, **changes)


def remove_incoming(transaction: Transaction, hook_id: UUID) -> None:
    """Forget it."""
    transaction.connection.execute(delete(incoming_hooks).where(incoming_hooks.c.id == hook_id))


# --- Outgoing ------------------------------------------------------------------------------------------------------


def find_outgoing(transaction: Transaction, hook_id: UUID) -> OutgoingHook | None:
    """The outgoing webhook with this id."""
    query = select(*_OUTGOING).where(outgoing_hooks.c.id == hook_id)
    row = transaction.connection.execute(query).mappings().one_or_none()
    return None if row is None else OutgoingHook(**row)


def list_outgoing(
    transaction: Transaction,
    *,
    team_id: UUID | None,
    channel_id: UUID | None = None,
    creator_id: UUID | None = None,
    offset: int = 0,
    limit: int = -1,
) -> Sequence[OutgoingHook]:
    """A page of a team's (None: of all), of a channel's, or of somebody's among them, by name."""
    query = select(*_OUTGOING).where(*_of(outgoing_hooks.c, "creator_id", team_id, creator_id))
    if channel_id is not None:
        query = query.where(outgoing_hooks.c.channel_id == channel_id)
    query = query.order_by(outgoing_hooks.c.display_name, outgoing_hooks.c.id).offset(offset).limit(limit)
    return [OutgoingHook(**row) for row in transaction.connection.execute(query).mappings()]


def outgoing_for(transaction: Transaction, team_id: UUID, channel_id: UUID) -> Sequence[OutgoingHook]:
    """Those that a post in this channel may trigger."""
    here = or_(outgoing_hooks.c.channel_id == channel_id, outgoing_hooks.c.channel_id.is_(None))
    query = select(*_OUTGOING).where(outgoing_hooks.c.team_id == team_id, here).order_by(outgoing_hooks.c.id)
    return [OutgoingHook(**row) for row in transaction.connection.execute(query).mappings()]


def teams_with_outgoing(transaction: Transaction) -> frozenset[UUID]:
    """The teams that have any."""
    return frozenset(transaction.connection.execute(select(outgoing_hooks.c.team_id).distinct()).scalars())


def add_outgoing(transaction: Transaction, hook: OutgoingHook) -> None:
    """Keep a new one."""
    transaction.connection.execute(insert(outgoing_hooks).values(msgspec.structs.asdict(hook)))


def change_outgoing(transaction: Transaction, hook: OutgoingHook, **changes: Any) -> OutgoingHook:
    """Store what is different; `update_at` is set to now."""
    changes = {"update_at": to_milliseconds(transaction.now)} | changes
    transaction.connection.execute(update(outgoing_hooks).where(outgoing_hooks.c.id == hook.id).values(changes))
    return msgspec.structs.replace(hook, **changes)


def remove_outgoing(transaction: Transaction, hook_id: UUID) -> None:
    """Forget it."""
    transaction.connection.execute(delete(outgoing_hooks).where(outgoing_hooks.c.id == hook_id))


def _listed(team_id: UUID | None, user_id: UUID | None, reader_id: UUID | None) -> list[Any]:
    conditions = _of(incoming_hooks.c, "user_id", team_id, user_id)
    if reader_id is None:
        return conditions
    public = select(channels.c.id).where(channels.c.type == OPEN)
    joined = select(channel_members.c.channel_id).where(channel_members.c.user_id == reader_id)
    readable = incoming_hooks.c.channel_id.in_(public) | incoming_hooks.c.channel_id.in_(joined)
    return [*conditions, readable]


def _of(columns: Any, owner: str, team_id: UUID | None, owner_id: UUID | None) -> list[Any]:
    conditions = [] if team_id is None else [columns.team_id == team_id]
    return conditions if owner_id is None else [*conditions, columns[owner] == owner_id]
