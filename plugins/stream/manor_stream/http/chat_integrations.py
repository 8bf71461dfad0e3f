"""Operations of the chat that bots use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from manor import BadRequest, NotFound, Reply, Request, Route, Scope
from manor_stream.chat.frames import Message
from manor_stream.chat.listing import ChatClient
from manor_stream.chat.moderation import Moderation, UserDetails
from manor_stream.chat.service import Chat
from manor_stream.http.api import (
    ADMIN_ACCESS,
    INTEGRATION,
    INTEGRATION_API,
    MESSAGES,
    SYSTEM_MESSAGES,
    basic_response,
)
from manor_stream.http.chat import Visibility, hide

Handler = Callable[[Request[Any]], Any]

SENT = "sent"

_READING = Scope(ADMIN_ACCESS, kinds=(INTEGRATION,))
_SET_VISIBLE = ("/api/integrations/chat/updatemessagevisibility", "/api/integrations/chat/messagevisibility")


class SaidAs(msgspec.Struct, frozen=True):
    """A message, and who is to have written it."""

    user: str
    body: str


class Said(msgspec.Struct, frozen=True):
    """A message; markdown."""

    body: str


class Done(msgspec.Struct, frozen=True):
    """What happened, and who did it."""

    body: str
    author: str | None = None


class ChatIntegrationHandlers:
    """Handlers for bots.

    Args:
        chat: What is said.
        moderation: What administrators do.
    """

    def __init__(self, chat: Chat, moderation: Moderation) -> None:
        self._chat = chat
        self._moderation = moderation

    def routes(self) -> Sequence[Route]:
        """Reading, writing, keeping order."""
        writing: list[tuple[str, Handler, Any, str]] = [
            ("/api/integrations/chat/user", self.say_as, SaidAs, MESSAGES),
            ("/api/integrations/chat/send", self.say, Said, MESSAGES),
            ("/api/integrations/chat/system", self.say_system, Said, SYSTEM_MESSAGES),
            ("/api/integrations/chat/action", self.say_action, Done, SYSTEM_MESSAGES),
            ("/api/integrations/chat/system/client/{client_id}", self.say_to_one, Said, SYSTEM_MESSAGES),
            *((path, self.set_visible, Visibility, ADMIN_ACCESS) for path in _SET_VISIBLE),
        ]
        reading: list[tuple[str, Handler, Any]] = [
            ("/api/integrations/clients", self.clients, list[ChatClient]),
            ("/api/integrations/chat", self.history, list[Message]),
            ("/api/integrations/moderation/chat/user/{id}", self.details, UserDetails),
        ]
        return [
            *(
                Route("POST", path, handler, api=INTEGRATION_API, access=Scope(scope, kinds=(INTEGRATION,)), body=body)
                for path, handler, body, scope in writing
            ),
            *(
                Route("GET", path, handler, api=INTEGRATION_API, access=_READING, returns=returns)
                for path, handler, returns in reading
            ),
        ]

    async def say_as(self, request: Request[SaidAs]) -> Reply:
        """Write in the chat under a name."""
        await self._say(request, request.body.body, request.body.user)
        return basic_response(SENT)

    async def say(self, request: Request[Said]) -> Reply:
        """Write in the chat under the token's name."""
        await self._say(request, request.body.body, None)
        return basic_response(SENT)

    async def _say(self, request: Request[SaidAs] | Request[Said], body: str, name: str | None) -> None:
        credential_id = next(each.credential_id for each in request.principals if each.has(MESSAGES))
        assert credential_id is not None, "an integration's principal has its row"
        await self._chat.say_as_bot(credential_id, body, name=name)

    async def say_system(self, request: Request[Said]) -> Reply:
        """Write in the chat as the server."""
        await self._chat.say_system(request.body.body)
        return basic_response(SENT)

    async def say_action(self, request: Request[Done]) -> Reply:
        """Say in the chat what happened."""
        await self._chat.say_action(request.body.body, request.body.author or "")
        return basic_response(SENT)

    async def say_to_one(self, request: Request[Said]) -> Reply:
        """Say something to one connection alone, as the server."""
        number = request.params["client_id"]
        if not (number.isascii() and number.isdigit() and len(number) < 16):
            raise BadRequest("Connections have numbers")
        await self._chat.say_to_one(int(number), request.body.body)
        return basic_response(SENT)

    async def set_visible(self, request: Request[Visibility]) -> Reply:
        """Hide messages from viewers, or show them again."""
        return await hide(self._moderation, request.body)

    async def clients(self, request: Request) -> list[ChatClient]:
        """Who is connected to the chat."""
        return await self._chat.clients()

    async def history(self, request: Request) -> Reply:
        """The newest messages that are seen, the oldest of them first."""
        return Reply(await self._chat.history.read())

    async def details(self, request: Request) -> UserDetails:
        """Somebody in the chat: who they are, their connections, what they wrote."""
        details = await self._moderation.details(request.params["id"])
        if details is None:
            raise NotFound("Nobody in the chat has this id")
        return details
