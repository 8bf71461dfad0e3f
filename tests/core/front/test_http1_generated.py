"""Request heads that nobody thought of, beside the parsers of h11 and llhttp: nobody sees another request in them."""

from __future__ import annotations

from contextlib import suppress

import h11
import httptools
from hypothesis import given, settings
from hypothesis import strategies as st

from manor.front.framing import END_OF_HEAD, HeadLimits, fault
from manor.front.http1 import HeadFault, ParsedHead, parse_head

LIMITS = HeadLimits(size=2_000, count=12)
NEXT = b"GET /next HTTP/1.1\r\nHost: test\r\n\r\n"
LONGEST_BODY = 100_000
KNOWN = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND")

PATHS = "abc019/.;=%&+-_~!$'()*,:@\"<>[]^`{|}\\"
TARGETS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["/", "/", "/", "http://test/", "https://[::1]:80/"]),
    st.text(PATHS, max_size=20),
    st.one_of(st.just(""), st.text(PATHS + "?", max_size=20).map("?{}".format)),
)
TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=10)
VALUES = st.text([chr(code) for code in (0x09, *range(0x20, 0x7F), *range(0x80, 0x100))], max_size=20)
BLANKS = st.text(" \t", max_size=2)

CONNECTION = ["close", "Close", "keep-alive", "x, close", "close,x", "upgrade", "Upgrade, keep-alive", "closed", ""]
BODIES = ["Content-Length: 0", "content-length: 5", "Content-Length:00012", "Transfer-Encoding: chunked"]
SPECIAL = st.one_of(
    st.sampled_from(CONNECTION).map("Connection: {}".format),
    st.sampled_from(["Expect: 100-continue", "Expect: 100-Continue", "Upgrade: h2c", "Upgrade: irc/6.9"]),
)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """A head that everybody takes."""
    minor = draw(st.sampled_from("1110"))
    names = TOKENS.filter(lambda name: name.lower() not in ("host", "expect", "upgrade", "connection"))
    lines = draw(st.lists(st.builds("{}:{}{}{}".format, names, BLANKS, VALUES, BLANKS), max_size=4))
    lines += draw(st.lists(SPECIAL, max_size=3))
    lines += draw(st.lists(st.sampled_from(BODIES[:3] if minor == "0" else BODIES), max_size=1))
    lines.append(draw(st.sampled_from(["Host: test", "hOST:\ta.example:80 ", "Host:"])))
    method = draw(st.one_of(st.sampled_from(KNOWN), TOKENS))
    request_line = f"{method} {draw(TARGETS)} HTTP/1.{minor}"
    return "\r\n".join([request_line, *draw(st.permutations(lines)), "", ""]).encode("latin-1")


PIECES = st.sampled_from(
    [
        *(bytes([code]) for code in (0, 9, 10, 11, 13, 32, 35, 42, 44, 45, 47, 48, 58, 59, 63, 127, 128, 160, 255)),
        b"\r\n", b"\r\n\r\n", b"\r\n ", b"\n\n", b"\r\r\n", b"  ", b"0x", b"chunked", b", chunked", b"HTTP/1.0",
        b"CONNECT", b"\r\nHost: b", b"\r\nContent-Length: 3", b"\r\nContent-Length: 5",
        b"\r\nTransfer-Encoding: chunked", b"\r\nTransfer-Encoding: identity",
        b"\r\nConnection: close", b"\r\nUpgrade: websocket", b"\r\nExpect: b",
        b"\r\nSec-WebSocket-Version: 13", b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
)  # fmt: skip
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), PIECES), min_size=4, max_size=6)


def edited(head: bytes, edit: tuple[float, int, bytes]) -> bytes:
    where, removed, piece = edit
    place = int(where * len(head))
    return head[:place] + piece + head[place + removed :]


