"""Clients that go away in the middle of it, at moments of their choice."""

from __future__ import annotations

import os
import socket as stdlib_socket
import struct
from ipaddress import ip_network
from typing import Any

import pytest
import trio

from manor.routing import Reply, Request
from tests.core.web.serving import PATIENCE, Client, Serve, route

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
