"""Slash commands as rows, and where they may say more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import delete, insert, select, update

from manor import Transaction
from manor_chat.tables.integrations import command_replies, commands
from manor_chat.times import to_milliseconds

REPLY_MILLISECONDS = 30 * 60_000
REPLIES = 5
"""How long a command may say more, and how often."""


class SlashCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command of a team's; see the table."""

    id: UUID
    token: str
    create_at: int
    update_at: int
    creator_id: UUID
    team_id: UUID
    trigger: str
    method: str
    username: str = ""
    icon_url: str = ""
    auto_complete: bool = False
    auto_complete_desc: str = ""
    auto_complete_hint: str = ""
    display_name: str = ""
    description: str = ""
    url: str

    def __repr__(self) -> str:
        """Without the token, whatever log or traceback it lands in."""
        return f"SlashCommand({self.trigger!r})"


class CommandReply(msgspec.Struct, frozen=True, kw_only=True):
    """Where a command that was called may say more."""

    id: UUID
    create_at: int
    command_id: UUID
    user_id: UUID
    channel_id: UUID
    root_id: UUID | None = None
    use_count: int = 0


_COMMAND = [commands.c[name] for name in SlashCommand.__struct_fields__]
_REPLY = [command_replies.c[name] for name in CommandReply.__struct_fields__]


def find_command(transaction: Transaction, command_id: UUID) -> SlashCommand | None:
    """The command with this id."""
    row = transaction.connection.execute(select(*_COMMAND).where(commands.c.id == command_id)).mappings().one_or_none()
    return None if row is None else SlashCommand(**row)


def find_command_by_trigger(transaction: Transaction, team_id: UUID, trigger: str) -> SlashCommand | None:
    """The team's command of this name."""
    here = (commands.c.team_id == team_id) & (commands.c.trigger == trigger)
    row = transaction.connection.execute(select(*_COMMAND).where(here)).mappings().one_or_none()
    return None if row is None else SlashCommand(**row)


def list_commands(transaction: Transaction, team_id: UUID) -> Sequence[SlashCommand]:
    """All of a team's, by name."""
    query = select(*_COMMAND).where(commands.c.team_id == team_id).order_by(commands.c.trigger)
    return [SlashCommand(**row) for row in transaction.connection.execute(query).mappings()]


def add_command(transaction: Transaction, command: SlashCommand) -> None:
    """Keep a new one."""
    transaction.connection.execute(insert(commands).values(msgspec.structs.asdict(command)))


def change_command(transaction: Transaction, command: SlashCommand, **changes: Any) -> SlashCommand:
    """Store what is different; `update_at` is set to now."""
    changes = {"update_at": to_milliseconds(transaction.now)} | changes
    transaction.connection.execute(update(commands).where(commands.c.id == command.id).values(changes))
    return msgspec.structs.replace(command, **changes)


def remove_command(transaction: Transaction, command_id: UUID) -> None:
    """Forget it, and where it might have said more."""
    transaction.connection.execute(delete(command_replies).where(command_replies.c.command_id == command_id))
    transaction.connection.execute(delete(commands).where(commands.c.id == command_id))


# --- Saying more ---------------------------------------------------------------------------------------------------


def add_reply(transaction: Transaction, reply: CommandReply) -> None:
    """Let a command say more, and forget those whose time is over."""
    over = command_replies.c.create_at <= to_milliseconds(transaction.now) - REPLY_MILLISECONDS
    transaction.connection.execute(delete(command_replies).where(over))
    transaction.connection.execute(insert(command_replies).values(msgspec.structs.asdict(reply)))


def find_reply(transaction: Transaction, reply_id: UUID) -> CommandReply | None:
    """Where a command may say more, with this id; None once its time is over."""
    still = command_replies.c.create_at > to_milliseconds(transaction.now) - REPLY_MILLISECONDS
    query = select(*_REPLY).where(command_replies.c.id == reply_id, still)
    row = transaction.connection.execute(query).mappings().one_or_none()
    return None if row is None else CommandReply(**row)


def use_reply(transaction: Transaction, reply_id: UUID) -> bool:
    """Use it once more; False when that is too often."""
    left = (command_replies.c.id == reply_id) & (command_replies.c.use_count < REPLIES)
    used = update(command_replies).where(left).values(use_count=command_replies.c.use_count + 1)
    return transaction.connection.execute(used).rowcount > 0