def read_by_h11(head: bytes, body: bytes) -> tuple[h11.Request, int, bytes, h11.Connection]:
    """The request, its body's bytes and what is left when it ends."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head + body + NEXT)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    size = 0
    while isinstance(event := connection.next_event(), h11.Data):
        size += len(event.data)
    assert isinstance(event, h11.EndOfMessage)
    return request, size, connection.trailing_data[0], connection


def assert_h11_reads_the_same(head: bytes, parsed: ParsedHead) -> None:
    assert parsed.end == len(head)
    if parsed.length > LONGEST_BODY:
        return
    body = b"3\r\nabc\r\n0\r\n\r\n" if parsed.is_chunked else b"x" * parsed.length
    request, size, left, connection = read_by_h11(head, body)
    target = request.target
    if not target.startswith((b"/", b"*")):
        origin, mark, query = target.partition(b"?")
        target = b"/" + origin.partition(b"://")[2].partition(b"/")[2] + mark + query
    mark = b"?" if b"?" in target else b""
    assert parsed.method.encode() == request.method
    assert parsed.raw_path + mark + parsed.query_string == target
    assert parsed.headers == [(name, value.strip(b" \t")) for name, value in request.headers]
    assert parsed.is_http10 == (request.http_version == b"1.0")
    assert size == (3 if parsed.is_chunked else parsed.length)
    assert left == NEXT
    connection.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
    connection.send(h11.EndOfMessage())
    assert parsed.keeps_alive == (connection.our_state is h11.DONE)


class Listener:
    """What llhttp is told to tell."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))


def assert_llhttp_reads_the_same(head: bytes, parsed: ParsedHead) -> None:
    heard = Listener()
    parser = httptools.HttpRequestParser(heard)
    with suppress(httptools.HttpParserUpgrade):  # which comes behind the last header
        parser.feed_data(head)
    assert parser.get_method() == parsed.method.encode()
    assert heard.headers == parsed.headers


@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(heads())
def test_a_good_head_is_read_as_h11_and_llhttp_read_it_once_its_last_byte_is_there(head: bytes) -> None:
    for length in range(len(head)):
        assert parse_head(head[:length], LIMITS, seen=max(0, length - 1)) is None
        assert parse_head(head[:length], LIMITS) is None

    for seen in (0, len(head) - 1, len(head) - 2, len(head) - 3, len(head) // 2):
        parsed = parse_head(head, LIMITS, seen=seen)
        assert parsed is not None
        assert_h11_reads_the_same(head, parsed)
        if parsed.method in KNOWN:
            assert_llhttp_reads_the_same(head, parsed)


@settings(derandomize=True, database=None, deadline=None, max_examples=120)
@given(heads(), EDITS)
def test_a_spoilt_head_is_refused_as_on_every_door_or_read_as_h11_reads_it(
    head: bytes, edits: list[tuple[float, int, bytes]]
) -> None:
    spoilt = head
    for edit in edits:
        spoilt = edited(spoilt, edit)
        judge(edited(head, edit))
        judge(spoilt)


@settings(derandomize=True, database=None, deadline=None, max_examples=80)
@given(st.binary(max_size=60), st.integers(0, 20))
def test_any_bytes_are_refused_as_on_every_door_or_waited_for(data: bytes, start: int) -> None:
    judge(b"x" * start + data + END_OF_HEAD, start)
    judge(b"x" * start + data, start)


def test_one_byte_more_less_or_other_is_refused_as_on_every_door_or_read_as_h11_reads_it() -> None:
    good = b"POST /a?b HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nConnection: close\r\nX-Y: z\r\n\r\n"
    accepted = 0
    for place in range(len(good)):
        accepted += judge(good[:place] + good[place + 1 :])
        for byte in b"\x00\t\n\x0b\r #*+,-/0:;?A\x7f\x80\xa0\xff":
            accepted += judge(good[:place] + bytes([byte]) + good[place:])
            accepted += judge(good[:place] + bytes([byte]) + good[place + 1 :])

    assert accepted > 500


def judge(data: bytes, start: int = 0) -> bool:
    """Whether it is read; then h11 has to read the same, and `fault` has to agree either way."""
    found = fault(data[start:], LIMITS)
    refused = parsed = None
    try:
        parsed = parse_head(data, LIMITS, start)
    except HeadFault as fallen:
        refused = fallen.fault
    assert refused == found
    assert (parsed is None) == (found is not None or END_OF_HEAD not in data[start:])
    if parsed is not None:
        parsed.end -= start
        assert_h11_reads_the_same(data[start : start + parsed.end], parsed)
    return parsed is not None
