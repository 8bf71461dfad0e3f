"""HTTP/1 request heads: bytes in, one head or a refusal out. Pure.

One regular expression says whether a head has its form, and where that leaves no choice a glance at a few headers is
enough. Any other head is judged by `framing.fault`, as it is for h11: every door takes the same heads, refuses the same
ones in the same words, and sees the same in them.
"""

from __future__ import annotations

import re

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
from manor.requests import Headers
from manor.web.heads import origin_path, read_headers

_HEAD = re.compile(
    rb"(" + TOKEN + rb"+) ([\x21\x22\x24-\x7e]+) HTTP/1\.([01])"
    rb"((?:\r\n" + TOKEN + rb"+:[\t\x20-\x7e\x80-\xff]*)*)\r\n\r\n"
)
"""The form of all that `fault` takes; it goes on to what a head's target and headers say.

Nothing in it can be matched in two ways, so a head that does not match is read twice at most. Possessive quantifiers
would say so, but Python 3.11.2, which is Debian 12's, gets nested ones wrong.
"""

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
        "_read",
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
        headers: list[tuple[bytes, bytes]],
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
        self._read: Headers | None = None
        self.is_chunked = is_chunked
        self.expects_continue = expects_continue
        self.is_websocket = is_websocket

    def read_headers(self) -> Headers:
        """The headers as everybody asks for them; made once."""
        if self._read is None:
            self._read = read_headers(self.headers)
        return self._read


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
    if seen > start and data.find(END_OF_HEAD, max(start, seen - len(END_OF_HEAD) + 1), most) < 0:
        match = None
    else:
        match = _HEAD.match(data, start, most)
    if match is None:
        found = _fault_without_form(bytes(data[start : most + 1]), limits, seen - start)
        if found is not None:
            raise HeadFault(found)
        return None
    raw_method, target, minor, text = match.groups()
    end = match.end()
    lines = text.split(b"\r\n")
    is_http10 = minor == b"0"
    # Whatever may be said in two ways is left to `fault`.
    is_plain = target.startswith(b"/") and len(lines) <= limits.count + 1 and raw_method != b"CONNECT"
    hosts = length = 0
    has_length = is_chunked = expects_continue = is_upgrade = False
    keeps_alive = not is_http10
    headers = []
    for line in lines[1:]:
        raw_name, _, value = line.partition(b":")
        name, value = raw_name.lower(), value.strip()
        headers.append((name, value))
        if name not in _LOOKED_AT:
            continue
        if name == b"host":
            hosts += 1
            is_plain = is_plain and HOST.fullmatch(value) is not None
        elif name == b"content-length":
            if has_length or LENGTH.fullmatch(value) is None:
                is_plain = False
            else:
                has_length, length = True, int(value)
        elif name == b"connection":
            keeps_alive = keeps_alive and b"close" not in connection_tokens(value)
        else:
            is_plain = False
            is_chunked = is_chunked or name == b"transfer-encoding"
            expects_continue = expects_continue or name == b"expect"
            is_upgrade = is_upgrade or name == b"upgrade"
    if hosts != 1 and not (is_http10 and not hosts):
        is_plain = False
    if not is_plain:
        found = fault(bytes(data[start:end]), limits)
        if found is not None:
            raise HeadFault(found)
    raw_path, _, query_string = target.partition(b"?")
    return ParsedHead(
        raw_method.decode("ascii"),
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
        is_upgrade and is_handshake(raw_method, headers),
    )


def _fault_without_form(data: bytes, limits: HeadLimits, seen: int) -> Fault | None:
    """What is wrong with a head that has not its form; None if its end has not come."""
    if END_OF_HEAD not in data:
        return fault_so_far(data, limits, seen)
    return fault(data, limits) or Fault(400, "The request's head cannot be read")
