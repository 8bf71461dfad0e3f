"""Messages: what chunks are put together to, and the few that a server says."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from manor_stream.rtmp import amf0


class MessageType(enum.IntEnum):
    """What a message is about; the rest of the numbers is for players and for AMF 3."""

    SET_CHUNK_SIZE = 1
    ABORT = 2
    ACKNOWLEDGEMENT = 3
    USER_CONTROL = 4
    WINDOW_SIZE = 5
    PEER_BANDWIDTH = 6
    AUDIO = 8
    VIDEO = 9
    DATA_AMF3 = 15
    COMMAND_AMF3 = 17
    DATA = 18
    COMMAND = 20


class UserControl(enum.IntEnum):
    """What a user control message says."""

    STREAM_BEGIN = 0
    PING = 6
    PONG = 7


CONTROL_CHUNKS = 2
COMMAND_CHUNKS = 3
STATUS_CHUNKS = 5
"""Chunk streams that a server uses, by custom."""

MEDIA_TYPES = frozenset({MessageType.AUDIO, MessageType.VIDEO})


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Args:
        kind: A `MessageType`, or a number that is none.
        body: All of it.
        timestamp: Milliseconds, 32 bits.
        stream: The message stream; 0 is the connection itself.
    """

    kind: int
    body: bytes
    timestamp: int = 0
    stream: int = 0


def set_chunk_size(size: int) -> Message:
    """From the next message on, our chunks are so large; some encoders make theirs as large then."""
    return Message(MessageType.SET_CHUNK_SIZE, size.to_bytes(4, "big"))


def acknowledgement(received: int) -> Message:
    """How many bytes have come, modulo 2 to the 32."""
    return Message(MessageType.ACKNOWLEDGEMENT, (received & 0xFFFFFFFF).to_bytes(4, "big"))


def window_size(size: int) -> Message:
    """After how many bytes we want to hear that they came."""
    return Message(MessageType.WINDOW_SIZE, size.to_bytes(4, "big"))


def peer_bandwidth(size: int) -> Message:
    """How much the encoder may have under way; it decides itself whether that is a hard limit."""
    dynamic = b"\x02"
    return Message(MessageType.PEER_BANDWIDTH, size.to_bytes(4, "big") + dynamic)


def stream_begin(stream: int) -> Message:
    """The stream can be used."""
    return Message(MessageType.USER_CONTROL, UserControl.STREAM_BEGIN.to_bytes(2, "big") + stream.to_bytes(4, "big"))


def pong(stamp: bytes) -> Message:
    """The answer to a ping, with the ping's own time."""
    return Message(MessageType.USER_CONTROL, UserControl.PONG.to_bytes(2, "big") + stamp)


def command(name: str, transaction: float, *arguments: amf0.Value, stream: int = 0) -> Message:
    """A command, or the answer to one."""
    return Message(MessageType.COMMAND, amf0.write(name, transaction, *arguments), stream=stream)


def status(level: str, code: str, description: str, *, stream: int) -> Message:
    """How it stands with a stream; encoders show the description of those whose level is `error`."""
    return command("onStatus", 0, None, {"level": level, "code": code, "description": description}, stream=stream)
