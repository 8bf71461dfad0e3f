"""What a built-in slash command is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from manor import Transaction
from manor_chat import faults
from manor_chat.config import ChatConfig
from manor_chat.integrations.command_answers import CommandResponse, only_them
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel
from manor_chat.store.teams import ChatTeam


@dataclass(frozen=True)
class Doing:
    """A command that is being done, within a transaction.

    Args:
        transaction: The command's own.
        rights: Of whoever typed it.
        channel: Where they typed it.
        team: In which team; None in a channel of people that was opened in none.
        root_id: In which thread.
        config: The plugin's.
        link: What addresses of this server begin with.
    """

    transaction: Transaction
    rights: Rights
    channel: Channel
    team: ChatTeam | None
    root_id: UUID | None
    config: ChatConfig
    link: str

    def address(self, path: str) -> str:
        """Where a client shows something of the team's; "" without a team."""
        return "" if self.team is None else f"{self.link}/{self.team.name}/{path}"


@dataclass(frozen=True)
class Echo:
    """A message that is said after some seconds."""

    message: str
    seconds: int


@dataclass(frozen=True)
class Outcome:
    """What came of a command.

    Args:
        response: What is said to whom, and where the client goes.
        status: How whoever typed it is there from now on.
        ends_session: Whether their session is over.
        echo: What is said later.
    """

    response: CommandResponse = field(default_factory=CommandResponse)
    status: str = ""
    ends_session: bool = False
    echo: Echo | None = None


@dataclass(frozen=True)
class BuiltIn:
    """A command that every team has.

    Args:
        trigger: Its name.
        description: What it does.
        hint: What is typed behind it.
        do: Does it; a refusal's text is shown to whoever typed it, and nothing was done.
    """

    trigger: str
    description: str
    hint: str
    do: Callable[[Doing, str], Outcome]


def told(text: str) -> Outcome:
    """Only something to say, to them alone."""
    return Outcome(only_them(text))


def going_to(address: str, text: str = "") -> Outcome:
    """The client goes somewhere."""
    return Outcome(CommandResponse(response_type="ephemeral", goto_location=address, text=text))


def refusal(text: str) -> Exception:
    """What is told when nothing is done."""
    return faults.bad_value("api.command.execute_command.failed.app_error", text)


def wanting(trigger: str) -> Exception:
    """Told when the command came without what it is about."""
    return refusal(f"A message must be provided with the /{trigger} command.")
