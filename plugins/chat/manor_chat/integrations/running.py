"""Running slash commands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import msgspec

from manor import BadRequest, Forbidden, NotFound, Request, Transaction, end_session
from manor_chat import faults
from manor_chat.domain.slash import Typed
from manor_chat.http.api import SESSION
from manor_chat.ids import shown_id
from manor_chat.integrations.built_in import BUILT_IN
from manor_chat.integrations.calling import CallFailed, call
from manor_chat.integrations.command_answers import CommandResponse, for_client, only_them, read_response
from manor_chat.integrations.commands import GET
from manor_chat.integrations.doing import Doing, Outcome
from manor_chat.integrations.echoing import Echoes
from manor_chat.integrations.proving import Proofs
from manor_chat.integrations.replying import Place, Saying, place_of
from manor_chat.parts import Shared
from manor_chat.posts.checking import check_message
from manor_chat.posts.creating import NewPost, create_post
from manor_chat.rights import Rights
from manor_chat.store.channels import Channel
from manor_chat.store.commands import CommandReply, SlashCommand, add_reply, find_command_by_trigger
from manor_chat.store.teams import ChatTeam, find_team
from manor_chat.times import to_milliseconds

SECONDS = 30.0
"""How long a command's program may take."""

MOST_AT_ONCE = 5
"""Commands of one person whose programs have not answered."""


@dataclass(frozen=True)
class Wanted:
    """A command that somebody typed.

    Args:
        typed: What.
        channel_id: Where.
        team_id: In which team, in channels of people; None for none.
        root_id: In which thread.
    """

    typed: Typed
    channel_id: UUID
    team_id: UUID | None = None
    root_id: UUID | None = None


@dataclass(frozen=True)
class _Called:
    """A command of a team's that is to be called."""

    command: SlashCommand
    place: Place
    team: ChatTeam
    reply: CommandReply


