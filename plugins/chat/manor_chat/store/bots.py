"""Bots as rows."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec
from sqlalchemy import insert, select, update

from manor import Transaction
from manor_chat.tables.accounts import bots


class BotRow(msgspec.Struct, frozen=True, kw_only=True):
    """What chat knows of a bot besides who it is; see the table."""

    user_id: UUID
    owner_id: UUID
    description: str = ""


def find_bot(transaction: Transaction, user_id: UUID) -> BotRow | None:
    """The bot with this id; None when it was not made in chat."""
    return find_bots(transaction, [user_id]).get(user_id)


def find_bots(transaction: Transaction, ids: Collection[UUID]) -> dict[UUID, BotRow]:
    """Bots by id; those that are not there are left out."""
    if not ids:
        return {}
    rows = transaction.connection.execute(select(bots).where(bots.c.user_id.in_(ids))).mappings()
    return {row["user_id"]: BotRow(**row) for row in rows}


def put_bot(transaction: Transaction, bot: BotRow) -> None:
    """Keep a bot, in place of what was known of it."""
    values = msgspec.structs.asdict(bot)
    changed = update(bots).where(bots.c.user_id == bot.user_id).values(values)
    if not transaction.connection.execute(changed).rowcount:
        transaction.connection.execute(insert(bots).values(values))
