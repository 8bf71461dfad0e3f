"""The chunk stream: messages cut into pieces, so that a large one does not hold up the others.

A header says only what differs from the chunk before it on the same chunk stream. Four formats: 0 has all, 1 leaves
out the message stream, 2 has the time alone, 3 nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from manor_stream.rtmp.errors import ProtocolError
from manor_stream.rtmp.messages import (
    COMMAND_CHUNKS,
    CONTROL_CHUNKS,
    MEDIA_TYPES,
    STATUS_CHUNKS,
    Message,
    MessageType,
)

FIRST_CHUNK_SIZE = 128
"""Of either side, until it says otherwise."""

LEAST_CHUNK_SIZE = 128
MOST_CHUNK_SIZE = 0xFFFFFF

MOST_MEDIA = 8 << 20
"""Bytes of one frame."""

MOST_COMMAND = 64 << 10
"""Bytes of any other message."""

MOST_UNFINISHED = 16 << 20
"""Bytes of messages whose last chunk has not come yet, on all chunk streams together."""

MOST_CHUNK_STREAMS = 64

_EXTENDED = 0xFFFFFF
"""Stands where a time does not fit; four bytes behind the header have it then."""

_HEADER_SIZES = (11, 7, 3, 0)
_MASK = 0xFFFFFFFF


@dataclass(slots=True)
class _ChunkStream:
    """What the next header on this chunk stream may leave out."""

    timestamp: int = 0
    step: int = 0
    is_extended: bool = False
    field_value: int = 0
    size: int = 0
    kind: int = 0
    stream: int = 0
    body: bytearray = field(default_factory=bytearray)
    is_within: bool = False


class ChunkReader:
    """Puts messages together. Bytes go in by `receive`, messages come out of `next_message`.

    Control of the chunk stream itself (chunk sizes, aborted messages) is heeded here, and comes out all the same.

    Attributes:
        buffer: What is received and not read yet.
        takes_media: Whether audio and video may be as long as frames are; as long as commands until then.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.takes_media = False
        self._begin = 0
        self._chunk_size = FIRST_CHUNK_SIZE
        self._chunk_streams: dict[int, _ChunkStream] = {}
        self._unfinished = 0

    def receive(self, data: bytes) -> None:
        """Take what came."""
        # What was read goes away here, once for all messages of the last piece.
        if self._begin:
            del self.buffer[: self._begin]
            self._begin = 0
        self.buffer += data

    def next_message(self) -> Message | None:
        """The next whole message, or None when more has to come.

        Raises:
            ProtocolError: It is not what RTMP has, or longer than what is taken.
        """
        while (found := self._chunk()) is not None:
            chunk_stream, begin, end = found
            self._begin = end
            message = self._joined(chunk_stream, begin, end)
            if message is not None:
                self._heed(message)
                return message
        return None

    def _chunk(self) -> tuple[_ChunkStream, int, int] | None:
        """The next chunk: whose it is, and where its part of the body begins and ends. None when it is not whole."""
        buffer, at = self.buffer, self._begin
        size = len(buffer)
        if at >= size:
            return None
        layout, number = buffer[at] >> 6, buffer[at] & 0x3F
        at += 1
        if number < 2:
            if at + number >= size:
                return None
            number, at = 64 + int.from_bytes(buffer[at : at + number + 1], "little"), at + number + 1
        end = at + _HEADER_SIZES[layout]
        if end > size:
            return None
        chunk_stream = self._chunk_streams.get(number)
        if chunk_stream is None:
            if layout:
                raise ProtocolError("a chunk stream begins with a header that leaves something out")
            chunk_stream = self._new_chunk_stream(number)
        if layout == 3:
            return self._continued(chunk_stream, at)
        if chunk_stream.is_within:
            raise ProtocolError("a message begins within another one of its chunk stream")
        return self._begun(chunk_stream, layout, at, end)

    def _new_chunk_stream(self, number: int) -> _ChunkStream:
        if len(self._chunk_streams) >= MOST_CHUNK_STREAMS:
            raise ProtocolError(f"more than {MOST_CHUNK_STREAMS} chunk streams")
        return self._chunk_streams.setdefault(number, _ChunkStream())

    def _begun(
        self, chunk_stream: _ChunkStream, layout: int, at: int, end: int
    ) -> tuple[_ChunkStream, int, int] | None:
        """A chunk with a header of its own. Nothing is kept of it until all of it is there."""
        buffer = self.buffer
        value = int.from_bytes(buffer[at : at + 3], "big")
        is_extended = value == _EXTENDED
        if is_extended:
            if end + 4 > len(buffer):
                return None
            value = int.from_bytes(buffer[end : end + 4], "big")
            end += 4
        size, kind = chunk_stream.size, chunk_stream.kind
        if layout < 2:
            size, kind = int.from_bytes(buffer[at + 3 : at + 6], "big"), buffer[at + 6]
        self._check_size(size, kind)
        if end + min(size, self._chunk_size) > len(buffer):
            return None
        if layout == 0:
            chunk_stream.stream = int.from_bytes(buffer[at + 7 : at + 11], "little")
        chunk_stream.size, chunk_stream.kind = size, kind
        chunk_stream.timestamp = value if layout == 0 else (chunk_stream.timestamp + value) & _MASK
        chunk_stream.step = chunk_stream.field_value = value
        chunk_stream.is_extended = is_extended
        return chunk_stream, end, end + min(size, self._chunk_size)

    def _continued(self, chunk_stream: _ChunkStream, at: int) -> tuple[_ChunkStream, int, int] | None:
        """A chunk without a header: more of a message, or one more that is like the last."""
        buffer = self.buffer
        if chunk_stream.is_extended:
            # The specification repeats the time here and most encoders do. Some do not, and their body goes on.
            if at + 4 > len(buffer):
                return None
            if int.from_bytes(buffer[at : at + 4], "big") == chunk_stream.field_value:
                at += 4
        end = at + min(chunk_stream.size - len(chunk_stream.body), self._chunk_size)
        if end > len(buffer):
            return None
        if not chunk_stream.is_within:
            chunk_stream.timestamp = (chunk_stream.timestamp + chunk_stream.step) & _MASK
        return chunk_stream, at, end

    def _check_size(self, size: int, kind: int) -> None:
        most = MOST_MEDIA if self.takes_media and kind in MEDIA_TYPES else MOST_COMMAND
        if size > most:
            raise ProtocolError(f"a message of {size} bytes, where {most} are taken")

    def _joined(self, chunk_stream: _ChunkStream, begin: int, end: int) -> Message | None:
        """The message, if this was its last chunk."""
        if not chunk_stream.is_within and end - begin == chunk_stream.size:
            with memoryview(self.buffer) as view:
                body = bytes(view[begin:end])
        else:
            with memoryview(self.buffer) as view:
                chunk_stream.body += view[begin:end]
            chunk_stream.is_within = True
            self._unfinished += end - begin
            if len(chunk_stream.body) < chunk_stream.size:
                if self._unfinished > MOST_UNFINISHED:
                    raise ProtocolError("too many messages are begun and not ended")
                return None
            body = bytes(chunk_stream.body)
            self._drop(chunk_stream)
        return Message(chunk_stream.kind, body, chunk_stream.timestamp, chunk_stream.stream)

    def _drop(self, chunk_stream: _ChunkStream) -> None:
        self._unfinished -= len(chunk_stream.body)
        chunk_stream.body = bytearray()
        chunk_stream.is_within = False

    def _heed(self, message: Message) -> None:
        if message.kind == MessageType.SET_CHUNK_SIZE:
            size = int.from_bytes(_number(message), "big") & 0x7FFFFFFF
            if not LEAST_CHUNK_SIZE <= size <= MOST_CHUNK_SIZE:
                raise ProtocolError(f"chunks of {size} bytes, where {LEAST_CHUNK_SIZE} to {MOST_CHUNK_SIZE} are taken")
            self._chunk_size = size
        elif message.kind == MessageType.ABORT:
            chunk_stream = self._chunk_streams.get(int.from_bytes(_number(message), "big"))
            if chunk_stream is not None:
                self._drop(chunk_stream)


