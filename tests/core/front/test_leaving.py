"""Clients that go away in the middle of it, at moments of their choice."""

from __future__ import annotations

import os
import socket as stdlib_socket
import struct
from ipaddress import ip_network
from typing import Any

import pytest
import trio
import trio.testing

from manor.routing import Closing, Live, Outlet, Reply, Request, Upgrade, Write
from tests.core.web.serving import PATIENCE, Client, Fountain, Serve, route
from tests.websocket_bytes import CLOSE, closing, handshake, server_frames

settled = trio.testing.wait_all_tasks_blocked

AT_ONCE = struct.pack("ii", 1, 0)
HELLO = b"GET /hello HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"


@pytest.fixture
def is_fronted() -> bool:
    """The other door serves requests in tasks of their own."""
    return True


def reset(client: Client) -> None:
    """Leave without a goodbye."""
    client.stream.socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, AT_ONCE)
    client.stream.socket.close()


async def test_requests_of_who_has_left_already_leave_nothing_behind(serve: Serve) -> None:
    async def slow(request: Request[Any, Any]) -> Reply:
        await trio.lowlevel.checkpoint()
        return Reply(b"")

    behind_a_proxy = {"trusted_proxies": [ip_network("127.0.0.0/8")], "requests_per_address": 1}
    running = await serve(route("GET", "/slow", slow), web=behind_a_proxy)
    client = await running.connect()
    await client.send(HELLO)
    await client.answer()

    os.write(client.stream.socket.fileno(), HELLO + HELLO.replace(b"/hello", b"/slow"))
    reset(client)

    with trio.fail_after(PATIENCE):
        await running.connections.reaches(0)
    assert (await running.get("/hello", headers=["X-Forwarded-For: 192.0.2.1"])).status == 200


class Stubborn(Fountain):
    """A source that goes on for a while when it is cancelled."""

    def __init__(self, let_go: trio.Event) -> None:
        super().__init__()
        self._let_go = let_go

    async def pump(self, outlet: Outlet, write: Write) -> Closing:
        with trio.CancelScope(shield=True):
            await self._let_go.wait()
        raise AssertionError("cancelled")


@pytest.mark.parametrize("is_answered", [True, False])
async def test_who_is_let_go_is_heard_no_further(serve: Serve, is_answered: bool) -> None:
    let_go = trio.Event()

    async def ponder(request: Request[Any, Any]) -> Live:
        with trio.CancelScope(shield=True):
            await let_go.wait()
        raise AssertionError("cancelled")

    handler: Any = (lambda request: Live(Stubborn(let_go))) if is_answered else ponder
    running = await serve(route("GET", "/talk", handler, websocket=Upgrade.ONLY))
    client = await running.connect()
    await client.send(handshake("/talk", host="test"))
    if is_answered:
        assert (await client.head()).status == 101
    await settled()

    sent = stuck = 0
    more = closing(1000) + b"x" * 65_536
    while stuck < 3 and sent < 20_000_000:
        try:
            sent += os.write(client.stream.socket.fileno(), more[sent % len(more) :])
            stuck = 0
        except BlockingIOError:
            stuck += 1
            await settled(0.001)
    let_go.set()

    assert sent < 20_000_000, "what nobody wants is read on and on"


async def test_nothing_is_said_behind_the_answer_to_a_goodbye(serve: Serve) -> None:
    fountain = Fountain()
    running = await serve(route("GET", "/talk", lambda request: Live(fountain), websocket=Upgrade.ONLY))
    clients = [await running.connect() for _ in range(12)]
    for client in clients:
        await client.send(handshake("/talk", host="test"))
        await client.head()
    await settled()

    # Its source has something to say in the same turn of the loop, before the goodbye is read or behind it.
    for client in clients:
        os.write(client.stream.socket.fileno(), closing(1000))
    fountain.tell(b"{}")

    for client in clients:
        assert [opcode for opcode, _ in server_frames(await client.rest())][-1] == CLOSE
