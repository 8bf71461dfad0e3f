"""The tag commands: slash commands, as those keep them who may."""

from __future__ import annotations

from typing import Any

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import IN_PERSON, SIGNED_IN, operation
from manor_chat.http.params import asked_id, id_member, id_param
from manor_chat.integrations import commands
from manor_chat.integrations.built_in import BUILT_IN
from manor_chat.integrations.commands import MANAGE, WantedCommand
from manor_chat.integrations.completing import built_in_commands, commands_for
from manor_chat.parts import Shared
from manor_chat.people.checking import is_app
from manor_chat.rights import Rights
from manor_chat.store.commands import SlashCommand, list_commands
from manor_chat.wire.integrations import CommandShown, show_command


class CommandsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which team's; with `custom_only=true` those alone that it made itself."""

    team_id: str = ""
    custom_only: str = ""


class TokenShown(msgspec.Struct, frozen=True):
    """A command's new token."""

    token: str


class CommandHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def list_all(self, request: Request[None, CommandsQuery]) -> Reply:
        """All that can be typed in a team; for those who keep its own, all of these.

        They see the tokens, too; no program does that acts for them.
        """
        query = request.query
        in_person = not is_app(request)
        team_id = asked_id(query.team_id, "team_id")
        if team_id is None:
            raise faults.bad_url_param("team_id")

        def work(transaction: Transaction, rights: Rights) -> list[CommandShown]:
            is_custom_only = query.custom_only == "true"
            rights.require_in_team(MANAGE if is_custom_only else "view_team", team_id)
            if not rights.may_in_team(MANAGE, team_id):
                return commands_for(transaction, team_id)
            own = [show_command(each, whole=in_person) for each in list_commands(transaction, team_id)]
            return own if is_custom_only else [*built_in_commands(), *own]

        return answer(await self._shared.read(request, work))

    async def make(self, request: Request[WantedCommand]) -> Reply:
        """Make one for a team."""
        wanted = request.body
        team_id = id_member(wanted.team_id, "team_id")
        self._check_enabled()

        def work(transaction: Transaction, rights: Rights) -> SlashCommand:
            return commands.make(transaction, rights, team_id, wanted, BUILT_IN)

        return answer(show_command(await self._shared.write(request, work), whole=True), 201)

    async def get(self, request: Request) -> Reply:
        """One of them, with its token."""
        command_id = id_param(request, "command_id")
        found = await self._shared.read(
            request, lambda transaction, rights: commands.look_at(transaction, rights, command_id)
        )
        return answer(show_command(found, whole=True))

    async def change(self, request: Request[WantedCommand]) -> Reply:
        """Have one otherwise."""
        command_id, wanted = id_param(request, "command_id"), request.body
        if wanted.id and id_member(wanted.id, "command") != command_id:
            raise faults.bad_body_param("command")
        self._check_enabled()
        changed = await self._shared.write(
            request,
            lambda transaction, rights: commands.change(transaction, rights, command_id, wanted, BUILT_IN),
        )
        return answer(show_command(changed, whole=True))

    async def renew_token(self, request: Request) -> Reply:
        """Give one another token."""
        command_id = id_param(request, "command_id")
        changed = await self._shared.write(
            request, lambda transaction, rights: commands.renew_token(transaction, rights, command_id)
        )
        return answer(TokenShown(changed.token))

    async def remove(self, request: Request) -> Reply:
        """Remove one."""
        command_id = id_param(request, "command_id")
        await self._shared.write(request, lambda transaction, rights: commands.remove(transaction, rights, command_id))
        return STATUS_OK

    def _check_enabled(self) -> None:
        if not self._shared.config.slash_commands:
            raise faults.switched_off("api.command.disabled.app_error", "Slash commands of teams are switched off.")


def command_routes(shared: Shared) -> list[Route]:
    """All of them."""
    handlers = CommandHandlers(shared)

    def route(line: str, handler: Any, access: Any = SIGNED_IN, **more: Any) -> Route:
        return operation(shared.api, line, handler, access=access, tag="commands", **more)

    return [
        route("GET /commands", handlers.list_all, query=CommandsQuery, returns=list[CommandShown]),
        route(
            "POST /commands",
            handlers.make,
            access=IN_PERSON,
            body=WantedCommand,
            returns=CommandShown,
            status=201,
            errors=(501,),
        ),
        route("GET /commands/{command_id}", handlers.get, access=IN_PERSON, returns=CommandShown),
        route(
            "PUT /commands/{command_id}",
            handlers.change,
            access=IN_PERSON,
            body=WantedCommand,
            returns=CommandShown,
            errors=(501,),
        ),
        route("DELETE /commands/{command_id}", handlers.remove, access=IN_PERSON),
        route("PUT /commands/{command_id}/regen_token", handlers.renew_token, access=IN_PERSON, returns=TokenShown),
    ]
