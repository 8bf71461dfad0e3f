"""Bytes of the two streaming wires: server-sent events (WHATWG HTML, section 9.2) and WebSocket (RFC 6455)."""

from __future__ import annotations

import struct

from manor.routing import Closing

TEXT_OPCODE = 1
BINARY_OPCODE = 2
CLOSE_OPCODE = 8
PING_OPCODE = 9
PONG_OPCODE = 10

MOST_CLOSE_REASON = 123
"""Bytes: a control frame carries 125, and the code takes two of them (RFC 6455 section 5.5)."""


def sse_frame(event: str, data: bytes, id: str = "", retry: int | None = None) -> bytes:  # noqa: A002 - the field's name
    r"""One event as `text/event-stream` has it.

    Args:
        event: Its type; "" leaves the line out, which makes it a `message`.
        data: UTF-8 text. Each of its lines becomes a `data:` line; empty data is one empty `data:` line.
        id: What a client sends back as `Last-Event-ID`; "" leaves the line out.
        retry: Milliseconds that a client waits before it connects again.
    """
    lines = []
    if retry is not None:
        lines.append(b"retry: %d\n" % retry)
    if id:
        lines.append(b"id: %s\n" % id.encode())
    if event:
        lines.append(b"event: %s\n" % event.encode())
    if data:
        lines.extend(b"data: %s\n" % line for line in data.splitlines())
    else:
        lines.append(b"data:\n")
    lines.append(b"\n")
    return b"".join(lines)


def typed_text(event: str, data: bytes) -> bytes:
    """A JSON object with its event's name as the first member, `type`: how WebSocket clients tell events apart.

    Args:
        event: The name; letters, digits and underscores.
        data: A JSON object, encoded, without a member `type`.
    """
    rest = data[1:].lstrip()
    return b'{"type":"%s"%s%s' % (event.encode(), b"" if rest == b"}" else b",", rest)


def websocket_frame(payload: bytes, opcode: int = TEXT_OPCODE) -> bytes:
    """One whole frame as a server sends it: final, not masked (RFC 6455 section 5.2)."""
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + payload
    if size < 65_536:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + payload


def closing_frame(closing: Closing) -> bytes:
    """The close frame that says why; a reason that is too long is cut between characters."""
    reason = closing.reason.encode()[:MOST_CLOSE_REASON].decode("utf-8", "ignore").encode()
    return websocket_frame(struct.pack("!H", closing.code) + reason, CLOSE_OPCODE)


def chunk(data: bytes) -> bytes:
    """One chunk of an HTTP/1.1 body (RFC 9112 section 7.1). `data` is not empty: an empty chunk ends the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)
