"""What the contract tests of topics say to the server, and what they look for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
import trio_websocket

from tests.contracts.conftest import Door

JSON = {"Content-Type": "application/json"}
LOTS = 150
"""Messages of 60 kB that are more than a ring and all socket buffers take."""
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
MESSAGE_MEMBERS = {
    "id",
    "topic_id",
    "topic",
    "message",
    "title",
    "priority",
    "tags",
    "timestamp",
    "expires_at",
    "is_deleted",
    "is_edited",
    "sequence",
}
TOPIC_MEMBERS = {
    "id",
    "name",
    "owner_id",
    "team_id",
    "access_level",
    "description",
    "is_discoverable",
    "icon_name",
    "icon_color",
    "message_count",
    "subscriber_count",
    "created_at",
    "last_message_at",
}


async def publish(http: httpx.AsyncClient, message: str, topic: str = "welcome") -> dict[str, Any]:
    answer = await http.post(f"/{topic}", content=message)
    assert answer.status_code == 200, answer.text
    published: dict[str, Any] = answer.json()
    return published


@asynccontextmanager
async def websocket(door: Door, path: str, **options: Any) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    # Over a stream of ours: when the server closes first, the library leaves its own to the garbage collector.
    async with await trio.open_tcp_stream("127.0.0.1", door.port) as stream, trio.open_nursery() as nursery:
        yield await trio_websocket.wrap_client_stream(nursery, stream, f"127.0.0.1:{door.port}", path, **options)
        nursery.cancel_scope.cancel()


async def frame(socket: trio_websocket.WebSocketConnection) -> dict[str, Any]:
    with trio.fail_after(20):
        text = await socket.get_message()
    assert isinstance(text, str)
    decoded: dict[str, Any] = json.loads(text)
    return decoded


async def close_code(socket: trio_websocket.WebSocketConnection) -> tuple[int, str]:
    """How the server closes it; what comes before is left out."""

    async def read_on() -> None:
        with trio.fail_after(20):
            while True:
                await socket.get_message()

    with pytest.raises(trio_websocket.ConnectionClosed) as closed:
        await read_on()
    reason = closed.value.reason
    assert reason is not None
    return reason.code, reason.reason or ""


async def handshake(http: httpx.AsyncClient, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """The answer to a WebSocket handshake that is refused."""
    own = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return await http.get(path, headers={**own, **(headers or {})})
