"""What somebody made for programs, to be erased with them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, or_, select

from manor import Transaction
from manor_chat.tables.integrations import command_replies, commands, incoming_hooks, outgoing_hooks


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
