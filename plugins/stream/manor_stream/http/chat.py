"""Operations of the chat that viewers and moderators use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from manor import PUBLIC, Forbidden, Live, Rate, Reply, Request, Route, Scope, Upgrade
from manor_stream.chat.frames import Message
from manor_stream.chat.moderation import Moderation
from manor_stream.chat.people import Registered
from manor_stream.chat.service import Chat
from manor_stream.chat.sockets import Sockets
from manor_stream.chat.store import MODERATOR
from manor_stream.http.api import CHAT_USER, PUBLIC_API, UNCACHED, basic_response

REGISTERING = Rate(60, burst=30)
"""Of one address; whoever opens the page for the first time registers."""

MOST_IDS = 500


class NewChatUser(msgspec.Struct, frozen=True, rename="camel"):
    """Who wants to take part; without a name, or with one that is not to be had, a name is made up."""

    display_name: Annotated[str, Meta(max_length=1000)] | None = None


class Visibility(msgspec.Struct, frozen=True, rename="camel"):
    """Which messages are seen, or hidden."""

    visible: bool
    id_array: Annotated[list[str], Meta(min_length=1, max_length=MOST_IDS)]


class Enabled(msgspec.Struct, frozen=True, rename="camel"):
    """Whether somebody may take part."""

    user_id: str
    enabled: bool


class ChatHandlers:
    """Handlers for everybody, and for those who keep order.

    Args:
        chat: What is said.
        moderation: What moderators do.
        sockets: The two sockets.
    """

    def __init__(self, chat: Chat, moderation: Moderation, sockets: Sockets) -> None:
        self._chat = chat
        self._moderation = moderation
        self._sockets = sockets

    def routes(self) -> Sequence[Route]:
        """History, registration, sockets, and a moderator's two operations."""
        moderator = Scope(MODERATOR, kinds=(CHAT_USER,))
        return [
            Route("GET", "/api/chat", self.history, api=PUBLIC_API, access=PUBLIC, returns=list[Message]),
            Route(
                "POST",
                "/api/chat/register",
                self.register,
                api=PUBLIC_API,
                access=PUBLIC,
                body=NewChatUser | None,
                returns=Registered,
                rate=REGISTERING,
                errors=(403,),
            ),
            Route("GET", "/ws", self.open, api=PUBLIC_API, access=PUBLIC, websocket=Upgrade.ONLY),
            Route(
                "GET",
                "/entry",
                self.open_without_registration,
                api=PUBLIC_API,
                access=PUBLIC,
                websocket=Upgrade.ONLY,
            ),
            Route(
                "POST",
                "/api/chat/messagevisibility",
                self.set_visible,
                api=PUBLIC_API,
                access=moderator,
                body=Visibility,
            ),
            Route(
                "POST",
                "/api/chat/users/setenabled",
                self.set_enabled,
                api=PUBLIC_API,
                access=moderator,
                body=Enabled,
                errors=(400,),
            ),
        ]

    async def history(self, request: Request) -> Reply:
        """The newest messages that are seen, the oldest of them first."""
        return Reply(await self._chat.history.read(), headers=UNCACHED)

    async def register(self, request: Request[NewChatUser | None]) -> Registered:
        """Become a user of the chat; the token opens `/ws`."""
        if self._chat.standing.is_banned(request.head.address):
            raise Forbidden("You may not take part in this chat")
        wanted = request.body.display_name if request.body else None
        return await self._chat.people.register(wanted or "")

    async def open(self, request: Request) -> Live:
        """Take part in the chat with a token from `/api/chat/register`."""
        return await self._sockets.open(request)

    async def open_without_registration(self, request: Request) -> Live:
        """Take part in the chat without a token, under names that clients choose."""
        return await self._sockets.open_without_registration(request)

    async def set_visible(self, request: Request[Visibility]) -> Reply:
        """Hide messages, or show them again: a moderator's."""
        return await hide(self._moderation, request.body, by=_moderator(request))

    async def set_enabled(self, request: Request[Enabled]) -> Reply:
        """Shut somebody out of the chat, or let them in again: a moderator's."""
        body = request.body
        await self._moderation.set_enabled(body.user_id, enabled=body.enabled, by=_moderator(request))
        return basic_response(f"{body.user_id} enabled: {str(body.enabled).lower()}")


async def hide(moderation: Moderation, body: Visibility, *, by: UUID | None = None) -> Reply:
    """Hide messages from viewers, or show them again: a moderator's, an administrator's and a bot's operation."""
    await moderation.set_visible(body.id_array, visible=body.visible, by=by)
    # Owncast's admin pages take any other text for a failure.
    return basic_response("changed")


def _moderator(request: Request[Visibility] | Request[Enabled]) -> UUID:
    found = next(each.credential_id for each in request.principals if each.kind == CHAT_USER and each.has(MODERATOR))
    assert found is not None, "a chat user's credential is its row"
    return found
