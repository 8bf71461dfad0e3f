"""Waits of the front door that have an end, whatever the connection waits for."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from manor.routing import Later, Reply, Request
from tests.core.web.serving import PATIENCE, Serve, route

PUBLISH = "POST /publish HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n{}\r\nx"
READ = "GET /read HTTP/1.1\r\nHost: test\r\n\r\n"
SHORT = {"header": 0.05, "keep_alive": 0.2, "linger": 0.1}


@pytest.fixture
def is_fronted() -> bool:
    """The other door pipelines nothing."""
    return True


@pytest.mark.parametrize(
    "asked",
    [
        PUBLISH.format("Connection: close\r\n"),
        PUBLISH.format("") + READ,
        PUBLISH.format("") + "GARBAGE\r\n\r\n",
        PUBLISH.format("") + READ[:10],
    ],
    ids=["last", "before another", "before garbage", "before half a head"],
)
async def test_an_answer_that_never_comes_is_refused_whatever_waits_for_it(serve: Serve, asked: str) -> None:
    stuck = route("POST", "/publish", lambda request: Later(), body=bytes, deadline=0.2)

    async def read(request: Request[Any, Any]) -> Reply:
        await trio.lowlevel.checkpoint()
        return Reply(b"read")

    running = await serve(stuck, route("GET", "/read", read), connection=SHORT)
    client = await running.connect()

    await client.send(asked)

    with trio.fail_after(3):
        assert (await client.answer()).status == 503
    await client.rest(3)
    with trio.fail_after(PATIENCE):
        await running.connections.reaches(0)
