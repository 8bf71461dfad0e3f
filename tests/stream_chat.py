"""People in the stream's chat, for tests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from manor.routing import Closing
from manor.testing import Client, House, Socket
from manor_stream.chat.service import Chat
from tests.stream_watching import shared_of

DISABLE = "/api/admin/chat/users/setenabled"
PROMOTE = "/api/admin/chat/users/setmoderator"
HIDE = "/api/admin/chat/updatemessagevisibility"
BAN = "/api/admin/chat/users/ipbans/create"
UNBAN = "/api/admin/chat/users/ipbans/remove"
BANS = "/api/admin/chat/users/ipbans"


def chat_of(house: House) -> Chat:
    """What the house's stream says."""
    return shared_of(house).chat


@dataclass
class Talker:
    """Somebody with an open socket.

    Args:
        socket: It.
        user: Who they are; empty without registration.
        token: Opens another one; "" without registration.
    """

    socket: Socket
    user: dict[str, Any]
    token: str = ""

    async def send(self, type_: str, **members: Any) -> None:
        """Send a frame."""
        await self.socket.send(json.dumps({"type": type_, **members}))

    async def hear(self, *types: str) -> dict[str, Any]:
        """The next frame of one of these types; of any without."""
        # Longer than two pings are apart: a test may wait for these.
        with trio.fail_after(70):
            return await self._next(types)

    async def _next(self, types: tuple[str, ...]) -> dict[str, Any]:
        while True:
            frame: dict[str, Any] = await self.socket.json()
            if not types or frame["type"] in types:
                return frame

    async def hears_nothing(self) -> bool:
        """Whether nothing comes though everybody in the house has done what there was to do."""
        came = False

        async def hear() -> None:
            nonlocal came
            await anext(self.socket)
            came = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        return not came

    async def rest(self) -> tuple[list[dict[str, Any]], Closing | None]:
        """What comes until the house ends it, and why it does."""
        return [json.loads(frame) async for frame in self.socket], self.socket.closing


async def register(client: Client, name: str = "") -> dict[str, Any]:
    """A new user of the chat: `id`, `accessToken`, `displayName`."""
    answer = await client.post("/api/chat/register", json={"displayName": name} if name else {})
    assert answer.status == 200, answer.text
    registered: dict[str, Any] = answer.json()
    return registered


async def make_token(admin: Client, *scopes: str, name: str = "Robo") -> str:
    """An access token of a bot that may do that."""
    answer = await admin.post("/api/admin/accesstokens/create", json={"name": name, "scopes": list(scopes)})
    assert answer.status == 200, answer.text
    token: str = answer.json()["token"]
    return token


@asynccontextmanager
async def talking(client: Client, name: str = "", *, token: str = "") -> AsyncIterator[Talker]:
    """Somebody on `/ws`: registered under that name, or with a token that is there."""
    token = token or (await register(client, name))["accessToken"]
    async with client.websocket("/ws", query={"accessToken": token}) as socket:
        info = await socket.json()
        assert info["type"] == "CONNECTED_USER_INFO"
        yield Talker(socket, info["user"], token)


@asynccontextmanager
async def entering(client: Client) -> AsyncIterator[Talker]:
    """Somebody on `/entry`."""
    async with client.websocket("/entry") as socket:
        yield Talker(socket, {})


async def say(talker: Talker, body: str) -> dict[str, Any]:
    """Have somebody say something, and hear themselves."""
    await talker.send("CHAT", body=body)
    while True:
        frame = await talker.hear("CHAT")
        if frame["body"] == f"<p>{body}</p>":
            return frame


async def shown(client: Client) -> list[str]:
    """What viewers who come now see."""
    return [message["body"] for message in (await client.get("/api/chat")).json()]


async def promote(admin: Client, talker: Talker, *, is_moderator: bool = True) -> None:
    """Make somebody a moderator, or take it from them."""
    answer = await admin.post(PROMOTE, json={"userId": talker.user["id"], "isModerator": is_moderator})
    assert answer.json()["success"] is True, answer.text
