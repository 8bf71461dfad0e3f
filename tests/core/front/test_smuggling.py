"""No request hides in another one: not in a framing that two servers read in two ways, not in a body, not in a split.

What `tests/core/web/test_framing.py` and `tests/e2e/test_bad_requests.py` refuse already is not asked again here.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket as stdlib_socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import trio
import trio.testing

from manor.auth import Kinds
from manor.incoming import Incoming
from manor.routing import Api, Door, Reply, Request, Route, Stream, Write
from tests.core.web.serving import PATIENCE, Client, Running, Serve, echo, route
from tests.websocket_bytes import handshake

LINE = b"POST /echo HTTP/1.1\r\n"
HEAD = LINE + b"Host: test\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"
HELLO = b"GET /hello HTTP/1.1\r\nHost: test\r\n\r\n"
LAST = b"GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
MANY = {"connections_per_address": 0}

STATUS_LINE = re.compile(rb"HTTP/1\.1 \d{3} ")

settled = trio.testing.wait_all_tasks_blocked


class Trap:
    """A route that nobody asks for."""

    def __init__(self) -> None:
        self.calls = 0
        self.route = route("GET", "/smuggled", self._spring)

    def _spring(self, request: Request[Any, Any]) -> Reply:
        self.calls += 1
        return Reply(b"smuggled")


@pytest.fixture
def trap() -> Trap:
    return Trap()


# --- Framings ------------------------------------------------------------------------------------------------------

REFUSED_HEADS = {
    "lengths in two spellings": HEAD + b"Content-Length: 5\r\ncontent-length: 0\r\n\r\nhello",
    "a length and something": HEAD + b"Content-Length: 5 5\r\n\r\nhello",
    "a length with a comma": HEAD + b"Content-Length: 5,\r\n\r\nhello",
    "a length with an exponent": HEAD + b"Content-Length: 5e0\r\n\r\nhello",
    "a length with an underline": HEAD + b"Content-Length: 0_5\r\n\r\nhello",
    "a length with a point": HEAD + b"Content-Length: 5.0\r\n\r\nhello",
    "a length in other digits": HEAD + "Content-Length: \u0665\r\n\r\nhello".encode(),
    "a length in quotes": HEAD + b'Content-Length: "5"\r\n\r\nhello',
    "a length behind a vertical tab": HEAD + b"Content-Length: \x0b5\r\n\r\nhello",
    "chunked twice": HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked in two lines": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, then not": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunked before another": HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "chunked with a parameter": HEAD + b"Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
    "chunked with a comma": HEAD + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    "chunked in quotes": HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "chunked behind a form feed": HEAD + b"Transfer-Encoding: \x0cchunked\r\n\r\n0\r\n\r\n",
    "chunked before a NUL": HEAD + b"Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n",
    "no coding": HEAD + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "identity": HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    "a coding folded": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a length folded behind a tab": HEAD + b"X-A: b\r\n\tContent-Length: 5\r\n\r\nhello",
    "a colon behind a tab": HEAD + b"Content-Length\t: 5\r\n\r\nhello",
    "a name in UTF-8": HEAD + "X-\u00e9: b\r\n\r\n".encode(),
    "a name with a NUL": HEAD + b"X\0A: b\r\n\r\n",
    "a name with a slash": HEAD + b"X/A: b\r\n\r\n",
    "a blank before the first header": LINE + b" Host: test\r\nHost: test\r\n\r\n",
    "a value with a DEL": HEAD + b"X-A: \x7f\r\n\r\n",
    "a value with a bell": HEAD + b"X-A: \x07\r\n\r\n",
    "a line feed alone at the end": HEAD + b"Content-Length: 0\r\n\n",
    "a carriage return too many": HEAD + b"Content-Length: 0\r\r\n\r\n",
    "a leading line feed": b"\n" + HEAD + b"\r\n",
    "leading blank lines": b"\r\n" * 3 + HEAD + b"\r\n",
    "a leading blank": b" " + HEAD + b"\r\n",
    "a tab behind the method": b"POST\t/echo HTTP/1.1\r\nHost: test\r\n\r\n",
    "a tab behind the target": b"POST /echo\tHTTP/1.1\r\nHost: test\r\n\r\n",
    "two blanks behind the target": b"POST /echo  HTTP/1.1\r\nHost: test\r\n\r\n",
    "a blank behind the version": b"POST /echo HTTP/1.1 \r\nHost: test\r\n\r\n",
    "a version in small letters": b"POST /echo http/1.1\r\nHost: test\r\n\r\n",
    "a version with too many digits": b"POST /echo HTTP/1.10\r\nHost: test\r\n\r\n",
    "a version with a zero": b"POST /echo HTTP/01.1\r\nHost: test\r\n\r\n",
    "a version of the future": b"POST /echo HTTP/1.2\r\nHost: test\r\n\r\n",
    "a version of the past": b"POST /echo HTTP/0.9\r\nHost: test\r\n\r\n",
    "another protocol": b"POST /echo RTSP/1.0\r\nHost: test\r\n\r\n",
    "a third protocol": b"SOURCE /echo ICE/1.0\r\nHost: test\r\n\r\n",
    "a method in brackets": b"(POST) /echo HTTP/1.1\r\nHost: test\r\n\r\n",
    "no method": b" /echo HTTP/1.1\r\nHost: test\r\n\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\nHost: test\r\n\r\n",
    "a host with somebody before it": LINE + b"Host: a@test\r\n\r\n",
    "two hosts in one": LINE + b"Host: test, other\r\n\r\n",
    "a host with a NUL": LINE + b"Host: te\0st\r\n\r\n",
    "a target with a NUL": b"POST /ec\0ho HTTP/1.1\r\nHost: test\r\n\r\n",
    "a target with a DEL": b"POST /ec\x7fho HTTP/1.1\r\nHost: test\r\n\r\n",
    "an expectation beside another": HEAD + b"Expect: 100-continue, more\r\nContent-Length: 0\r\n\r\n",
    "a handshake with chunks": handshake("/hello", Transfer_Encoding="chunked") + b"0\r\n\r\n",
    "a chunk without its end": CHUNKED + b"5\r\nhelloXX0\r\n\r\n",
    "a chunk with a sign": CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    "a chunk with a blank before it": CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n",
    "a chunk in other letters": CHUNKED + b"g\r\nhello\r\n0\r\n\r\n",
    "a chunk with an underline": CHUNKED + b"0_5\r\nhello\r\n0\r\n\r\n",
    "a chunk of no size": CHUNKED + b"\r\nhello\r\n0\r\n\r\n",
    "a chunk of no size with an extension": CHUNKED + b";a\r\nhello\r\n0\r\n\r\n",
    "a chunk that overflows": CHUNKED + b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "a chunk with thirty zeros": CHUNKED + b"0" * 30 + b"5\r\nhello\r\n0\r\n\r\n",
    "a bare line feed behind a size": CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    "a bare line feed behind a chunk": CHUNKED + b"5\r\nhello\n0\r\n\r\n",
    "a bare carriage return in an extension": CHUNKED + b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a bare line feed in an extension": CHUNKED + b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "a NUL in an extension": CHUNKED + b"5;a\0b\r\nhello\r\n0\r\n\r\n",
    "a trailer without a colon": CHUNKED + b"0\r\nhello\r\n\r\n",
    "a trailer with a blank before its colon": CHUNKED + b"0\r\nX-A : b\r\n\r\n",
    "a trailer that ends with a line feed": CHUNKED + b"0\r\nX-A: b\n\r\n",
    "an endless trailer": CHUNKED + b"0\r\n" + b"X-A: b\r\n" * 20_000 + b"\r\n",
    "an endless extension": CHUNKED + b"5;" + b"a" * 70_000 + b"\r\nhello\r\n0\r\n\r\n",
}  # fmt: skip


async def answered(running: Running, sent: bytes) -> bytes:
    """All that is said to these bytes; a connection that stays open says so at the end."""
    client = await running.connect()
    ended = False
    with trio.move_on_after(PATIENCE), contextlib.suppress(trio.BrokenResourceError):
        await client.send(sent)
    with trio.move_on_after(PATIENCE):
        await client.rest(2 * PATIENCE)
        ended = True
    await client.stream.aclose()
    return client.buffer if ended else client.buffer + b" ... HTTP/1.1 000 is still open"


async def test_what_can_be_read_in_two_ways_is_refused_and_hides_nothing(serve: Serve, trap: Trap) -> None:
    running = await serve(trap.route, limits=MANY, connection={"linger": 0.1})

    wrong = []
    for name, sent in REFUSED_HEADS.items():
        said = await answered(running, sent + SMUGGLED)
        if len(STATUS_LINE.findall(said)) != 1 or said[9:12] not in (b"400", b"431", b"501", b"505", b"417"):
            wrong.append(f"{name}: {said[:300]!r}")

    assert not wrong, "\n".join(wrong)
    assert trap.calls == 0


# --- Bodies --------------------------------------------------------------------------------------------------------

CLOSED = Api("closed", kinds=frozenset(("key",)))


async def count(request: Request[Incoming, Any]) -> Reply:
    size = 0
    async for piece in request.body:
        size += len(piece)
    return Reply(b"%d" % size)


BODIES = (
    route("POST", "/small", echo, body=bytes, body_limit=10),
    route("POST", "/bodiless", lambda request: Reply(b"read nothing")),
    route("POST", "/bare", lambda request: Reply(b"read nothing"), door=Door.BARE),
    route("POST", "/unread", lambda request: Reply(b"read nothing"), body=Incoming),
    route("POST", "/count", count, body=Incoming),
    Route("POST", "/closed", echo, api=CLOSED, access=Kinds("key"), body=bytes),
)
NOT_WANTED = {
    "POST /nowhere": 404,
    "PUT /echo": 405,
    "GET /hello": 200,
    "HEAD /hello": 200,
    "OPTIONS /echo": 204,
    "DELETE /echo": 405,
    "POST /small": 413,
    "POST /closed": 401,
    "POST /bodiless": 200,
    "POST /bare": 200,
    "POST /unread": 200,
}


def framings(line: str, body: bytes = SMUGGLED, *more: str) -> dict[str, bytes]:
    """A request with that body, in every way in which its end may be said."""
    head = "\r\n".join([f"{line} HTTP/1.1", "Host: test", *more, ""]).encode()
    cut = len(body) // 2
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (cut, body[:cut], len(body) - cut, body[cut:])
    return {
        "a length": head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        "chunks": head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
        "one chunk": head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
        "an extension": head + b"Transfer-Encoding: chunked\r\n\r\n%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(body), body),
    }


@pytest.mark.parametrize("expects", [(), ("Expect: 100-continue",)], ids=["unasked", "expecting"])
async def test_a_body_that_nobody_wants_is_no_request(serve: Serve, trap: Trap, expects: Sequence[str]) -> None:
    running = await serve(trap.route, *BODIES, limits=MANY, connection={"linger": 0.1})

    wrong = []
    for line, status in NOT_WANTED.items():
        for name, sent in framings(line, SMUGGLED, *expects).items():
            said = await answered(running, sent + LAST)
            statuses = [int(each[9:12]) for each in STATUS_LINE.findall(said) if each[9:12] != b"100"]
            if statuses not in ([status], [status, 200]) or (len(statuses) == 2 and not said.endswith(b"hello")):
                wrong.append(f"{line} with {name}: {said[:300]!r}")

    assert not wrong, "\n".join(wrong)
    assert trap.calls == 0


@pytest.mark.parametrize("line", ["POST /echo", "POST /count"])
async def test_a_body_that_looks_like_a_request_is_a_body(serve: Serve, trap: Trap, line: str) -> None:
    running = await serve(trap.route, *BODIES, limits=MANY)

    for name, sent in framings(line).items():
        said = await answered(running, sent + LAST)
        first = SMUGGLED if line == "POST /echo" else b"%d" % len(SMUGGLED)
        assert first + b"HTTP/1.1 200 OK\r\n" in said, name
        assert said.endswith(b"\r\n\r\nhello"), name
        assert len(STATUS_LINE.findall(said)) == 2

    assert trap.calls == 0


# --- Splits --------------------------------------------------------------------------------------------------------

HOST = b" HTTP/1.1\r\nHost: t\r\n"
BYE = b"GET /hello" + HOST + b"Connection: close\r\n\r\n"
CONVERSATIONS = {
    "lengths": (
        b"POST /echo" + HOST + b"Content-Length: 7\r\n\r\n\r\nGET /"
        b"HEAD /hello" + HOST + b"\r\nPOST /echo" + HOST + b"Content-Length: 0\r\n\r\n" + BYE,
        {"POST /echo": b"\r\nGET /", "HEAD /hello": b"", "POST /echo again": b"", "GET /hello": b"hello"},
    ),
    "chunks": (
        b"POST /echo"
        + HOST
        + b"Transfer-Encoding: chunked\r\n\r\n4;a=b\r\nGET \r\n1\r\n\n\r\n0\r\nX-A: b\r\n\r\n"
        + BYE,
        {"POST /echo": b"GET \n", "GET /hello": b"hello"},
    ),
    "a body as it comes": (
        b"POST /count" + HOST + b"Content-Length: 3\r\n\r\nabc" + BYE,
        {"POST /count": b"3", "GET /hello": b"hello"},
    ),
}


async def answers(client: Client, expected: Mapping[str, bytes]) -> list[bytes]:
    """The bodies of all answers, and nothing behind them."""
    bodies = [(await client.answer(to=line.partition(" ")[0])).body for line in expected]
    assert await client.rest() == b""
    return bodies


@pytest.mark.parametrize(("said", "expected"), CONVERSATIONS.values(), ids=CONVERSATIONS)
async def test_requests_are_the_same_wherever_they_are_split(
    serve: Serve, is_fronted: bool, said: bytes, expected: Mapping[str, bytes]
) -> None:
    running = await serve(*BODIES, limits=MANY)
    # h11 has tests of its own, and takes ten times as long.
    clients = {place: await running.connect() for place in range(0, len(said), 1 if is_fronted else 7)}

    # All of them up to their place, and the rest once the server has seen that.
    for place, client in clients.items():
        await client.send(said[:place])
    await settled()
    for place, client in clients.items():
        await client.send(said[place:])
    told = {place: await answers(client, expected) for place, client in clients.items()}

    assert {place: each for place, each in told.items() if each != list(expected.values())} == {}


@pytest.mark.parametrize(("said", "expected"), CONVERSATIONS.values(), ids=CONVERSATIONS)
async def test_requests_are_the_same_byte_by_byte(serve: Serve, said: bytes, expected: Mapping[str, bytes]) -> None:
    running = await serve(*BODIES, limits=MANY)
    client = await running.connect()

    for place in range(len(said)):
        await client.send(said[place : place + 1])
        await settled()

    assert await answers(client, expected) == list(expected.values())


async def break_off(write: Write) -> None:
    await write(b"half")
    raise OSError("the disk is gone")


@pytest.mark.parametrize("behind", [b"\r\n", HELLO, HELLO * 3, b"?"])
async def test_a_stream_that_breaks_ends_its_connection_whatever_is_asked_behind_it(
    serve: Serve, behind: bytes
) -> None:
    running = await serve(route("GET", "/breaks", lambda request: Stream(break_off)), connection={"linger": 0.1})

    said = await answered(running, b"GET /breaks HTTP/1.1\r\nHost: test\r\n\r\n" + behind)

    assert said.endswith(b"\r\n\r\n4\r\nhalf\r\n")


@pytest.mark.parametrize("bad", [b"?\r\n\r\n", b"GET /hello HTTP/1.1\r\n\r\n", HELLO[:-2] + b"X-A : b\r\n\r\n"])
async def test_a_bad_head_is_answered_whatever_came_before_it(serve: Serve, bad: bytes) -> None:
    running = await serve(connection={"linger": 0.1})

    for method in (b"GET", b"HEAD"):
        said = await answered(running, method + HELLO[3:] + bad)
        assert STATUS_LINE.findall(said) == [b"HTTP/1.1 200 ", b"HTTP/1.1 400 "]
        assert said.endswith(b'"}'), "with its sentence"


# --- Clients that leave in the middle ------------------------------------------------------------------------------

BREAKS = [
    b"",
    b"GE",
    HELLO[:-2],
    HEAD,
    HEAD + b"Content-Length: 50\r\n\r\nhalf",
    CHUNKED + b"5\r\nhel",
    CHUNKED + b"5\r\nhello\r\n",
    CHUNKED + b"5\r\nhello\r\n0\r\nX-A: b\r\n",
    b"POST /count HTTP/1.1\r\nHost: test\r\nContent-Length: 50\r\n\r\nhalf",
    b"POST /small HTTP/1.1\r\nHost: test\r\nContent-Length: 50\r\n\r\nhalf",
    HEAD + b"Content-Length: 50\r\nExpect: 100-continue\r\n\r\n",
    HELLO + HELLO[:10],
]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count is wanted, of what is there now


def reset(client: Client) -> None:
    """Leave without a goodbye."""
    client.stream.socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.stream.socket.close()


@pytest.mark.parametrize("leave", ["close", "end", "reset"])
async def test_clients_that_leave_in_the_middle_leave_nothing_behind(serve: Serve, trap: Trap, leave: str) -> None:
    running = await serve(trap.route, *BODIES, limits=MANY, connection={"linger": 0.1})
    await answered(running, LAST)
    await running.connections.reaches(0)
    before = descriptors()

    for sent in (*BREAKS, *REFUSED_HEADS.values()):
        client = await running.connect()
        await client.send(sent)
        await settled()
        if leave == "reset":
            reset(client)
        elif leave == "end":
            await _half_closed(client)
        await client.stream.aclose()
    await running.connections.reaches(0)

    assert descriptors() == before
    assert trap.calls == 0
    assert (await answered(running, LAST)).endswith(b"hello")


async def _half_closed(client: Client) -> None:
    """End the sending half only, and read what is still said."""
    with contextlib.suppress(trio.BrokenResourceError):
        await client.stream.send_eof()
    await client.rest()
