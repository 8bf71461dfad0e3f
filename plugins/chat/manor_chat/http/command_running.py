"""The tag commands: running them, and what clients offer while somebody types."""

from __future__ import annotations

from typing import Any

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.domain.slash import read_command
from manor_chat.http.answers import answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, id_param
from manor_chat.integrations.command_answers import CommandResponse
from manor_chat.integrations.completing import AutocompleteSuggestion, commands_for, suggestions
from manor_chat.integrations.running import Running, Wanted
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.wire.integrations import CommandShown

LONGEST = 20_000
"""Characters of a command with all that comes behind it."""


class ExecuteBody(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody typed, and where."""

    channel_id: str = ""
    command: str = ""
    team_id: str = ""
    root_id: str = ""


class SuggestionsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has typed so far."""

    user_input: str = ""


class RunningHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared, running: Running) -> None:
        self._shared = shared
        self._running = running

    async def execute(self, request: Request[ExecuteBody]) -> Reply:
        """Run a command."""
        body = request.body
        typed = read_command(body.command) if len(body.command) <= LONGEST else None
        if typed is None:
            raise faults.bad_value(
                "api.command.execute_command.start.app_error", "Command must start with a slash and a word."
            )
        wanted = Wanted(
            typed=typed,
            channel_id=id_member(body.channel_id, "channel_id"),
            team_id=id_member(body.team_id, "team_id") if body.team_id else None,
            root_id=id_member(body.root_id, "root_id") if body.root_id else None,
        )
        return answer(await self._running.run(request, wanted))

    async def list_offered(self, request: Request) -> Reply:
        """The commands that clients offer in a team."""
        return answer(await self._offered(request))

    async def suggest(self, request: Request[None, SuggestionsQuery]) -> Reply:
        """How what somebody has typed may go on."""
        if not request.query.user_input:
            raise faults.bad_url_param("user_input")
        return answer(suggestions(await self._offered(request), request.query.user_input))

    async def _offered(self, request: Request[Any, Any]) -> list[CommandShown]:
        team_id = id_param(request, "team_id")

        def work(transaction: Transaction, rights: Rights) -> list[CommandShown]:
            rights.team(team_id)
            rights.require_in_team("view_team", team_id)
            return commands_for(transaction, team_id)

        return await self._shared.read(request, work)


def running_routes(shared: Shared, running: Running) -> list[Route]:
    """All of them."""
    handlers = RunningHandlers(shared, running)

    def route(line: str, handler: Any, **more: Any) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="commands", **more)

    return [
        route("POST /commands/execute", handlers.execute, body=ExecuteBody, returns=CommandResponse),
        route("GET /teams/{team_id}/commands/autocomplete", handlers.list_offered, returns=list[CommandShown]),
        route(
            "GET /teams/{team_id}/commands/autocomplete_suggestions", handlers.suggest, query=SuggestionsQuery,
            returns=list[AutocompleteSuggestion],
        ),
    ]  # fmt: skip
