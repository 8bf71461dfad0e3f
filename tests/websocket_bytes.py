"""WebSockets byte by byte (RFC 6455): what a client may send, and much that it may not."""

from __future__ import annotations

import struct
from collections.abc import Iterator

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x01\x02\x03\x04"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def handshake(path: str = "/welcome/ws", *, host: str = "manor.test", **headers: str | None) -> bytes:
    """A good handshake, with some headers changed or, as None, left out; `_` stands for `-`."""
    lines = {
        "Host": host,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"GET {path} HTTP/1.1\r\n{text}\r\n".encode()


def frame(payload: bytes, *, opcode: int = TEXT, is_masked: bool = True, is_final: bool = True, bits: int = 0) -> bytes:
    """A client's frame (section 5.2)."""
    first = opcode | bits | (0x80 if is_final else 0)
    mask_bit = 0x80 if is_masked else 0
    if len(payload) < 126:
        size = bytes([mask_bit | len(payload)])
    elif len(payload) < 65_536:
        size = struct.pack("!BH", mask_bit | 126, len(payload))
    else:
        size = struct.pack("!BQ", mask_bit | 127, len(payload))
    if not is_masked:
        return bytes([first]) + size + payload
    return bytes([first]) + size + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))


def closing(code: int, reason: str = "") -> bytes:
    """A client's close frame."""
    return frame(struct.pack("!H", code) + reason.encode(), opcode=CLOSE)


def server_frames(said: bytes) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of each frame that a server has sent, all of them whole, unmasked and in one part."""
    while said:
        first, second = said[0], said[1]
        assert first & 0xF0 == 0x80, "final, and no reserved bit"
        assert not second & 0x80, "a server does not mask"
        size, start = second & 0x7F, 2
        if size == 126:
            (size,), start = struct.unpack("!H", said[2:4]), 4
        elif size == 127:
            (size,), start = struct.unpack("!Q", said[2:10]), 10
        assert len(said) >= start + size, "the last frame is whole"
        yield first & 0x0F, said[start : start + size]
        said = said[start + size :]
