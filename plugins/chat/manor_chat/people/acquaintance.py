"""Who somebody shares channels with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select

from manor import Transaction, users_table
from manor_chat.store.channels import GROUP
from manor_chat.store.people import Person, person_of, select_people
from manor_chat.tables.channels import channel_members, channels


def known_ids(transaction: Transaction, user_id: UUID) -> Sequence[UUID]:
    """Everybody who is in a channel that this person is in."""
    mine = select(channel_members.c.channel_id).where(channel_members.c.user_id == user_id)
    query = select(channel_members.c.user_id).where(
        channel_members.c.channel_id.in_(mine), channel_members.c.user_id != user_id
    )
    return transaction.connection.execute(query.distinct().order_by(channel_members.c.user_id)).scalars().all()


def others_of_groups(
    transaction: Transaction, channel_ids: Collection[UUID], user_id: UUID
) -> dict[UUID, list[Person]]:
    """The others in those of these channels that are group channels with this person in them."""
    mine = select(channel_members.c.channel_id).where(channel_members.c.user_id == user_id)
    query = (
        select_people()
        .add_columns(channel_members.c.channel_id.label("of_channel"))
        .join(channel_members, channel_members.c.user_id == users_table.c.id)
        .join(channels, channels.c.id == channel_members.c.channel_id)
        .where(
            channels.c.type == GROUP,
            channels.c.id.in_(channel_ids),
            channels.c.id.in_(mine),
            channel_members.c.user_id != user_id,
        )
        .order_by(users_table.c.handle)
    )
    found: dict[UUID, list[Person]] = {}
    for row in transaction.connection.execute(query).mappings():
        found.setdefault(row["of_channel"], []).append(person_of(row))
    return found
