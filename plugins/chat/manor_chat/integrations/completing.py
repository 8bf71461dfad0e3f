"""What clients offer while somebody types a slash command."""

from __future__ import annotations

from uuid import UUID

import msgspec

from manor import Transaction
from manor_chat.integrations.built_in import BUILT_IN
from manor_chat.store.commands import list_commands
from manor_chat.wire.integrations import CommandShown, show_command

MOST = 50


class AutocompleteSuggestion(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One way to go on; the keys are capitalised, unlike everywhere else."""

    complete: str
    suggestion: str
    hint: str
    description: str
    icon_data: str = ""


def built_in_commands() -> list[CommandShown]:
    """The built-in ones, by name."""
    return [
        CommandShown(
            trigger=each.trigger,
            auto_complete=True,
            auto_complete_desc=each.description,
            auto_complete_hint=each.hint,
            display_name=each.trigger,
        )
        for _, each in sorted(BUILT_IN.items())
    ]


def commands_for(transaction: Transaction, team_id: UUID) -> list[CommandShown]:
    """What is offered to everybody in a team: the built-in ones, and those of its own that want to be."""
    own = [show_command(each, whole=False) for each in list_commands(transaction, team_id) if each.auto_complete]
    return [*built_in_commands(), *own]


def suggestions(commands: list[CommandShown], typed: str) -> list[AutocompleteSuggestion]:
    """How what somebody typed may go on.

    Args:
        commands: Those that there are.
        typed: With or without the slash.
    """
    text = typed.removeprefix("/")
    trigger, space, _ = text.partition(" ")
    if not space:
        found = sorted((each for each in commands if each.trigger.startswith(trigger.lower())), key=_by_trigger)
        return [
            AutocompleteSuggestion(
                complete=each.trigger,
                suggestion=each.trigger,
                hint=each.auto_complete_hint,
                description=each.auto_complete_desc,
            )
            for each in found[:MOST]
        ]
    named = (each for each in commands if each.trigger == trigger.lower() and each.auto_complete_hint)
    return [
        AutocompleteSuggestion(
            complete=text, suggestion="", hint=each.auto_complete_hint, description=each.auto_complete_desc
        )
        for each in named
    ]


def _by_trigger(command: CommandShown) -> str:
    return command.trigger
