"""Request heads: what is refused, in the words that every door has for it, and what is read."""

from __future__ import annotations

from typing import Any

import pytest

from manor.front.framing import HeadLimits, fault
from manor.front.http1 import HeadFault, ParsedHead, parse_head

LIMITS = HeadLimits(size=1000, count=10)
HOST = b"Host: test\r\n"
GET = b"GET / HTTP/1.1\r\n"
GOOD = GET + HOST
POST = b"POST / HTTP/1.1\r\n" + HOST
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
ASKED = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
HANDSHAKE = GOOD + ASKED + KEY + VERSION

REFUSED: dict[str, tuple[int, bytes]] = {
    "a length beside chunks": (400, POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
    "chunks beside a length": (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"),
    "two lengths": (400, POST + b"Content-Length: 3\r\nContent-Length: 4\r\n"),
    "one length twice": (400, POST + b"Content-Length: 3\r\nContent-Length: 3\r\n"),
    "one length twice, in another case": (400, POST + b"Content-Length: 3\r\ncontent-length: 3\r\n"),
    "a list of lengths": (400, POST + b"Content-Length: 3, 3\r\n"),
    "a positive length": (400, POST + b"Content-Length: +3\r\n"),
    "a negative length": (400, POST + b"Content-Length: -3\r\n"),
    "a hexadecimal length": (400, POST + b"Content-Length: 0x3\r\n"),
    "a length with an underscore": (400, POST + b"Content-Length: 1_0\r\n"),
    "a length of two words": (400, POST + b"Content-Length: 1 0\r\n"),
    "a length without digits": (400, POST + b"Content-Length:\r\n"),
    "a length in other digits": (400, POST + b"Content-Length: \xb2\r\n"),
    "a length past all counting": (400, POST + b"Content-Length: 1000000000000000000\r\n"),
    "chunks in HTTP/1.0": (400, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"),
    "chunks twice": (501, POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    "a coding before chunks": (501, POST + b"Transfer-Encoding: gzip, chunked\r\n"),
    "a coding behind chunks": (501, POST + b"Transfer-Encoding: chunked, gzip\r\n"),
    "no coding before chunks": (501, POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
    "a coding alone": (501, POST + b"Transfer-Encoding: gzip\r\n"),
    "an empty coding": (501, POST + b"Transfer-Encoding:\r\n"),
    "chunks with a parameter": (501, POST + b"Transfer-Encoding: chunked;a=b\r\n"),
    "chunks with a sign before them": (400, POST + b"Transfer-Encoding: \x0bchunked\r\n"),
    "a folded line": (400, GOOD + b"X-A: b\r\n c: d\r\n"),
    "a line folded with a tab": (400, GOOD + b"X-A: b\r\n\tc\r\n"),
    "a folded first line": (400, GET + b" Host: test\r\n"),
    "a blank before a colon": (400, GOOD + b"Content-Length : 3\r\n"),
    "a tab before a colon": (400, GOOD + b"Transfer-Encoding\t: chunked\r\n"),
    "a blank in a name": (400, GOOD + b"Content Length: 3\r\n"),
    "a NUL in a name": (400, GOOD + b"Content-\x00Length: 3\r\n"),
    "a letter beyond ASCII in a name": (400, GOOD + b"X-\xe9: 3\r\n"),
    "a bracket in a name": (400, GOOD + b"X(A): 3\r\n"),
    "no name": (400, GOOD + b": 3\r\n"),
    "no colon": (400, GOOD + b"Content-Length\r\n"),
    "a NUL": (400, GOOD + b"X-A: b\x00c\r\n"),
    "a vertical tab": (400, GOOD + b"X-A: b\x0bc\r\n"),
    "a delete": (400, GOOD + b"X-A: \x7f\r\n"),
    "an escape": (400, GOOD + b"X-A: \x1b[0m\r\n"),
    "bare line feeds": (400, b"GET / HTTP/1.1\nHost: test\r\n"),
    "one bare line feed": (400, GOOD + b"X-A: b\nContent-Length: 3\r\n"),
    "a bare carriage return": (400, GOOD + b"X-A: b\rContent-Length: 3\r\n"),
    "two carriage returns": (400, GOOD + b"X-A: b\r\r\n"),
    "a line feed at the beginning": (400, b"\n" + GOOD),
    "an empty line at the beginning": (400, b"\r\n" + GOOD),
    "nothing": (400, b"\r\n"),
    "a blank at the beginning": (400, b" " + GOOD),
    "a TLS hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n"),
    "no host": (400, GET + b"X-A: b\r\n"),
    "no header": (400, GET),
    "two hosts": (400, GOOD + b"Host: other\r\n"),
    "one host twice": (400, GOOD + b"host: test\r\n"),
    "two hosts in HTTP/1.0": (400, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n"),
    "a host with a path": (400, GET + b"Host: test/a\r\n"),
    "two hosts in one": (400, GET + b"Host: a b\r\n"),
    "a host with a user": (400, GET + b"Host: me@test\r\n"),
    "a host beyond ASCII": (400, GET + b"Host: t\xe9st\r\n"),
    "two blanks behind the method": (400, b"GET  / HTTP/1.1\r\n" + HOST),
    "two blanks behind the target": (400, b"GET /  HTTP/1.1\r\n" + HOST),
    "a tab behind the method": (400, b"GET\t/ HTTP/1.1\r\n" + HOST),
    "a blank behind the version": (400, b"GET / HTTP/1.1 \r\n" + HOST),
    "a blank in the target": (400, b"GET /a b HTTP/1.1\r\n" + HOST),
    "no version": (400, b"GET /\r\n" + HOST),
    "no method": (400, b" / HTTP/1.1\r\n" + HOST),
    "a method with a colon": (400, b"GET: / HTTP/1.1\r\n" + HOST),
    "a target without a slash": (400, b"GET a HTTP/1.1\r\n" + HOST),
    "a fragment": (400, b"GET /#a HTTP/1.1\r\n" + HOST),
    "a fragment of a query": (400, b"GET /?a#b HTTP/1.1\r\n" + HOST),
    "bytes in the target": (400, b"GET /\xc3\xab HTTP/1.1\r\n" + HOST),
    "a control character in the target": (400, b"GET /a\x01 HTTP/1.1\r\n" + HOST),
    "another scheme": (400, b"GET ftp://test/ HTTP/1.1\r\n" + HOST),
    "a tunnel": (400, b"CONNECT test:443 HTTP/1.1\r\n" + HOST),
    "a tunnel to a path": (400, b"CONNECT /a HTTP/1.1\r\n" + HOST),
    "a star for a page": (400, b"GET * HTTP/1.1\r\n" + HOST),
    "a protocol for cameras": (400, b"DESCRIBE /a RTSP/1.0\r\n" + HOST),
    "a protocol for radios": (400, b"SOURCE /a ICE/1.0\r\n" + HOST),
    "a version in lower case": (400, b"GET / http/1.1\r\n" + HOST),
    "a version of two digits": (400, b"GET / HTTP/1.10\r\n" + HOST),
    "HTTP/0.9": (505, b"GET / HTTP/0.9\r\n" + HOST),
    "HTTP/1.2": (505, b"GET / HTTP/1.2\r\n" + HOST),
    "HTTP/2.0": (505, b"GET / HTTP/2.0\r\n" + HOST),
    "the beginning of HTTP/2": (505, b"PRI * HTTP/2.0\r\n"),
    "an unknown expectation": (417, POST + b"Expect: a miracle\r\n"),
    "an expectation besides": (417, POST + b"Expect: 100-continue\r\nExpect: a miracle\r\n"),
    "a header too many": (431, GOOD + b"X-A: b\r\n" * 10),
    "a header too large": (431, GOOD + b"X-A: " + b"b" * 1000 + b"\r\n"),
    "a target too long": (431, b"GET /" + b"a" * 1000 + b" HTTP/1.1\r\n" + HOST),
    "a handshake with a body": (400, HANDSHAKE + b"Content-Length: 3\r\n"),
    "a handshake with chunks": (400, HANDSHAKE + b"Transfer-Encoding: chunked\r\n"),
    "a handshake without its key": (400, GOOD + ASKED + VERSION),
    "a handshake with two keys": (400, HANDSHAKE + KEY),
    "a handshake with half a key": (400, GOOD + ASKED + VERSION + b"Sec-WebSocket-Key: dGhlIHNhbX==\r\n"),
    "a handshake in HTTP/1.0": (400, HANDSHAKE.replace(b"HTTP/1.1", b"HTTP/1.0")),
    "a handshake of another version": (426, GOOD + ASKED + KEY + b"Sec-WebSocket-Version: 8\r\n"),
    "a handshake without a version": (426, GOOD + ASKED + KEY),
}


def read(data: bytes, limits: HeadLimits = LIMITS) -> ParsedHead:
    parsed = parse_head(data, limits)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(("status", "head"), REFUSED.values(), ids=REFUSED)
def test_a_bad_head_is_refused_as_on_every_door(status: int, head: bytes) -> None:
    data = head + b"\r\nGET /hello HTTP/1.1\r\nHost: test\r\n\r\n"

    with pytest.raises(HeadFault) as refused:
        parse_head(data, LIMITS)
    with pytest.raises(HeadFault) as behind:
        parse_head(b"POST\r" + data, LIMITS, start=5)

    assert refused.value.fault == behind.value.fault == fault(data, LIMITS)
    assert refused.value.fault.status == status
    assert str(refused.value)[0].isupper()


@pytest.mark.parametrize(
    "begun",
    [b"GET /" + b"a" * 999, b"GET / HTTP/1.1\n", b"GET /\rx", b"\n", b"\x16\x03\x01", b"\x00", GOOD + b"A: b\r\rc"],
)
def test_what_cannot_become_a_head_is_refused_before_its_end(begun: bytes) -> None:
    with pytest.raises(HeadFault) as refused:
        parse_head(begun, LIMITS)

    assert refused.value.fault == fault(begun, LIMITS)


def test_a_head_of_the_largest_size_is_read_wherever_it_is_split() -> None:
    head, limits = GOOD + b"\r\n", HeadLimits(size=len(GOOD) - 2)

    for length in range(len(head)):
        assert parse_head(head[:length], limits) is None
        assert fault(head[:length], limits) is None

    assert read(head, limits).end == len(head)


def test_a_head_one_byte_over_its_size_is_refused() -> None:
    with pytest.raises(HeadFault) as refused:
        parse_head(GOOD + b"\r\n", HeadLimits(size=len(GOOD) - 3))

    assert refused.value.fault.status == 431


def test_a_head_may_have_as_many_headers_as_are_allowed() -> None:
    assert len(read(GOOD + b"X-A: b\r\n" * 9 + b"\r\n").headers) == 10


@pytest.mark.parametrize("start", [0, 500])
def test_what_dripped_in_is_refused_when_its_last_byte_makes_it_bad(start: int) -> None:
    begun = b"x" * start + GOOD + b"X-A: b\r"

    assert parse_head(begun, LIMITS, start, len(begun) - 1) is None
    with pytest.raises(HeadFault):
        parse_head(begun + b"c", LIMITS, start, len(begun))


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (GOOD, {"method": "GET", "raw_path": b"/", "query_string": b"", "headers": [(b"host", b"test")]}),
        (b"get / HTTP/1.1\r\n" + HOST, {"method": "get"}),
        (b"M-SEARCH! /a HTTP/1.1\r\n" + HOST, {"method": "M-SEARCH!", "raw_path": b"/a"}),
        (b"GET /a%2Fb;c?d=e?f HTTP/1.1\r\n" + HOST, {"raw_path": b"/a%2Fb;c", "query_string": b"d=e?f"}),
        (b"GET /a? HTTP/1.1\r\n" + HOST, {"raw_path": b"/a", "query_string": b""}),
        (b"GET //a HTTP/1.1\r\n" + HOST, {"raw_path": b"//a"}),
        (b"GET http://b/a?c HTTP/1.1\r\n" + HOST, {"raw_path": b"/a", "query_string": b"c"}),
        (b"GET https://b?c=/ HTTP/1.1\r\n" + HOST, {"raw_path": b"/", "query_string": b"c=/"}),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST, {"method": "OPTIONS", "raw_path": b"*"}),
        (GET + b"hOsT:\t[::1]:80 \t\r\n", {"headers": [(b"host", b"[::1]:80")]}),
        (
            GOOD + b"A:\r\na: \xc3\xab \t b\r\n",
            {"headers": [(b"host", b"test"), (b"a", b""), (b"a", b"\xc3\xab \t b")]},
        ),
        (GOOD, {"length": 0, "has_length": False, "is_chunked": False, "expects_continue": False}),
        (POST + b"Content-Length: 0\r\n", {"length": 0, "has_length": True}),
        (POST + b"Content-Length: 0042\r\n", {"length": 42, "has_length": True}),
        (POST + b"Content-Length: 999999999999999999\r\n", {"length": 999_999_999_999_999_999}),
        (POST + b"Transfer-Encoding: Chunked\r\n", {"is_chunked": True, "has_length": False}),
        (POST + b"Expect: 100-Continue\r\nContent-Length: 3\r\n", {"expects_continue": True, "length": 3}),
        (POST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", {"expects_continue": True}),
        (POST + b"Expect: 100-continue\r\n", {"expects_continue": False}),
        (b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n", {"expects_continue": False, "length": 3}),
        (GOOD, {"is_http10": False, "keeps_alive": True, "is_websocket": False}),
        (GOOD + b"Connection: x, Close\r\n", {"keeps_alive": False}),
        (GOOD + b"Connection: closed\r\n", {"keeps_alive": True}),
        (GOOD + b"Connection: close\r\nConnection: keep-alive\r\n", {"keeps_alive": False}),
        (b"GET / HTTP/1.0\r\n", {"is_http10": True, "keeps_alive": False, "headers": []}),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", {"is_http10": True, "keeps_alive": False}),
        (HANDSHAKE, {"is_websocket": True, "keeps_alive": True}),
        (HANDSHAKE.replace(b"websocket", b"WebSocket"), {"is_websocket": True}),
        (HANDSHAKE.replace(b": Upgrade", b": keep-alive, UPGRADE"), {"is_websocket": True}),
        (HANDSHAKE.replace(b": Upgrade", b": keep-alive"), {"is_websocket": False}),
        (HANDSHAKE.replace(b"GET", b"POST"), {"is_websocket": False}),
        (HANDSHAKE + b"Upgrade: h2c\r\n", {"is_websocket": False}),
        (GOOD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n", {"is_websocket": False, "keeps_alive": True}),
    ],
)
def test_a_head_is_read(head: bytes, expected: dict[str, Any]) -> None:
    data = head + b"\r\nbody\n\r\r\n"

    parsed, mutable = read(data), parse_head(bytearray(data), LIMITS)

    assert fault(data, LIMITS) is None
    assert {name: getattr(parsed, name) for name in expected} == expected
    assert parsed.end == len(head) + 2
    assert [getattr(mutable, name) for name in ParsedHead.__slots__] == [
        getattr(parsed, name) for name in ParsedHead.__slots__
    ]


def test_pipelined_heads_are_found_behind_each_others_bodies() -> None:
    body = b"GET /no HTTP/1.1\r\n\r\n"
    heads = [b"POST /%d HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % (turn, len(body)) for turn in range(3)]
    data = b"".join(head + body for head in heads)

    place, paths, ends = 0, [], []
    while place < len(data):
        parsed = parse_head(data, LIMITS, place)
        assert parsed is not None
        place = parsed.end + parsed.length
        paths.append(parsed.raw_path)
        ends.append(data[parsed.end : place])

    assert (paths, ends, place) == ([b"/0", b"/1", b"/2"], [body] * 3, len(data))


def test_only_a_head_counts_towards_its_size() -> None:
    limits = HeadLimits(size=len(GOOD) - 2)

    parsed = parse_head(b"x" * 5000 + GOOD + b"\r\n" + b"y" * 5000, limits, 5000)

    assert parsed is not None
    assert parsed.end == 5000 + len(GOOD) + 2
