"""Operations of the chat that administrators use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from manor import Reply, Request, Route
from manor_stream.chat.frames import Message
from manor_stream.chat.listing import ChatClient
from manor_stream.chat.moderation import BannedAddress, DisabledUser, Moderation
from manor_stream.chat.service import Chat
from manor_stream.events import ChatUser
from manor_stream.http.api import admin_route, basic_response
from manor_stream.http.chat import Enabled, Visibility, hide

Handler = Callable[[Request[Any]], Any]

_SET_VISIBLE = ("/api/admin/chat/updatemessagevisibility", "/api/admin/chat/messagevisibility")
_CLIENTS = ("/api/admin/clients", "/api/admin/chat/clients")


class Moderator(msgspec.Struct, frozen=True, rename="camel"):
    """Whether somebody keeps order."""

    user_id: str
    is_moderator: bool


class Address(msgspec.Struct, frozen=True):
    """An IP address, or a network such as `203.0.113.0/24`."""

    value: Annotated[str, Meta(max_length=100)]


class ChatAdminHandlers:
    """Handlers for the user `admin`.

    Args:
        chat: Who is connected.
        moderation: What administrators do.
    """

    def __init__(self, chat: Chat, moderation: Moderation) -> None:
        self._chat = chat
        self._moderation = moderation

    def routes(self) -> Sequence[Route]:
        """Messages, connections, people and addresses."""
        lists: list[tuple[str, Handler, Any]] = [
            ("/api/admin/chat/messages", self.messages, list[Message]),
            *((path, self.clients, list[ChatClient]) for path in _CLIENTS),
            ("/api/admin/chat/users/disabled", self.disabled, list[DisabledUser]),
            ("/api/admin/chat/users/moderators", self.moderators, list[ChatUser]),
            ("/api/admin/chat/users/ipbans", self.banned, list[BannedAddress]),
        ]
        acts: list[tuple[str, Handler, Any]] = [
            *((path, self.set_visible, Visibility) for path in _SET_VISIBLE),
            ("/api/admin/chat/users/setenabled", self.set_enabled, Enabled),
            ("/api/admin/chat/users/setmoderator", self.set_moderator, Moderator),
            ("/api/admin/chat/users/ipbans/create", self.ban, Address),
            ("/api/admin/chat/users/ipbans/remove", self.unban, Address),
        ]
        return [
            *(admin_route("GET", path, handler, returns=returns) for path, handler, returns in lists),
            *(admin_route("POST", path, handler, body=body) for path, handler, body in acts),
        ]

    async def messages(self, request: Request) -> list[Message]:
        """The newest messages, hidden ones too, the oldest of them first."""
        return await self._moderation.messages()

    async def clients(self, request: Request) -> list[ChatClient]:
        """Who is connected to the chat."""
        return await self._chat.clients()

    async def disabled(self, request: Request) -> list[DisabledUser]:
        """Those who may not take part."""
        return await self._moderation.disabled()

    async def moderators(self, request: Request) -> list[ChatUser]:
        """Those who keep order."""
        return await self._moderation.moderators()

    async def banned(self, request: Request) -> list[BannedAddress]:
        """Addresses and networks that are shut out."""
        return await self._moderation.banned()

    async def set_visible(self, request: Request[Visibility]) -> Reply:
        """Hide messages from viewers, or show them again."""
        return await hide(self._moderation, request.body)

    async def set_enabled(self, request: Request[Enabled]) -> Reply:
        """Shut somebody out of the chat and hide what they wrote, or let them in again."""
        body = request.body
        await self._moderation.set_enabled(body.user_id, enabled=body.enabled)
        return basic_response(f"{body.user_id} enabled: {str(body.enabled).lower()}")

    async def set_moderator(self, request: Request[Moderator]) -> Reply:
        """Have somebody keep order in the chat, or not any more."""
        body = request.body
        await self._moderation.set_moderator(body.user_id, is_moderator=body.is_moderator)
        return basic_response(f"{body.user_id} is moderator: {str(body.is_moderator).lower()}")

    async def ban(self, request: Request[Address]) -> Reply:
        """Shut an address or a network out of the chat."""
        address = await self._moderation.ban(request.body.value)
        return basic_response(f"{address} is shut out")

    async def unban(self, request: Request[Address]) -> Reply:
        """Let an address or a network in again."""
        address = await self._moderation.unban(request.body.value)
        return basic_response(f"{address} is let in again")
