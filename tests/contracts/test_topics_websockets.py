"""WebSockets on a real port, through both doors."""

from __future__ import annotations

import httpx
import pytest

from tests.contracts.conftest import Door
from tests.contracts.topic_clients import LOTS, close_code, frame, handshake, publish, websocket


async def test_a_websocket_gets_flat_objects_with_their_type(door: Door, http: httpx.AsyncClient) -> None:
    first = await publish(http, "before")
    async with websocket(door, "/welcome/ws?since=all") as socket:
        ready = await frame(socket)
        replayed = await frame(socket)
        second = await publish(http, "after")
        told = await frame(socket)

    assert set(ready) == {"type", "topic", "message", "connection_id", "timestamp"}
    assert (ready["type"], ready["topic"]) == ("ready", "welcome")
    assert replayed == {"type": "message", **first}
    assert told == {"type": "message", **second}


@pytest.mark.manor(config={"plugins": {"topics": {"ping_seconds": 1}}})
async def test_a_websocket_is_pinged_with_a_time(door: Door) -> None:
    async with websocket(door, "/welcome/ws") as socket:
        await frame(socket)
        ping = await frame(socket)

    assert set(ping) == {"type", "timestamp"}
    assert ping["type"] == "ping"


async def test_what_a_websocket_client_says_is_ignored(door: Door, http: httpx.AsyncClient) -> None:
    async with websocket(door, "/welcome/ws") as socket:
        await frame(socket)
        await socket.send_message("hello")
        await socket.send_message(b"\x00\xff")
        await socket.send_message("x" * 4096)
        await publish(http, "still here")
        assert (await frame(socket))["message"] == "still here"


async def test_a_long_frame_of_a_client_closes_with_1009(door: Door) -> None:
    async with websocket(door, "/welcome/ws") as socket:
        await frame(socket)
        await socket.send_message("x" * 4097)
        code, _ = await close_code(socket)

    assert code == 1009


async def test_a_slow_websocket_is_closed_with_1013(door: Door, http: httpx.AsyncClient) -> None:
    closed: list[None] = []
    door.house.live.on_too_slow = lambda: closed.append(None)
    async with websocket(door, "/welcome/ws", message_queue_size=1) as slow:
        await frame(slow)
        for number in range(LOTS):
            await publish(http, f"{number} " + "x" * 60_000)
            if closed:  # from now on it has two seconds to read what is under way
                break
        code, reason = await close_code(slow)

    assert code == 1013
    assert "resume" in reason


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nosuch/ws", {}, 404),
        ("/welcome/ws?since_id=5", {}, 422),
        ("/welcome/ws?token=tk_x", {}, 401),
        ("/welcome/ws", {"Authorization": "Bearer x"}, 401),
        ("/welcome/ws", {"Origin": "https://evil.example"}, 403),
        ("/welcome/json", {}, 400),
    ],
)
async def test_a_handshake_is_refused_with_its_status(
    http: httpx.AsyncClient, path: str, headers: dict[str, str], status: int
) -> None:
    refused = await handshake(http, path, headers)

    assert refused.status_code == status
    assert isinstance(refused.json()["detail"], str)
