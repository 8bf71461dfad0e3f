"""HTTP/1 request heads: bytes in, one head or a refusal out. Pure.

What is plain is read by llhttp. It takes more than we do, so it gets exactly one head, and its word counts only for
heads that leave no choice. Any other is judged by `framing.fault`, as it is for h11, and read here if nothing is wrong
with it: every door takes the same heads, refuses the same ones in the same words, and sees the same in them.
"""

from __future__ import annotations

import re

import httptools

from manor.front.framing import (
    END_OF_HEAD,
    HOST,
    LENGTH,
    TOKEN,
    Fault,
    HeadLimits,
    connection_tokens,
    fault,
    fault_so_far,
    is_handshake,
)
from manor.web.heads import origin_path

RawHeaders = list[tuple[bytes, bytes]]

_PLAIN = re.compile(
    rb"(?!CONNECT )(" + TOKEN + rb"+) (/[\x21\x22\x24-\x3e\x40-\x7e]*)(?:\?([\x21\x22\x24-\x7e]*))? HTTP/1\.([01])\r\n"
)
"""A request line that `fault` takes, and whose target is not in the absolute form."""

_LOOKED_AT = frozenset((b"host", b"content-length", b"connection", b"transfer-encoding", b"expect", b"upgrade"))


class HeadFault(Exception):
    """A request's head is refused, and nothing behind it can be read."""

    def __init__(self, found: Fault) -> None:
        super().__init__(found.detail)
        self.fault = found


class ParsedHead:
    """What a request's head says, and where it ends.

    Args:
        method: As it came; methods are case-sensitive.
        raw_path: The target's path, still percent-encoded; of the absolute form just its path.
        query_string: Behind the question mark; empty if there is none.
        headers: Names in lower case, values without blanks around them, in their order.
        is_http10: Whether the client speaks HTTP/1.0, which knows no chunks.
        length: Content-Length in bytes; 0 without one.
        has_length: Whether there is one.
        is_chunked: Whether the body comes in chunks.
        expects_continue: Whether the client waits for a 100 before it sends its body.
        keeps_alive: Whether it may send another request; HTTP/1.0 is never kept, whatever it asks for.
        is_websocket: Whether it is the handshake of a WebSocket.
        end: The first byte behind the head, counted from the beginning of the data.
    """

    __slots__ = (
        "end",
        "expects_continue",
        "has_length",
        "headers",
        "is_chunked",
        "is_http10",
        "is_websocket",
        "keeps_alive",
        "length",
        "method",
        "query_string",
        "raw_path",
    )

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        query_string: bytes,
        headers: RawHeaders,
        is_http10: bool,
        length: int,
        has_length: bool,
        keeps_alive: bool,
        end: int,
        is_chunked: bool = False,
        expects_continue: bool = False,
        is_websocket: bool = False,
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self.query_string = query_string
        self.headers = headers
        self.is_http10 = is_http10
        self.length = length
        self.has_length = has_length
        self.keeps_alive = keeps_alive
        self.end = end
        self.is_chunked = is_chunked
        self.expects_continue = expects_continue
        self.is_websocket = is_websocket


def parse_head(data: bytes | bytearray, limits: HeadLimits, start: int = 0, seen: int = 0) -> ParsedHead | None:
    """Read the request head in `data`.

    Args:
        data: What came from the client.
        limits: How large a head may be.
        start: Where in `data` it begins.
        seen: How long `data` was when this was last asked for the same head, so that a head that drips is not looked
            at from its beginning each time.

    Returns:
        The head, or None if its end has not come.

    Raises:
        HeadFault: It is refused; for its size, its line ends and its first byte also before its end has come.
    """
    most = start + limits.size + len(END_OF_HEAD)
    end = data.find(END_OF_HEAD, max(start, seen - len(END_OF_HEAD) + 1), most)
    if end < 0:
        found = fault_so_far(bytes(data[start:most]), limits, seen - start)
        if found is not None:
            raise HeadFault(found)
        return None
    end += len(END_OF_HEAD)
    head = bytes(data[start:end])
    parsed = _read_plain(head, limits, end)
    if parsed is not None:
        return parsed
    found = fault(head, limits)
    if found is not None:
        raise HeadFault(found)
    return _read_judged(head, end)


class _Headers(dict[bytes, bytes]):
    """What llhttp is told to call with a header; no Python is run for it. Of two with one name the last is left."""

    __slots__ = ()

    on_header = dict.__setitem__


def _read_plain(head: bytes, limits: HeadLimits, end: int) -> ParsedHead | None:
    """The head if it is plain; None for any other, good or bad."""
    line = _PLAIN.match(head)
    if line is None:
        return None
    read = _Headers()
    try:
        httptools.HttpRequestParser(read).feed_data(head)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    method, raw_path, query_string, minor = line.groups()
    count = len(read)
    # Two lines more: the request's own, and the empty one.
    if count > limits.count or head.count(b"\r\n") != count + 2:
        return None
    # llhttp leaves them where they are.
    if b" \r\n" in head or b"\t\r\n" in head:
        return None
    is_http10 = minor == b"0"
    host: bytes | None = None
    has_length, length, keeps_alive = False, 0, not is_http10
    headers = [(name.lower(), value) for name, value in read.items()]
    for name, value in headers:
        if name not in _LOOKED_AT:
            continue
        if name == b"host":
            if host is not None or HOST.fullmatch(value) is None:
                return None
            host = value
        elif name == b"content-length":
            if has_length or LENGTH.fullmatch(value) is None:
                return None
            has_length, length = True, int(value)
        elif name == b"connection":
            keeps_alive = keeps_alive and b"close" not in connection_tokens(value)
        else:
            return None
    if host is None and not is_http10:
        return None
    return ParsedHead(
        method.decode("ascii"),
        raw_path,
        query_string or b"",
        headers,
        is_http10,
        length,
        has_length,
        keeps_alive,
        end,
    )


def _read_judged(head: bytes, end: int) -> ParsedHead:
    """Read a head that `fault` has nothing against: each line has its form, and no two say different things."""
    request_line, *lines = head[: -len(END_OF_HEAD)].split(b"\r\n")
    method, target, version = request_line.split(b" ")
    raw_path, _, query_string = target.partition(b"?")
    is_http10 = version == b"HTTP/1.0"
    headers = []
    has_length, length, keeps_alive = False, 0, not is_http10
    is_chunked = expects_continue = False
    for line in lines:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t")
        headers.append((name, value))
        match name:
            case b"content-length":
                has_length, length = True, int(value)
            case b"transfer-encoding":
                is_chunked = True
            case b"expect":
                expects_continue = True
            case b"connection":
                keeps_alive = keeps_alive and b"close" not in connection_tokens(value)
    return ParsedHead(
        method.decode("ascii"),
        origin_path(raw_path),
        query_string,
        headers,
        is_http10,
        length,
        has_length,
        keeps_alive,
        end,
        is_chunked,
        expects_continue and not is_http10 and (is_chunked or length > 0),
        is_handshake(method, headers),
    )
