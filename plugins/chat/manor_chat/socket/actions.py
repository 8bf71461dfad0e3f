"""What clients ask for over the socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from manor import BadRequest, Principal, Transaction
from manor_chat.events import Told
from manor_chat.http.api import VERSION
from manor_chat.ids import read_id, read_ids, shown_id
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.socket.lines import Line
from manor_chat.socket.requests import SocketRequest
from manor_chat.socket.store import find_teammates
from manor_chat.times import to_milliseconds

MOST_IDS = 2000
"""Statuses that one request asks for."""


class Actor(msgspec.Struct, frozen=True):
    """Whoever asks, by which line."""

    principal: Principal
    line: Line


Action = Callable[[Actor, SocketRequest], Awaitable[Any]]


def bad_param(name: str) -> BadRequest:
    """400: a member of a request's data is missing or malformed."""
    return BadRequest(f"Invalid {name} parameter", code="api.websocket_handler.invalid_param.app_error")


class Actions:
    """The actions of those who are signed in.

    Args:
        shared: What all parts use.

    Attributes:
        by_name: Each gives the reply's data, or refuses.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self.by_name: Mapping[str, Action] = {
            "ping": self._ping,
            "user_typing": self._user_typing,
            "get_statuses": self._get_statuses,
            "get_statuses_by_ids": self._get_statuses_by_ids,
            "user_update_active_status": self._user_update_active_status,
            "presence": self._nothing,
            "posted_notify_ack": self._nothing,
        }

    async def _ping(self, actor: Actor, request: SocketRequest) -> Any:
        now = to_milliseconds(self._shared.context.clock.now())
        return {"text": "pong", "version": VERSION, "server_time": now, "node_id": ""}

    async def _nothing(self, actor: Actor, request: SocketRequest) -> Any:
        """Clients say what they show, so that less could be sent to them; all of it is sent here."""
        return None

    async def _user_typing(self, actor: Actor, request: SocketRequest) -> Any:
        channel_id = read_id(request.text("channel_id") or "")
        if channel_id is None:
            raise bad_param("channel_id")
        parent_id = request.text("parent_id") or ""
        if parent_id and read_id(parent_id) is None:
            raise bad_param("parent_id")

        def work(transaction: Transaction) -> None:
            rights = Rights(transaction, actor.principal)
            rights.require_in_channel("create_post", rights.channel(channel_id))

        await self._shared.storage.read(work)
        user_id = actor.line.listener.user_id
        data = {"parent_id": parent_id, "user_id": actor.line.listener.shown_id}
        told = Told(event="typing", data=msgspec.json.encode(data), channel_id=channel_id, omit_users=(user_id,))
        self._shared.hub.tell(told)
        return None

    async def _get_statuses(self, actor: Actor, request: SocketRequest) -> Any:
        user_id = actor.line.listener.user_id
        found = await self._shared.storage.read(lambda transaction: find_teammates(transaction, user_id))
        return {shown_id(each): self._shared.presence.status_of(each).status for each in found}

    async def _get_statuses_by_ids(self, actor: Actor, request: SocketRequest) -> Any:
        asked = (request.data or {}).get("user_ids")
        if not isinstance(asked, list) or not 1 <= len(asked) <= MOST_IDS:
            raise bad_param("user_ids")
        if not all(isinstance(each, str) and read_id(each) is not None for each in asked):
            raise bad_param("user_ids")
        known = {shown_id(each): self._shared.presence.status_of(each).status for each in read_ids(asked)}
        return dict.fromkeys(asked, "offline") | known

    async def _user_update_active_status(self, actor: Actor, request: SocketRequest) -> Any:
        data = request.data or {}
        is_active, manual = data.get("user_is_active"), data.get("manual", False)
        if not isinstance(is_active, bool):
            raise bad_param("user_is_active")
        if not isinstance(manual, bool):
            raise bad_param("manual")
        line = actor.line
        self._shared.presence.say_active(line.listener.user_id, line.carrier, is_active, manual=manual)
        return None
