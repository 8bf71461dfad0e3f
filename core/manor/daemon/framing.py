"""Which request heads are refused before anybody reads them: bytes in, a status out.

A server behind a proxy is safe only when both see the same requests in the same bytes, so what can be framed in two
ways is not framed at all (RFC 9112 section 11.2). The parser behind this is more forgiving than we want to be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

END_OF_HEAD = b"\r\n\r\n"

_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ ([\x21-\x7e]+) HTTP/(\d)\.(\d)")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_HOST = re.compile(rb"[0-9A-Za-z._~%!$&'()*+,;=\[\]:-]*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
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


def fault(data: bytes, limits: HeadLimits) -> int | None:
    """What is wrong with the request head that `data` begins with, as the status to refuse it with.

    None: nothing, or the head is not complete yet (its size and line ends are looked at all the same).
    """
    end = data.find(END_OF_HEAD)
    head = data if end < 0 else data[:end]
    if len(head) > limits.size:
        return 431
    if end < 0:
        # A trailing CR may be half of a CRLF that is on its way.
        return 400 if _BAD_LINE_END.search(head.removesuffix(b"\r")) else None
    if _BAD_LINE_END.search(head):
        return 400
    request_line, *lines = head.split(b"\r\n")
    if len(lines) > limits.count:
        return 431
    match = _REQUEST_LINE.fullmatch(request_line)
    if match is None:
        return 400
    target, major, minor = match.groups()
    if major != b"1" or minor not in b"01":
        return 505
    if not _is_servable(request_line.partition(b" ")[0], target):
        return 400
    headers: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            return 400  # an obsolete folded line too: its "name" begins with a blank
        headers.setdefault(name.lower(), []).append(value.strip(b" \t"))
    return _fault_in_headers(headers, is_old=minor == b"0")


def _is_servable(method: bytes, target: bytes) -> bool:
    if method == b"CONNECT":
        return False  # nobody is tunnelled through here
    if target == b"*":
        return method == b"OPTIONS"
    return target.startswith((b"/", b"http://", b"https://")) and b"#" not in target


def _fault_in_headers(headers: dict[bytes, list[bytes]], *, is_old: bool) -> int | None:
    hosts = headers.get(b"host", [])
    if len(hosts) > 1 or (not hosts and not is_old) or any(_HOST.fullmatch(host) is None for host in hosts):
        return 400
    lengths = headers.get(b"content-length", [])
    codings = headers.get(b"transfer-encoding", [])
    if len(lengths) > 1 or any(_LENGTH.fullmatch(length) is None for length in lengths):
        return 400
    if codings and (lengths or is_old):
        return 400
    if codings and [coding.lower() for coding in codings] != [b"chunked"]:
        return 501
    if any(expected.lower() != b"100-continue" for expected in headers.get(b"expect", [])):
        return 417
    if any(value.lower() == b"websocket" for value in headers.get(b"upgrade", [])):
        return _fault_in_handshake(headers, has_body=bool(codings) or any(int(length) for length in lengths))
    return None


def _fault_in_handshake(headers: dict[bytes, list[bytes]], *, has_body: bool) -> int | None:
    """RFC 6455 section 4.2.1; a body would be read as frames."""
    keys = headers.get(b"sec-websocket-key", [])
    if has_body or len(keys) != 1 or len(keys[0]) != 24:
        return 400
    return None if headers.get(b"sec-websocket-version") == [b"13"] else 426
