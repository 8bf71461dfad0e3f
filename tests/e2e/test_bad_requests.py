"""Bytes that no honest client sends, at the port of a real daemon."""

from __future__ import annotations

import re

import msgspec
import pytest
import trio

from tests.e2e.clients import ask, connected, raw
from tests.e2e.daemon import Daemon

POST = b"POST /welcome HTTP/1.1\r\nHost: manor.test\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /livez HTTP/1.1\r\nHost: manor.test\r\n\r\n"
STATUS_LINE = re.compile(rb"HTTP/1\.1 \d{3} ")
LONGEST = 65_536


@pytest.fixture(autouse=True)
async def _nobody_else_noticed(shared: Daemon) -> None:
    """Before each test: whatever the ones before did, the daemon answers and has had no fault of its own."""
    assert (await ask(shared.port, "GET", "/livez")).status == 200
    assert "Traceback" not in shared.log.text
    assert '"exception"' not in shared.log.text


REFUSED_HEADS = {
    "a length and chunks": (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nHello!", 400),
    "two equal lengths": (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nHello", 400),
    "a list of lengths": (POST + b"Content-Length: 5, 5\r\n\r\nHello", 400),
    "a signed length": (POST + b"Content-Length: +5\r\n\r\nHello", 400),
    "a length that overflows": (POST + b"Content-Length: 99999999999999999999\r\n\r\nHello", 400),
    "a coding nobody knows": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "a blank before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "a folded line": (POST + b"X-Title: a\r\n b\r\nContent-Length: 5\r\n\r\nHello", 400),
    "a bare newline": (b"POST /welcome HTTP/1.1\nHost: manor.test\nContent-Length: 5\n\nHello", 400),
    "a NUL in a value": (POST + b"X-Title: a\0b\r\nContent-Length: 5\r\n\r\nHello", 400),
    "no host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "another version": (b"GET /livez HTTP/2.0\r\nHost: manor.test\r\n\r\n", 505),
    "HTTP/2 itself": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "no version": (b"GET /livez\r\n\r\n", 400),
    "a tunnel": (b"CONNECT manor.test:443 HTTP/1.1\r\nHost: manor.test\r\n\r\n", 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a huge header": (POST + b"X-Title: " + b"a" * 20_000 + b"\r\n\r\n", 431),
    "a thousand headers": (POST + b"".join(b"X-%d: a\r\n" % number for number in range(1000)) + b"\r\n", 431),
    "a huge target": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: manor.test\r\n\r\n", 431),
    "a miracle": (POST + b"Expect: a-miracle\r\nContent-Length: 5\r\n\r\nHello", 417),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED_HEADS.values(), ids=REFUSED_HEADS)
async def test_a_head_that_can_be_read_in_two_ways_is_answered_once_and_ends_the_connection(
    shared: Daemon, sent: bytes, status: int
) -> None:
    said = await raw(shared.port, sent + SMUGGLED)

    assert said.startswith(b"HTTP/1.1 %d " % status), said
    assert len(STATUS_LINE.findall(said)) == 1, "what was smuggled in behind it is no request"


@pytest.mark.parametrize(
    "body",
    [
        b"x\r\nHello\r\n0\r\n\r\n",
        b"-5\r\nHello\r\n0\r\n\r\n",
        b"0x5\r\nHello\r\n0\r\n\r\n",
        b"5\nHello\n0\n\n",
        b"5\r\nHelloWorld\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFFFFFF\r\nHello\r\n0\r\n\r\n",
    ],
)
async def test_a_broken_chunk_is_a_400_and_publishes_nothing(shared: Daemon, body: bytes) -> None:
    before = (await ask(shared.port, "GET", "/api/topics/welcome")).json["message_count"]

    said = await raw(shared.port, CHUNKED + body + SMUGGLED)

    assert said.startswith(b"HTTP/1.1 400 "), said
    assert len(STATUS_LINE.findall(said)) == 1
    assert (await ask(shared.port, "GET", "/api/topics/welcome")).json["message_count"] == before


async def test_pipelined_requests_are_answered_in_their_order(shared: Daemon) -> None:
    requests = [POST + b"Content-Length: 1\r\n\r\n%d" % number for number in range(9)]

    async with connected(shared.port) as wire:
        await wire.send(b"".join(requests))
        answers = [(await wire.answer()).json["message"] for _ in requests]

    assert answers == [str(number) for number in range(9)]


# --- Slow clients --------------------------------------------------------------------------------------------------


async def test_a_head_that_drips_is_cut_however_steadily_it_drips(shared: Daemon) -> None:
    async with connected(shared.port) as wire, trio.open_nursery() as nursery:

        async def drip() -> None:
            try:
                await wire.send(b"GET /livez HTTP/1.1\r\n")
                while True:
                    await wire.send(b"X-A: b\r\n")
                    # The pace of the attack, not a wait for anything.
                    await trio.sleep(0.05)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

        nursery.start_soon(drip)
        assert not (await wire.rest()).startswith(b"HTTP/1.1 2")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 100\r\n\r\nhalf of it", b"Transfer-Encoding: chunked\r\n\r\n5\r\nHel"]
)
async def test_a_body_that_stops_is_a_408(shared: Daemon, framing: bytes) -> None:
    said = await raw(shared.port, POST + framing)

    assert said.startswith(b"HTTP/1.1 408 ")
    assert set(msgspec.json.decode(said.partition(b"\r\n\r\n")[2])) == {"detail"}


# --- Bodies --------------------------------------------------------------------------------------------------------


async def test_the_longest_message_is_taken_and_one_byte_more_is_a_413(shared: Daemon) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"x" * 40_000, b"x" * 25_537)) + b"0\r\n\r\n"

    taken = await ask(shared.port, "POST", "/welcome", "x" * LONGEST)
    announced = await ask(shared.port, "POST", "/welcome", "x" * (LONGEST + 1))
    async with connected(shared.port) as wire:
        await wire.send(CHUNKED + chunks)
        chunked = await wire.answer()

    assert taken.status == 200
    for refused in (announced, chunked):
        assert (refused.status, list(refused.json)) == (413, ["detail"])


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_that_never_ends_is_refused_without_being_read(shared: Daemon, framing: str) -> None:
    head = POST + b"Content-Length: 10000000000\r\n\r\n" if framing == "length" else CHUNKED + b"77359400\r\n"
    refusal = b""
    async with connected(shared.port) as wire, trio.open_nursery() as nursery:

        async def pour() -> None:
            try:
                await wire.send(head)
                while True:
                    await wire.send(b"x" * 65_536)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return

        nursery.start_soon(pour)
        refusal = await wire.rest()
        nursery.cancel_scope.cancel()

    assert refusal.startswith(b"HTTP/1.1 413 ")


