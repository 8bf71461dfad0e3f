"""Connections that somebody else serves for a while."""

from __future__ import annotations

import os
from typing import Any

import pytest
import trio
import trio.testing

from manor.routing import Reply, Request
from tests.core.web.serving import PATIENCE, Serve, route

CHUNKED = b"POST /slow HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
ASKING = b"GET /hello HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture
def is_fronted() -> bool:
    """The other door lends nothing."""
    return True


class Gate:
    """A handler that waits until it is let go on."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.opened = trio.Event()

    async def pass_through(self, request: Request[bytes, Any]) -> Reply:
        self.begun.set()
        await self.opened.wait()
        return Reply(request.body)


async def test_what_begins_to_come_as_a_loan_ends_is_not_lost(serve: Serve) -> None:
    gate = Gate()
    running = await serve(route("POST", "/slow", gate.pass_through, body=bytes))
    clients = [await running.connect() for _ in range(12)]

    for client in clients:
        await client.send(CHUNKED)
    await trio.testing.wait_all_tasks_blocked(0.01)
    gate.opened.set()
    # Read in the same turn of the loop as the answer is given, before it or after it.
    for client in clients:
        os.write(client.stream.socket.fileno(), ASKING[:10])
    lent = [await client.answer() for client in clients]
    await trio.testing.wait_all_tasks_blocked()
    for client in clients:
        await client.send(ASKING[10:])

    assert [answer.body for answer in lent] == [b"hi"] * 12
    assert [(await client.answer()).body for client in clients] == [b"hello"] * 12


async def test_a_stop_cuts_a_loan_that_lasts_too_long(serve: Serve) -> None:
    gate = Gate()
    running = await serve(route("POST", "/slow", gate.pass_through, body=bytes), limits={"graceful_timeout": 0.1})
    client = await running.connect()

    await client.send(CHUNKED)
    await gate.begun.wait()
    running.stop.set()

    assert await client.rest() == b""
    with trio.fail_after(PATIENCE):
        await running.ended.wait()
