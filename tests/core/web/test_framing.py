"""Request heads that two servers could read in two ways are refused."""

from __future__ import annotations

import pytest

from manor.front.framing import HeadLimits, fault
from manor.routing import Live, Upgrade
from tests.core.web.serving import Fountain, Serve, route

LIMITS = HeadLimits(size=1000, count=10)
GOOD = b"GET / HTTP/1.1\r\nHost: test\r\n"
HANDSHAKE = GOOD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.mark.parametrize(
    "head",
    [
        GOOD,
        b"GET / HTTP/1.0\r\n",
        b"POST /a?b=c%20d HTTP/1.1\r\nhost:test:8080\r\nContent-Length: 3\r\n",
        b"GET http://test/a HTTP/1.1\r\nHost: test\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\n",
        GOOD + b"Transfer-Encoding: Chunked\r\n",
        GOOD + b"Expect: 100-Continue\r\n",
        GOOD + b"X-Name: Zo\xc3\xab\t(t)\r\nX-Empty:\r\n",
        GOOD + b"Upgrade: h2c\r\n",
        HANDSHAKE + KEY + b"Sec-WebSocket-Version: 13\r\n",
    ],
)
def test_a_plain_head_passes(head: bytes) -> None:
    assert fault(head + b"\r\nbody\n\r\r\n", LIMITS) is None


AMBIGUOUS = {
    "both lengths": GOOD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
    "both lengths, the other way": GOOD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
    "two lengths": GOOD + b"Content-Length: 3\r\nContent-Length: 4\r\n",
    "one length twice": GOOD + b"Content-Length: 3\r\nContent-Length: 3\r\n",
    "a list of lengths": GOOD + b"Content-Length: 3, 3\r\n",
    "a signed length": GOOD + b"Content-Length: +3\r\n",
    "a negative length": GOOD + b"Content-Length: -3\r\n",
    "a hexadecimal length": GOOD + b"Content-Length: 0x3\r\n",
    "no length's digits": GOOD + b"Content-Length:\r\n",
    "an endless length": GOOD + b"Content-Length: " + b"9" * 40 + b"\r\n",
    "chunked in 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n",
    "a folded line": GOOD + b"X-A: b\r\n c: d\r\n",
    "a folded first line": b"GET / HTTP/1.1\r\n Host: test\r\n",
    "a blank before the colon": GOOD + b"Content-Length : 3\r\n",
    "a blank in a name": GOOD + b"Content Length: 3\r\n",
    "no name": GOOD + b": 3\r\n",
    "no colon": GOOD + b"Content-Length\r\n",
    "a NUL": GOOD + b"X-A: b\x00c\r\n",
    "a control character": GOOD + b"X-A: b\x0bc\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: test\r\n",
    "one bare line feed": GOOD + b"X-A: b\nContent-Length: 3\r\n",
    "a bare carriage return": GOOD + b"X-A: b\rContent-Length: 3\r\n",
    "no host": b"GET / HTTP/1.1\r\nX-A: b\r\n",
    "two hosts": GOOD + b"Host: other\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: test/a\r\n",
    "two hosts in one": b"GET / HTTP/1.1\r\nHost: a b\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: test\r\n",
    "no version": b"GET /\r\nHost: test\r\n",
    "a blank in the target": b"GET /a b HTTP/1.1\r\nHost: test\r\n",
    "a target without a slash": b"GET a HTTP/1.1\r\nHost: test\r\n",
    "a fragment": b"GET /#a HTTP/1.1\r\nHost: test\r\n",
    "bytes in the target": b"GET /\xc3\xab HTTP/1.1\r\nHost: test\r\n",
    "a tunnel": b"CONNECT test:443 HTTP/1.1\r\nHost: test\r\n",
    "a star for a page": b"GET * HTTP/1.1\r\nHost: test\r\n",
    "a leading blank line": b"\r\n" + GOOD,
    "a handshake with a body": HANDSHAKE + KEY + b"Sec-WebSocket-Version: 13\r\nContent-Length: 3\r\n",
    "a handshake without its key": HANDSHAKE + b"Sec-WebSocket-Version: 13\r\n",
}