BOMB = b'{"message":' * 30_000
BODIES = {
    "nothing": (b"", "", 422),
    "blanks": (b" \n\t ", "", 422),
    "no UTF-8": (b"\xff\xfe", "", 422),
    "half a character": ("é".encode()[:1], "text/plain", 422),
    "JSON that is no UTF-8": (b'{"message": "\xff"}', "application/json", 400),
    "broken JSON": (b'{"message": "Hello"', "application/json", 400),
    "two values": (b'{"message": "a"} {}', "application/json", 400),
    "a JSON bomb": (BOMB, "application/json", 400),
    "a bomb of lists": (b"[" * 300_000, "application/json", 400),
    "a half surrogate": (b'{"message": "\\ud800"}', "application/json", 422),
    "a priority of its own": (b'{"message": "a", "priority": 9}', "application/json", 422),
    "a huge number": (b'{"message": "a", "priority": 1' + b"0" * 5000 + b"}", "application/json", 422),
    "tags that are none": (b'{"message": "a", "tags": {"a": 1}}', "application/json", 422),
}


@pytest.mark.parametrize(("body", "kind", "status"), BODIES.values(), ids=BODIES)
async def test_a_body_that_is_no_message_is_refused_with_a_sentence(
    shared: Daemon, body: bytes, kind: str, status: int
) -> None:
    answer = await ask(shared.port, "POST", "/welcome", body, [f"Content-Type: {kind}"] if kind else [])

    assert answer.status == status, answer
    assert isinstance(answer.json["detail"], str)


