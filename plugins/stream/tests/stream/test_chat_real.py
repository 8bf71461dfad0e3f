"""The chat over a real port, with clients that know nothing of the house."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trio_websocket

from manor.testing import House, SetClock, open_test_house
from tests.contracts.conftest import serving
from tests.stream_watching import shared_of

SOCKETS = 200
DEADLINE = 60


@pytest.fixture
def house_config() -> Mapping[str, Any]:
    """Many connections come from this one address."""
    limits = {"address_limit_factor": 0, "connections_per_address": 0}
    return {"server": {"limits": limits}, "plugins": {"stream": {"rtmp_bind": ""}}}


@pytest.fixture
async def house(house_config: Mapping[str, Any], clock: SetClock, tmp_path: Path) -> AsyncIterator[House]:
    """As the daemon has it: the database is asked on threads."""
    async with open_test_house(
        tmp_path / "house", plugins=["stream"], config=house_config, clock=clock, inline=False
    ) as opened:
        yield opened


@pytest.fixture
async def port(house: House) -> AsyncIterator[int]:
    async with serving(house) as port:
        yield port


@asynccontextmanager
async def opened(port: int, path: str) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    """A WebSocket to the house."""
    # Over a stream of ours: when the server closes first, the library leaves its own to the garbage collector.
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream, trio.open_nursery() as nursery:
        socket = await trio_websocket.wrap_client_stream(nursery, stream, f"127.0.0.1:{port}", path)
        yield socket
        with trio.move_on_after(1):
            await socket.aclose()
        nursery.cancel_scope.cancel()


async def close_code(socket: trio_websocket.WebSocketConnection) -> int:
    """How the house closes it."""
    with trio.fail_after(DEADLINE), pytest.raises(trio_websocket.ConnectionClosed):
        await socket.get_message()
    assert socket.closed is not None
    code: int = socket.closed.code
    return code


async def hear(socket: Any, *types: str) -> dict[str, Any]:
    """The next frame of one of these types."""
    with trio.fail_after(DEADLINE):
        while True:
            frame: dict[str, Any] = json.loads(await socket.get_message())
            if frame["type"] in types:
                return frame


async def test_both_sockets_talk_to_each_other(port: int, house: House) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE, verify=False) as http:
        registered = (await http.post("/api/chat/register", json={"displayName": "Ada"})).json()
        async with (
            opened(port, f"/ws?accessToken={registered['accessToken']}") as new,
            opened(port, "/entry") as old,
        ):
            info = await hear(new, "CONNECTED_USER_INFO")
            assert info["user"]["id"] == registered["id"]
            await new.send_message(json.dumps({"type": "CHAT", "body": "from **new**"}))
            assert (await hear(old, "CHAT"))["body"] == "<p>from <strong>new</strong></p>"
            await old.send_message(json.dumps({"type": "CHAT", "author": "Bob", "body": "from *old*"}))
            message = await hear(new, "CHAT")
            while message["author"] != "Bob":
                message = await hear(new, "CHAT")
            assert message["body"] == "<p>from <em>old</em></p>"
            await old.send_message(json.dumps({"type": "NAME_CHANGE", "oldName": "Bob", "newName": "Rob"}))
            assert (await hear(new, "NAME_CHANGE"))["newName"] == "Rob"
            history = (await http.get("/api/chat")).json()
            assert [each["author"] for each in history] == ["Ada", "Bob"]

            await shared_of(house).settings.change(is_chat_disabled=True)
            assert await hear(new, "CHAT_DISABLED")
            assert await close_code(new) == 4503


async def test_without_a_token_a_client_reads_why_it_is_closed(port: int) -> None:
    async with opened(port, "/ws") as socket:
        assert await hear(socket, "ERROR_NEEDS_REGISTRATION")
        assert await close_code(socket) == 4401


async def test_two_hundred_sockets_hear_every_message_once_and_in_one_order(port: int, house: House) -> None:
    heard: list[list[str]] = []

    async def listen(path: str, *, task_status: trio.TaskStatus[None]) -> None:
        async with opened(port, path) as socket:
            task_status.started()
            heard.append([(await hear(socket, "SYSTEM"))["body"] for _ in range(10)])

    with trio.fail_after(DEADLINE):
        async with trio.open_nursery() as nursery:
            for _ in range(SOCKETS):
                await nursery.start(listen, "/entry")
            while shared_of(house).chat.connected < SOCKETS:
                await trio.lowlevel.checkpoint()
            for number in range(10):
                await shared_of(house).chat.say_system(str(number))

    assert heard == [[f"<p>{number}</p>" for number in range(10)]] * SOCKETS
    with trio.fail_after(DEADLINE):
        while shared_of(house).chat.connected:
            await trio.lowlevel.checkpoint()