class Running:
    """Runs commands: those of the team, and those that are built in.

    Args:
        shared: What all parts use.
        saying: How answers become posts.
        proofs: Makes trigger ids.
        echoes: Says things later.
    """

    def __init__(self, shared: Shared, saying: Saying, proofs: Proofs, echoes: Echoes) -> None:
        self._shared = shared
        self._echoes = echoes
        self._saying = saying
        self._proofs = proofs

    async def run(self, request: Request[Any, Any], wanted: Wanted) -> CommandResponse:
        """Run a command.

        Raises:
            BadRequest: 400: the channel is archived.
            NotFound: 404: there is no such channel, or no such command.
            Forbidden: 403: they may not in this channel, or are not in the team.
        """
        if wanted.typed.trigger in BUILT_IN:
            return await self._do(request, wanted)
        called = await self._shared.write(
            request, lambda transaction, rights: self._prepare(transaction, rights, wanted)
        )
        return await self._call(called, wanted)

    # --- A team's ------------------------------------------------------------------------------------------------

    def _prepare(self, transaction: Transaction, rights: Rights, wanted: Wanted) -> _Called:
        channel = _channel(rights, wanted)
        team_id = _team_id(rights, channel, wanted)
        command = None
        if team_id is not None and self._shared.config.slash_commands:
            command = find_command_by_trigger(transaction, team_id, wanted.typed.trigger)
        team = None if command is None else find_team(transaction, command.team_id)
        if command is None or team is None:
            raise NotFound(
                f"Command with a trigger of '{wanted.typed.trigger}' not found.",
                code="api.command.execute_command.not_found.app_error",
            )
        # Drawn at random, as what opens something is.
        reply = CommandReply(
            id=uuid4(),
            create_at=to_milliseconds(transaction.now),
            command_id=command.id,
            user_id=rights.user_id,
            channel_id=channel.id,
            root_id=wanted.root_id,
        )
        add_reply(transaction, reply)
        return _Called(command, Place(channel, rights.person, wanted.root_id), team, reply)

    async def _call(self, called: _Called, wanted: Wanted) -> CommandResponse:
        command, place, context = called.command, called.place, self._shared.context
        client_trigger_id, trigger_id = self._proofs.new_trigger(shown_id(place.person.id))
        link = context.public_url or context.link_url
        fields = {
            "channel_id": shown_id(place.channel.id),
            "channel_name": place.channel.name,
            "command": f"/{command.trigger}",
            "response_url": f"{link}/hooks/commands/{shown_id(called.reply.id)}",
            "root_id": shown_id(place.root_id),
            "team_domain": called.team.name,
            "team_id": shown_id(called.team.id),
            "text": wanted.typed.text,
            "token": command.token,
            "trigger_id": trigger_id,
            "user_id": shown_id(place.person.id),
            "user_name": place.person.handle,
        }
        method = "GET" if command.method == GET else "POST"
        try:
            with context.limits.hold("slash commands", shown_id(place.person.id), MOST_AT_ONCE):
                answer = await call(
                    context.outgoing, method, command.url, fields=fields, token=command.token, seconds=SECONDS
                )
        except CallFailed as failed:
            return await self._failed(place, f"Command with a trigger of '{command.trigger}' failed: {failed}.")
        response = read_response(answer.headers.get("content-type") or "", answer.body)
        if response is None:
            text = f"Command with a trigger of '{command.trigger}' returned an answer that cannot be read."
            return await self._failed(place, text)

        def say(transaction: Transaction) -> None:
            # Anew: much may have changed in half a minute.
            self._saying.say(transaction, place_of(transaction, called.reply), response, command)

        try:
            await self._shared.storage.write(say)
        except (BadRequest, Forbidden, NotFound) as refused:
            return await self._failed(place, refused.detail)
        return msgspec.structs.replace(for_client(response), trigger_id=client_trigger_id)

    async def _failed(self, place: Place, text: str) -> CommandResponse:
        await self._shared.storage.write(lambda transaction: self._saying.tell(transaction, place, text))
        return only_them(text)

    # --- Built-in ------------------------------------------------------------------------------------------------

    async def _do(self, request: Request[Any, Any], wanted: Wanted) -> CommandResponse:
        built_in = BUILT_IN[wanted.typed.trigger]

        def work(transaction: Transaction, rights: Rights) -> Outcome:
            channel = _channel(rights, wanted)
            team_id = _team_id(rights, channel, wanted)
            doing = Doing(
                transaction=transaction,
                rights=rights,
                channel=channel,
                team=None if team_id is None else find_team(transaction, team_id),
                root_id=wanted.root_id,
                config=self._shared.config,
                link=self._shared.context.public_url or self._shared.context.link_url,
            )
            outcome = built_in.do(doing, wanted.typed.text)
            self._say_outcome(doing, outcome)
            if outcome.echo is not None:
                self._echoes.put_off(doing, outcome.echo)
            if outcome.ends_session:
                self._end(transaction, request)
            return outcome

        try:
            outcome = await self._shared.write(request, work)
        except (BadRequest, Forbidden, NotFound) as refused:
            refuse = partial(self._refuse, wanted=wanted, text=refused.detail)
            return await self._shared.write(request, refuse)
        if outcome.status and request.user_id is not None:
            self._shared.presence.choose(request.user_id, outcome.status)
        return outcome.response

    def _say_outcome(self, doing: Doing, outcome: Outcome) -> None:
        response, rights = outcome.response, doing.rights
        check_message(response.text)
        place = Place(doing.channel, rights.person, doing.root_id)
        if response.is_for_all:
            if not rights.may_in_channel("create_post", doing.channel):
                raise faults.no_permission()
            new = NewPost(
                channel=doing.channel,
                author=rights.person,
                message=response.text,
                type=response.type,
                root_id=doing.root_id,
                may_call=rights.may_in_channel("use_channel_mentions", doing.channel),
            )
            create_post(doing.transaction, new, is_online=self._saying.is_online)
        else:
            self._saying.tell(doing.transaction, place, response.text)

    def _end(self, transaction: Transaction, request: Request[Any, Any]) -> None:
        for session_id in [each.session_id for each in request.principals if each.kind == SESSION]:
            if session_id is not None and end_session(transaction, session_id):
                who = str(request.user_id)
                self._shared.context.audit.record(transaction, "chat.signed_out", actor=who, target=who)

    def _refuse(self, transaction: Transaction, rights: Rights, wanted: Wanted, text: str) -> CommandResponse:
        self._saying.tell(transaction, Place(_channel(rights, wanted), rights.person, wanted.root_id), text)
        return only_them(text)


def _channel(rights: Rights, wanted: Wanted) -> Channel:
    channel = rights.channel(wanted.channel_id)
    rights.require_in_channel("use_slash_commands", channel)
    if channel.delete_at:
        raise faults.bad_value(
            "api.command.execute_command.deleted.error", "Cannot run commands in an archived channel."
        )
    return channel


def _team_id(rights: Rights, channel: Channel, wanted: Wanted) -> UUID | None:
    if channel.team_id is not None or wanted.team_id is None:
        return channel.team_id
    rights.require_in_team("view_team", wanted.team_id)
    return wanted.team_id
