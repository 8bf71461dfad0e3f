"""Which request heads are refused before anybody reads them: bytes in, a status and a sentence out.

A server behind a proxy is safe only when both see the same requests in the same bytes, so what can be framed in two
ways is not framed at all (RFC 9112 section 11.2). The parser behind this is more forgiving than we want to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

END_OF_HEAD = b"\r\n\r\n"

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
"""A character of a method or of a header's name (RFC 9110 section 5.6.2)."""

HOST = re.compile(rb"[0-9A-Za-z._~%!$&'()*+,;=\[\]:-]*")
NAME = re.compile(TOKEN + rb"+")
LENGTH = re.compile(rb"[0-9]{1,18}")

_REQUEST_LINE = re.compile(TOKEN + rb"+ ([\x21-\x7e]+) HTTP/(\d)\.(\d)")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_BEGINNING = re.compile(TOKEN + rb"|[\r\n]")
_BAD_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")


@dataclass(frozen=True)
class HeadLimits:
    """How large a request's head may be.

    Args:
        size: Bytes of the request line and all headers.
        count: Header lines.
    """

    size: int = 16_384
    count: int = 100


@dataclass(frozen=True)
class Fault:
    """Why a head is refused: the status, and one sentence for whoever sent it."""

    status: int
    detail: str


_BAD_LINE = Fault(400, "A line of the request's head does not end with CR LF")
_NO_REQUEST_LINE = Fault(400, "The request line is not a method, a percent-encoded target and a version")


def fault(data: bytes, limits: HeadLimits) -> Fault | None:
    """What is wrong with the request head that `data` begins with.

    None: nothing, or the head is not complete yet (`fault_so_far` has looked at it all the same).
    """
    end = data.find(END_OF_HEAD)
    if end < 0:
        return fault_so_far(data, limits)
    head = data[:end]
    if len(head) > limits.size:
        return _too_long(limits)
    if _BAD_LINE_END.search(head):
        return _BAD_LINE
    request_line, *lines = head.split(b"\r\n")
    if len(lines) > limits.count:
        return Fault(431, f"The request has more than {limits.count} header lines")
    match = _REQUEST_LINE.fullmatch(request_line)
    if match is None:
        return _NO_REQUEST_LINE
    target, major, minor = match.groups()
    if major != b"1" or minor not in b"01":
        return Fault(505, "Only HTTP/1.1 and HTTP/1.0 are understood here")
    if not _is_servable(request_line.partition(b" ")[0], target):
        return Fault(400, "The request's target is not one that is served here")
    headers: dict[bytes, list[bytes]] = {}
    for line in lines:
        if line.startswith((b" ", b"\t")):
            return Fault(400, "A header is folded over several lines")
        name, colon, value = line.partition(b":")
        if not colon or NAME.fullmatch(name) is None:
            return Fault(400, "A header line is not a name, a colon and a value")
        if _VALUE.fullmatch(value) is None:
            return Fault(400, "A header's value has a control character in it")
        headers.setdefault(name.lower(), []).append(value.strip(b" \t"))
    return _fault_in_headers(headers, is_old=minor == b"0")


def fault_so_far(data: bytes, limits: HeadLimits, seen: int = 0) -> Fault | None:
    """What is wrong already with a head whose end has not come.

    Args:
        data: What has come of it.
        limits: How large it may get.
        seen: So many bytes were looked at before, and passed: only what came since is.
    """
    if len(data) >= limits.size + len(END_OF_HEAD):
        return _too_long(limits)
    # Whoever speaks another protocol, TLS most often, waits for an answer and never sends the line's end.
    if data and _BEGINNING.match(data) is None:
        return _NO_REQUEST_LINE
    # A trailing CR may be half of a CRLF that is on its way.
    if _BAD_LINE_END.search(data, max(0, seen - 1), len(data) - data.endswith(b"\r")):
        return _BAD_LINE
    return None


def is_handshake(method: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request that `fault` lets pass asks for a WebSocket; header names are in lower case."""
    if method != b"GET":
        return False
    upgrades, tokens = [], set()
    for name, value in headers:
        if name == b"upgrade":
            upgrades.append(value.lower())
        elif name == b"connection":
            tokens.update(connection_tokens(value))
    return upgrades == [b"websocket"] and b"upgrade" in tokens


def connection_tokens(value: bytes) -> list[bytes]:
    """What a Connection header says, in lower case (RFC 9110 section 7.6.1)."""
    return [token.strip(b" \t") for token in value.lower().split(b",")]


def _too_long(limits: HeadLimits) -> Fault:
    return Fault(431, f"The request's head is longer than {limits.size} bytes")


def _is_servable(method: bytes, target: bytes) -> bool:
    if method == b"CONNECT":
        return False  # nobody is tunnelled through here
    if target == b"*":
        return method == b"OPTIONS"
    return target.startswith((b"/", b"http://", b"https://")) and b"#" not in target


def _fault_in_headers(headers: dict[bytes, list[bytes]], *, is_old: bool) -> Fault | None:
    hosts = headers.get(b"host", [])
    if len(hosts) > 1:
        return Fault(400, "The request has more than one Host header")
    if not hosts and not is_old:
        return Fault(400, "The request has no Host header")
    if any(HOST.fullmatch(host) is None for host in hosts):
        return Fault(400, "The Host header is not a host")
    lengths = headers.get(b"content-length", [])
    codings = headers.get(b"transfer-encoding", [])
    if len(lengths) > 1 or any(LENGTH.fullmatch(length) is None for length in lengths):
        return Fault(400, "Content-Length is not one number")
    if codings and lengths:
        return Fault(400, "Content-Length and Transfer-Encoding cannot stand together")
    if codings and is_old:
        return Fault(400, "HTTP/1.0 has no Transfer-Encoding")
    if codings and [coding.lower() for coding in codings] != [b"chunked"]:
        return Fault(501, "The only Transfer-Encoding that is understood here is chunked")
    if any(expected.lower() != b"100-continue" for expected in headers.get(b"expect", [])):
        return Fault(417, "The only expectation that is met here is 100-continue")
    if any(value.lower() == b"websocket" for value in headers.get(b"upgrade", [])):
        has_body = bool(codings) or any(int(length) for length in lengths)
        return _fault_in_handshake(headers, has_body=has_body, is_old=is_old)
    return None


def _fault_in_handshake(headers: dict[bytes, list[bytes]], *, has_body: bool, is_old: bool) -> Fault | None:
    """RFC 6455 section 4.2.1; a body would be read as frames."""
    keys = headers.get(b"sec-websocket-key", [])
    if is_old:
        return Fault(400, "A WebSocket handshake is HTTP/1.1")
    if has_body:
        return Fault(400, "A WebSocket handshake has no body")
    if len(keys) != 1 or len(keys[0]) != 24:
        return Fault(400, "A WebSocket handshake has one Sec-WebSocket-Key of 24 characters")
    if headers.get(b"sec-websocket-version") != [b"13"]:
        return Fault(426, "The only WebSocket version that is spoken here is 13")
    return None
