"""What somebody made for programs: for their export, and to be erased with them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, or_, select

from manor import Transaction
from manor_chat.store.commands import COMMAND, SlashCommand
from manor_chat.store.hooks import INCOMING, OUTGOING, IncomingHook, OutgoingHook
from manor_chat.tables.integrations import command_replies, commands, incoming_hooks, outgoing_hooks


def hooks_of(transaction: Transaction, user_id: UUID) -> tuple[Sequence[IncomingHook], Sequence[OutgoingHook]]:
    """Somebody's webhooks."""
    connection = transaction.connection
    incoming = select(*INCOMING).where(incoming_hooks.c.user_id == user_id).order_by(incoming_hooks.c.create_at)
    outgoing = select(*OUTGOING).where(outgoing_hooks.c.creator_id == user_id).order_by(outgoing_hooks.c.create_at)
    return (
        [IncomingHook(**row) for row in connection.execute(incoming).mappings()],
        [OutgoingHook(**row) for row in connection.execute(outgoing).mappings()],
    )


def commands_of(transaction: Transaction, user_id: UUID) -> Sequence[SlashCommand]:
    """Somebody's slash commands."""
    query = select(*COMMAND).where(commands.c.creator_id == user_id).order_by(commands.c.create_at)
    return [SlashCommand(**row) for row in transaction.connection.execute(query).mappings()]


def remove_some(transaction: Transaction, user_id: UUID, limit: int) -> int:
    """Remove at most so many rows of what somebody made, and of where commands that they typed may say more."""
    theirs = select(commands.c.id).where(commands.c.creator_id == user_id)
    replies = or_(command_replies.c.user_id == user_id, command_replies.c.command_id.in_(theirs))
    gone = 0
    # The commands last: by them their replies are found.
    for table, condition in (
        (incoming_hooks, incoming_hooks.c.user_id == user_id),
        (outgoing_hooks, outgoing_hooks.c.creator_id == user_id),
        (command_replies, replies),
        (commands, commands.c.creator_id == user_id),
    ):
        some = select(table.c.id).where(condition).limit(limit - gone)
        gone += transaction.connection.execute(delete(table).where(table.c.id.in_(some))).rowcount
        if gone >= limit:
            break
    return gone
