"""Bodies that their handler reads as they come, and answers whose length is known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from manor.daemon.applications import MOST_WAITING
from manor.daemon.connection import READ_SIZE
from manor.dispatch import Dispatcher
from manor.errors import Forbidden
from manor.incoming import BrokenOff, Incoming
from manor.routing import Reply, Request, Stream, Write
from manor.testing import Client
from manor.web import BodyTimes
from tests.core.web.serving import PATIENCE, Running, Serve, make_dispatcher, route

LIMIT = 100_000


class Taking:
    """A handler that reads what comes; a test says when it may go on, and sees how far it got."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.may_read = trio.Event()
        self.broke_off = trio.Event()
        self.may_read.set()

    async def take(self, request: Request[Incoming]) -> Reply:
        await self.may_read.wait()
        try:
            async for piece in request.body:
                self.pieces.append(piece)
        except BrokenOff:
            self.broke_off.set()
            raise
        return Reply(b"%d" % sum(map(len, self.pieces)), content_type="text/plain")


@pytest.fixture
def taking() -> Taking:
    return Taking()


def route_of(taking: Taking, limit: int = LIMIT) -> Any:
    return route("POST", "/take", taking.take, body=Incoming, body_limit=limit)


async def test_a_body_with_a_length_is_handed_on(serve: Serve, taking: Taking) -> None:
    client = await (await serve(route_of(taking))).connect()

    await client.send(b"POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)

    assert (await client.answer()).body == b"70000"
    assert len(taking.pieces) > 1
    assert (await client.get("/hello")).body == b"hello"


async def test_a_body_in_chunks_is_handed_on(serve: Serve, taking: Taking) -> None:
    client = await (await serve(route_of(taking))).connect()

    await client.send(
        "POST /take HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )

    assert (await client.answer()).body == b"5"
    assert b"".join(taking.pieces) == b"abcde"


async def test_no_body_is_one_without_pieces(serve: Serve, taking: Taking) -> None:
    answer = await (await serve(route_of(taking))).get("/take", method="POST")

    assert (answer.status, answer.body, taking.pieces) == (200, b"0", [])


async def test_a_body_that_is_announced_too_long_is_refused_unread(serve: Serve, taking: Taking) -> None:
    client = await (await serve(route_of(taking))).connect()

    await client.send(f"POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: {LIMIT + 1}\r\n\r\n")

    answer = await client.answer()
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert taking.pieces == []


async def test_a_body_that_grows_too_long_is_refused(serve: Serve, taking: Taking) -> None:
    client = await (await serve(route_of(taking, 5))).connect()

    await client.send("POST /take HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n")

    assert (await client.answer()).status == 413


async def test_a_client_that_waits_is_told_to_go_on_when_somebody_reads(serve: Serve, taking: Taking) -> None:
    client = await (await serve(route_of(taking))).connect()

    await client.send("POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")

    assert (await client.head()).status == 100
    await client.send("ok")
    assert (await client.answer()).body == b"2"


async def test_a_client_that_waits_is_refused_without_sending_anything(serve: Serve) -> None:
    async def refuse(request: Request[Incoming]) -> Reply:
        raise Forbidden("not you")

    running = await serve(route("POST", "/take", refuse, body=Incoming))
    client = await running.connect()

    await client.send("POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")

    assert (await client.head()).status == 403


async def test_half_a_body_is_no_whole_one(serve: Serve, taking: Taking) -> None:
    running = await serve(route_of(taking))
    client = await running.connect()

    await client.send("POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf")
    await client.stream.aclose()

    with trio.fail_after(PATIENCE):
        await taking.broke_off.wait()
    assert taking.pieces == [b"half"]
    await still_serves(running)


async def test_a_body_that_stops_coming_is_408(serve: Serve, taking: Taking) -> None:
    running = await serve(route_of(taking), web={"body_times": BodyTimes(idle=0.1)})
    client = await running.connect()

    await client.send("POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf")

    assert (await client.answer()).status == 408


async def test_a_slow_reader_slows_the_client_down(serve: Serve, taking: Taking) -> None:
    size = 50_000_000
    client = await (await serve(route_of(taking, size))).connect()
    taking.may_read = trio.Event()
    sent = 0

    await client.send(f"POST /take HTTP/1.1\r\nHost: test\r\nContent-Length: {size}\r\n\r\n")
    piece = bytes(100_000)
    with trio.move_on_after(0.3) as stuck:
        while sent < size:
            await client.stream.send_all(piece)
            sent += len(piece)

    assert stuck.cancelled_caught
    # Whatever the kernel's own buffers hold, the server reads no more than a few pieces ahead.
    kernel = 16_000_000
    assert sent < kernel + MOST_WAITING * READ_SIZE
    await client.stream.aclose()
    taking.may_read.set()


async def test_an_answer_of_known_length_is_not_chunked(serve: Serve) -> None:
    async def run(write: Write) -> None:
        await write(b"ab")
        await write(b"cde")

    running = await serve(route("GET", "/long", lambda request: Stream(run, length=5)))
    client = await running.connect()

    answer = await client.get("/long")
    head = await client.get("/long", method="HEAD")

    assert (answer.body, answer.headers["content-length"]) == (b"abcde", "5")
    assert "transfer-encoding" not in answer.headers
    assert (head.status, head.headers["content-length"]) == (200, "5")
    assert (await client.get("/hello")).body == b"hello"


def asking(taking: Taking, limit: int = LIMIT) -> Client:
    made: Dispatcher = make_dispatcher([route_of(taking, limit)])
    return Client(made)


async def test_the_tests_client_sends_bytes_in_pieces(taking: Taking) -> None:
    answer = await asking(taking).post("/take", body=b"x" * 70_000)

    assert answer.body == b"70000"
    assert len(taking.pieces) == 2


async def test_the_tests_client_sends_what_a_test_says(taking: Taking) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"

    assert (await asking(taking).post("/take", body=pieces())).body == b"4"
    assert taking.pieces == [b"ab", b"cd"]


async def test_the_tests_client_is_refused_as_any_other(taking: Taking) -> None:
    assert (await asking(taking, 3).post("/take", body=b"abcd")).status == 413
    assert taking.pieces == []


async def still_serves(running: Running) -> None:
    assert (await running.get("/hello")).body == b"hello"