@pytest.mark.parametrize("head", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_head_is_a_400(head: bytes) -> None:
    found = fault(head + b"\r\n", LIMITS)

    assert found is not None
    assert found.status == 400
    assert found.detail[0].isupper()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/2.0\r\nHost: test\r\n", 505),
        (b"PRI * HTTP/2.0\r\n", 505),
        (GOOD + b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (GOOD + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", 501),
        (GOOD + b"Expect: a miracle\r\n", 417),
        (GOOD + b"X-A: b\r\n" * 10, 431),
        (GOOD + b"X-A: " + b"b" * 1000 + b"\r\n", 431),
        (HANDSHAKE + KEY + b"Sec-WebSocket-Version: 8\r\n", 426),
    ],
)
def test_what_is_not_served_has_its_own_status(head: bytes, status: int) -> None:
    found = fault(head + b"\r\n", LIMITS)

    assert found is not None
    assert found.status == status


def test_a_head_that_is_on_its_way_is_not_judged_yet() -> None:
    whole = GOOD + b"\r\n"

    assert {fault(whole[:length], LIMITS) for length in range(1, len(whole))} == {None}


def test_a_head_that_only_grows_is_refused_before_its_end() -> None:
    found = fault(b"GET /" + b"a" * 1000, LIMITS)

    assert found is not None
    assert found.status == 431


@pytest.mark.parametrize("head", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_an_ambiguous_request_is_answered_and_ends_the_connection(serve: Serve, head: bytes) -> None:
    running = await serve()

    said = await running.raw(head + b"\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: test\r\n\r\n")

    found = fault(head + b"\r\n", HeadLimits())
    assert found is not None
    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"connection: close\r\n" in said.lower()
    assert said.endswith(b'\r\n\r\n{"detail":"%b"}' % found.detail.encode())
    assert said.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "body",
    [b"x\r\nhello\r\n", b"5\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloxx0\r\n\r\n"],
)
async def test_a_broken_chunk_is_answered_and_ends_the_connection(serve: Serve, body: bytes) -> None:
    running = await serve()

    said = await running.raw(b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n" + body)

    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert said.endswith(b'\r\n\r\n{"detail":"The body\'s chunks cannot be read"}')
    assert said.count(b"HTTP/1.1") == 1


async def test_a_broken_chunk_behind_a_head_request_is_answered_without_a_body(serve: Serve) -> None:
    running = await serve()

    said = await running.raw(b"HEAD /hello HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n")

    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: test\r\nExpect: a miracle\r\n\r\n", b"417 Expectation Failed"),
        (b"GET / HTTP/2.0\r\nHost: test\r\n\r\n", b"505 HTTP Version Not Supported"),
        (HANDSHAKE + KEY + b"Sec-WebSocket-Version: 8\r\n\r\n", b"426 Upgrade Required"),
    ],
)
async def test_what_no_route_sees_is_refused_in_words(serve: Serve, head: bytes, status: bytes) -> None:
    running = await serve()

    said = await running.raw(head)

    assert said.startswith(b"HTTP/1.1 " + status + b"\r\n")
    assert b"content-type: application/json\r\n" in said.lower()
    assert b'\r\n\r\n{"detail":"The only ' in said or b'{"detail":"Only ' in said
    assert (b"sec-websocket-version: 13" in said.lower()) == (b"426" in status)


async def test_a_handshake_with_frames_before_its_answer_is_refused_in_words(serve: Serve) -> None:
    running = await serve(route("GET", "/ws", lambda request: Live(Fountain()), websocket=Upgrade.ONLY))

    said = await running.raw(HANDSHAKE.replace(b"GET /", b"GET /ws") + KEY + b"Sec-WebSocket-Version: 13\r\n\r\n\x81")

    assert said.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert said.endswith(b'\r\n\r\n{"detail":"A WebSocket\'s frames came before its handshake was answered"}')


async def test_an_answers_status_has_its_phrase(serve: Serve) -> None:
    running = await serve()

    said = [
        await running.raw(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        for path in ("/hello", "/no")
    ]

    assert said[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert said[1].startswith(b"HTTP/1.1 404 Not Found\r\n")


async def test_a_head_over_its_size_is_a_431_also_when_it_comes_at_once(serve: Serve) -> None:
    running = await serve()

    said = await running.raw(b"GET /hello HTTP/1.1\r\nHost: test\r\nX-A: " + b"b" * 16_384 + b"\r\n\r\n")

    assert said.startswith(b"HTTP/1.1 431 ")


async def test_h2c_is_not_upgraded_to(serve: Serve) -> None:
    running = await serve()

    answer = await running.get(
        "/hello", headers=["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]
    )

    assert (answer.status, answer.body) == (200, b"hello")
