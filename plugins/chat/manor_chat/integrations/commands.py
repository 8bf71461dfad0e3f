"""Slash commands of teams: who keeps them, and what they may be."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec

from manor import NotFound, Transaction, new_id
from manor_chat import faults
from manor_chat.domain.callbacks import is_web_address
from manor_chat.domain.triggers import is_command_trigger
from manor_chat.ids import new_token, read_ids
from manor_chat.rights import Rights
from manor_chat.store.commands import (
    SlashCommand,
    add_command,
    change_command,
    find_command,
    find_command_by_trigger,
    remove_command,
)
from manor_chat.times import to_milliseconds

MANAGE, MANAGE_OTHERS = "manage_slash_commands", "manage_others_slash_commands"
POST, GET = "P", "G"

_BAD = "model.command.is_valid"
_LONGEST = {
    "url": 1024, "display_name": 64, "description": 128, "username": 64, "icon_url": 1024,
    "auto_complete_desc": 1024, "auto_complete_hint": 1024,
}  # fmt: skip


class WantedCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A slash command as somebody wants it."""

    id: str = ""
    team_id: str = ""
    trigger: str = ""
    method: str = ""
    username: str = ""
    icon_url: str = ""
    auto_complete: bool = False
    auto_complete_desc: str = ""
    auto_complete_hint: str = ""
    display_name: str = ""
    description: str = ""
    url: str = ""


def make(
    transaction: Transaction, rights: Rights, team_id: UUID, wanted: WantedCommand, built_in: Collection[str]
) -> SlashCommand:
    """Make a slash command for a team.

    Args:
        transaction: The caller's.
        rights: Of whoever asks.
        team_id: For which team.
        wanted: How it is to be.
        built_in: Names that are taken everywhere.

    Raises:
        BadRequest: 400: it cannot be so, or is called as another.
        NotFound: 404: there is no such team.
        Forbidden: 403: they may not.
    """
    rights.team(team_id)
    rights.require_in_team(MANAGE, team_id)
    described = _described(wanted)
    _check_free(transaction, team_id, described["trigger"], built_in)
    now = to_milliseconds(transaction.now)
    command = SlashCommand(
        id=new_id(),
        token=new_token(),
        create_at=now,
        update_at=now,
        creator_id=rights.user_id,
        team_id=team_id,
        **described,
    )
    add_command(transaction, command)
    return command


def change(
    transaction: Transaction, rights: Rights, command_id: UUID, wanted: WantedCommand, built_in: Collection[str]
) -> SlashCommand:
    """Have a slash command otherwise; its token stays.

    Raises:
        BadRequest: 400: it cannot be so, is called as another, or would belong to another team.
        NotFound: 404: there is none for them.
        Forbidden: 403: it is somebody else's.
    """
    command = _visible(transaction, rights, command_id)
    if wanted.team_id and read_ids([wanted.team_id]) != [command.team_id]:
        raise faults.bad_value("api.command.team_mismatch.app_error", "A command stays in its team.")
    _require_own(rights, command)
    described = _described(wanted)
    if described["trigger"] != command.trigger:
        _check_free(transaction, command.team_id, described["trigger"], built_in)
    return change_command(transaction, command, **described)


def renew_token(transaction: Transaction, rights: Rights, command_id: UUID) -> SlashCommand:
    """Give a slash command another token.

    Raises:
        NotFound: 404: there is none for them.
        Forbidden: 403: it is somebody else's.
    """
    command = _visible(transaction, rights, command_id)
    _require_own(rights, command)
    return change_command(transaction, command, token=new_token())


def remove(transaction: Transaction, rights: Rights, command_id: UUID) -> None:
    """Remove a slash command.

    Raises:
        NotFound: 404: there is none for them.
        Forbidden: 403: it is somebody else's.
    """
    command = _visible(transaction, rights, command_id)
    _require_own(rights, command)
    remove_command(transaction, command.id)


def look_at(transaction: Transaction, rights: Rights, command_id: UUID) -> SlashCommand:
    """A slash command for those who keep the team's.

    Raises:
        NotFound: 404: there is none for them.
    """
    return _visible(transaction, rights, command_id)


def missing_command() -> NotFound:
    """404, for commands of other teams too: nobody learns what there is."""
    return NotFound("Unable to find the command", code="store.sql_command.get.missing.app_error")


def _visible(transaction: Transaction, rights: Rights, command_id: UUID) -> SlashCommand:
    command = find_command(transaction, command_id)
    if command is None or not rights.may_in_team(MANAGE, command.team_id):
        raise missing_command()
    return command


def _require_own(rights: Rights, command: SlashCommand) -> None:
    if command.creator_id != rights.user_id:
        rights.require_in_team(MANAGE_OTHERS, command.team_id)


def _check_free(transaction: Transaction, team_id: UUID, trigger: str, built_in: Collection[str]) -> None:
    if trigger in built_in or find_command_by_trigger(transaction, team_id, trigger) is not None:
        raise faults.bad_value(
            "api.command.duplicate_trigger.app_error", "This trigger word is already in use. Choose another word."
        )


def _described(wanted: WantedCommand) -> dict[str, Any]:
    trigger = wanted.trigger.strip().lower()
    if not is_command_trigger(trigger):
        raise _bad("trigger", "expected one word without a slash in front")
    if not wanted.url or not is_web_address(wanted.url):
        raise _bad("url", "expected an address that begins with http:// or https://")
    if wanted.method not in (POST, GET):
        raise _bad("method", "expected P or G")
    for name, longest in _LONGEST.items():
        if len(getattr(wanted, name)) > longest:
            raise _bad(name, f"longer than {longest} characters")
    if wanted.icon_url and not is_web_address(wanted.icon_url):
        raise _bad("icon_url", "expected a web address")
    return {name: getattr(wanted, name) for name in (*_LONGEST, "method", "auto_complete")} | {"trigger": trigger}


def _bad(name: str, what: str) -> Exception:
    return faults.bad_value(f"{_BAD}.{name}.app_error", f"Invalid {name}: {what}.")
