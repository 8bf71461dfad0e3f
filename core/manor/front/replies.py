"""Answers as HTTP/1.1 has them: bytes, with no socket in sight."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

import msgspec

from manor.front.framing import NAME
from manor.routing import Reply
from manor.web.sending import raw_headers

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

JOINED = 65_536
"""So much of a body is copied behind its head; a longer one leaves in the same system call, and is not copied."""

_BODILESS = (204, 304)
_CLOSE = b"connection: close\r\n"
_REQUEST_ID = "X-Request-Id"

_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode("ascii")) for status in HTTPStatus
}


class _Date:
    """The `Date` header, made once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._line = b""

    def line(self) -> bytes:
        """The header's line."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._line = b"date: %s\r\n" % formatdate(usegmt=True).encode("ascii")
        return self._line


_date = _Date()


def render_head(
    status: int,
    content_type: str,
    headers: Mapping[str, str],
    *,
    length: int | None = None,
    is_chunked: bool = False,
    closes: bool = False,
) -> bytes:
    """A head to its blank line.

    Args:
        status: The answer's.
        content_type: Empty for none.
        headers: More of them; several cookies stand in one value, a line each.
        length: Of the body; None where there is none, or nobody knows.
        is_chunked: Whether the body comes in chunks.
        closes: Whether to say that the connection ends with it.

    Raises:
        ValueError: A header's name is none.
    """
    lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
    if content_type:
        lines.append(_known_line("content-type", content_type))
    for name, value in headers.items():
        if name == _REQUEST_ID and value.isalnum():
            lines.append(b"x-request-id: %s\r\n" % value.encode())  # like no other's, so it is not kept
        else:
            lines.append(_known_line(name, value))
    if length is not None:
        lines.append(b"content-length: %d\r\n" % length)
    if is_chunked:
        lines.append(b"transfer-encoding: chunked\r\n")
    lines.append(_date.line())
    if closes:
        lines.append(_CLOSE)
    lines.append(b"\r\n")
    return b"".join(lines)


def render_reply(reply: Reply, *, is_head: bool, closes: bool) -> tuple[bytes, ...]:
    """A complete answer, in one part or, when its body is long, in two."""
    body = reply.body
    has_length = reply.status not in _BODILESS
    head = render_head(
        reply.status, reply.content_type, reply.headers, length=len(body) if has_length else None, closes=closes
    )
    if is_head or not has_length or not body:
        return (head,)
    if len(body) <= JOINED:
        return (head + body,)
    return head, body


@lru_cache(maxsize=2048)
def _known_line(name: str, value: str) -> bytes:
    lines = raw_headers({name: value})
    if any(NAME.fullmatch(raw_name) is None for raw_name, _ in lines):
        raise ValueError(f"{name!r} is no header's name")
    return b"".join(b"%s: %s\r\n" % line for line in lines)


def refusal_body(detail: str) -> bytes:
    """The body of an answer that no route gives: a JSON object like those of most of our APIs."""
    return msgspec.json.encode({"detail": detail})


def refusal_headers(status: int, body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of such an answer; it is the connection's last."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    if status == HTTPStatus.UPGRADE_REQUIRED:
        headers.append((b"sec-websocket-version", b"13"))
    return headers


def render_refusal(status: int, detail: str, *, is_head: bool = False) -> bytes:
    """Such an answer whole."""
    body = refusal_body(detail)
    lines = [b"%s: %s\r\n" % pair for pair in refusal_headers(status, body)]
    status_line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return b"".join([status_line, *lines, _date.line(), b"\r\n", b"" if is_head else body])