def _number(message: Message) -> bytes:
    if len(message.body) < 4:
        raise ProtocolError("a control message without its number")
    return message.body[:4]


def in_chunks(messages: Iterable[Message], chunk_size: int) -> bytes:
    """Messages as they are sent, each with a whole header and cut where it has to be."""
    out = bytearray()
    for message in messages:
        chunk_stream = _chunk_stream_for(message)
        stamp = message.timestamp & _MASK
        extension = stamp.to_bytes(4, "big") if stamp >= _EXTENDED else b""
        out.append(chunk_stream)
        out += min(stamp, _EXTENDED).to_bytes(3, "big") + len(message.body).to_bytes(3, "big")
        out.append(message.kind)
        out += message.stream.to_bytes(4, "little") + extension
        out += message.body[:chunk_size]
        for begin in range(chunk_size, len(message.body), chunk_size):
            out.append(0xC0 | chunk_stream)
            out += extension + message.body[begin : begin + chunk_size]
    return bytes(out)


def _chunk_stream_for(message: Message) -> int:
    match message.kind:
        case MessageType.COMMAND:
            return STATUS_CHUNKS if message.stream else COMMAND_CHUNKS
        case MessageType.AUDIO | MessageType.VIDEO | MessageType.DATA:
            return STATUS_CHUNKS + 1
        case _:
            return CONTROL_CHUNKS
