"""Chat's WebSocket for tests: opened, greeted, and asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import trio.testing

from manor import NewCredential, issue
from manor.testing import Client, House, Socket
from manor_chat.ids import new_token
from manor_chat.socket.hub import Hub
from manor_chat.socket.part import Live
from tests.chat_people import Crew

URL = "/api/v4/websocket"


class Ear:
    """A socket whose client has read `hello`."""

    def __init__(self, socket: Socket, hello: dict[str, Any]) -> None:
        self.socket = socket
        self.hello = hello
        self._asked = 0

    @property
    def connection_id(self) -> str:
        found: str = self.hello["data"]["connection_id"]
        return found

    async def next(self) -> dict[str, Any]:
        """The next frame."""
        found: dict[str, Any] = await self.socket.json()
        return found

    async def event(self, name: str) -> dict[str, Any]:
        """The next event of this name; others are passed over."""
        while True:
            frame = await self.next()
            if frame.get("event") == name:
                return frame

    async def ask(self, action: str, **data: Any) -> dict[str, Any]:
        """Ask for something; events that come before the reply are passed over."""
        self._asked += 1
        await self.socket.send(json.dumps({"seq": self._asked, "action": action, "data": data}))
        while True:
            frame = await self.next()
            if frame.get("seq_reply") == self._asked:
                return frame

    async def is_quiet(self) -> bool:
        """Whether nothing waits to be read: a request is answered first."""
        self._asked += 1
        await self.socket.send(json.dumps({"seq": self._asked, "action": "ping"}))
        return "seq_reply" in await self.next()


@asynccontextmanager
async def listening(client: Client) -> AsyncIterator[Ear]:
    """Somebody's socket, new."""
    async with client.websocket(URL) as socket:
        hello = await socket.json()
        assert hello["event"] == "hello"
        yield Ear(socket, hello)


async def settled_crew(house: House) -> Crew:
    """A crew of whom nobody will be told anything more: what is told of new people comes a moment later."""
    crew = await Crew.gather(house)
    await trio.testing.wait_all_tasks_blocked()
    return crew


def hub_of(house: House) -> Hub:
    """The house's: what tests look at that clients cannot see."""
    (chat,) = [plugin for plugin in house.plugins if plugin.name == "chat"]
    (live,) = [part for part in chat.instance.parts if isinstance(part, Live)]
    return live.hub


async def token_of(house: House, user_id: UUID, **more: Any) -> str:
    """A personal access token of somebody."""
    token = new_token("p")
    new = NewCredential(kind="pat", user_id=user_id, scopes=("*",), **more)
    await house.storage.write(lambda transaction: issue(transaction, new, token))
    return token