async def test_a_form_and_other_json_are_text_as_they_came(shared: Daemon) -> None:
    bodies = {
        "application/x-www-form-urlencoded": "a=1&b=%20",
        "application/json": '{"alert": {"state": "firing"}}',
        "text/plain": "Zażółć\x00\u2028",
    }

    for kind, body in bodies.items():
        answer = await ask(shared.port, "POST", "/welcome", body, [f"Content-Type: {kind}"])
        assert (answer.status, answer.json["message"]) == (200, body)


# --- Paths and methods ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/%",
        "/%zz",
        "/%00",
        "/welcome%00",
        "/%ff%fe",
        "/welcome/../welcome",
        "/./welcome",
        "//welcome",
        "/welcome/",
        "/%2e%2e/welcome",
        "/api/../welcome",
        "/welcome%2f..%2fwelcome",
        "/Welcome",
        "/nowhere",
        "/%F0%9F%94%94",
        "/welcome;a=b",
        "/" + "a" * 5000,
    ],
)
async def test_a_path_that_is_not_exactly_a_topic_is_a_404(shared: Daemon, path: str) -> None:
    answer = await ask(shared.port, "POST", path, "Hello")

    assert (answer.status, list(answer.json)) == (404, ["detail"])


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "BREW", "PROPFIND", "get", "GET"])
async def test_a_method_that_a_topic_does_not_know_is_a_405_that_names_those_it_does(
    shared: Daemon, method: str
) -> None:
    answer = await ask(shared.port, method, "/welcome")

    assert (answer.status, list(answer.json)) == (405, ["detail"])
    assert {"POST", "PUT"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/welcome/json?limit=0", 422),
        ("/welcome/json?limit=101", 422),
        ("/welcome/json?limit=ten", 422),
        ("/welcome/json?limit=%D9%A1", 422),
        ("/welcome/json?since=yesterday", 422),
        ("/welcome/json?since=" + "9" * 400, 422),
        ("/welcome/sse?since_id=1", 422),
        ("/welcome/sse?since_id=%00", 422),
        ("/api/topics?offset=-1", 422),
        ("/api/topics?offset=" + "9" * 30, 422),
        ("/nowhere/sse", 404),
        ("/welcome/ws", 426),
        ("/welcome/nothing", 404),
        ("/api/nothing", 404),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_with_a_sentence(
    shared: Daemon, path: str, status: int
) -> None:
    answer = await ask(shared.port, "GET", path)

    assert answer.status == status, answer
    assert isinstance(answer.json["detail"], str)


@pytest.mark.parametrize(
    "header",
    [
        "X-Priority: 0",
        "X-Priority: 6",
        "X-Priority: 3.0",
        "X-Priority: ٣",
        "X-Tags: " + ",".join(f"tag{number}" for number in range(21)),
        "X-Tags: " + "a" * 51,
        "X-Title: " + "a" * 251,
        "Idempotency-Key: " + "a" * 129,
    ],
)
async def test_a_header_that_cannot_be_taken_is_a_422(shared: Daemon, header: str) -> None:
    answer = await ask(shared.port, "POST", "/welcome", "Hello", [header])

    assert answer.status == 422
    assert isinstance(answer.json["detail"], str)


@pytest.mark.parametrize(
    "header",
    ["Authorization: Bearer nonsense", "X-API-Key: noti_a", "X-Topic-Token: tk_a", "Authorization: Basic YTpi"],
)
async def test_a_credential_that_nobody_issued_is_a_401_also_on_a_public_topic(shared: Daemon, header: str) -> None:
    answer = await ask(shared.port, "POST", "/welcome", "Hello", [header])

    assert (answer.status, list(answer.json)) == (401, ["detail"])
