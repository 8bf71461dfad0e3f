"""What the core and its stream processes say to each other: a kind, a number, and bytes. No socket is touched here."""

from __future__ import annotations

import struct
from enum import IntEnum

_HEAD = struct.Struct(">BQI")
_NUMBER = struct.Struct(">Q")
_TERMS = struct.Struct(">Id")

MOST_PAYLOAD = 64 * 1024 * 1024
"""Bytes of one frame. No message is that long; a longer frame is a fault of ours."""


class Kind(IntEnum):
    """What a frame asks for or tells. Its number is a line's, or for those of a group the group's."""

    TAKE = 1
    """Serve this line; its descriptor comes beside the frame. Payload: `Terms`."""
    JOIN = 2
    """The line is to hear what is said to a group. Payload: the group's number."""
    LEAVE = 3
    """The line hears its group no more; what waits for it still leaves."""
    BREAK_OFF = 4
    """The same, and of what waits only a piece that has begun to leave does."""
    SAY = 5
    """To all lines of a group; answered by SAID. Payload: the bytes."""
    SAY_ON = 6
    """The same, with more to follow that was said together with it."""
    GIVE = 7
    """To one line. Payload: the bytes."""
    READ = 8
    """Read once what the line's client sends; answered by HEARD or LEFT."""
    SYNC = 9
    """Answered by SYNCED once all that was given before has left. Line 0 is nobody's: answered at once."""
    GOODBYE = 10
    """Send no more on the line; what comes can still be read."""
    CUT = 11
    """Close the line, whatever waits."""
    ABORT = 12
    """Close the line; what was not delivered is lost."""

    READY = 33
    """The process can be given lines."""
    HEARD = 34
    """Payload: what the line's client sent."""
    LEFT = 35
    """The line is closed: its client has left, or took nothing for too long."""
    TOO_SLOW = 36
    """More waits for the line than may. It hears its group no more."""
    SYNCED = 37
    """The oldest SYNC of the line that was not answered yet is."""
    SAID = 38
    """The oldest SAY or SAY_ON of the group that was not answered yet is on its way to all of its lines."""


class BadFrame(Exception):
    """The other end says what it may not. It is our own, so this is a fault of ours."""


def frame(kind: Kind, number: int, payload: bytes = b"") -> bytes:
    """One frame.

    Args:
        kind: What it says.
        number: Whose line or group; below 2**64.
        payload: As the kind has it, at most `MOST_PAYLOAD` bytes.
    """
    return _HEAD.pack(kind, number, len(payload)) + payload


def joining(line: int, group: int) -> bytes:
    """A JOIN."""
    return frame(Kind.JOIN, line, _NUMBER.pack(group))


def joined_group(payload: bytes) -> int:
    """The group of a JOIN.

    Raises:
        BadFrame: It names none.
    """
    try:
        return int(_NUMBER.unpack(payload)[0])
    except struct.error as error:
        raise BadFrame("a JOIN without a group") from error


class Terms:
    """How a line is served.

    Args:
        write_seconds: For its client to take 64 KiB; then it is cut off.
        is_watched: Whether a client that closes its sending half has left. Else that is found out by reading.
    """

    __slots__ = ("is_watched", "write_seconds")

    def __init__(self, write_seconds: float, *, is_watched: bool) -> None:
        self.write_seconds = write_seconds
        self.is_watched = is_watched

    def encode(self) -> bytes:
        """As the payload of a TAKE."""
        return _TERMS.pack(self.is_watched, self.write_seconds)

    @staticmethod
    def decode(payload: bytes) -> Terms:
        """Those of a TAKE.

        Raises:
            BadFrame: There are none.
        """
        try:
            is_watched, write_seconds = _TERMS.unpack(payload)
        except struct.error as error:
            raise BadFrame("a TAKE without its terms") from error
        return Terms(write_seconds, is_watched=bool(is_watched))


class Frames:
    """Finds the frames in bytes that come in any portions."""

    __slots__ = ("_data", "_place")

    def __init__(self) -> None:
        self._data = bytearray()
        self._place = 0

    def feed(self, data: bytes) -> None:
        """More has come."""
        if self._place:
            del self._data[: self._place]
            self._place = 0
        self._data += data

    def next(self) -> tuple[Kind, int, bytes] | None:
        """The next whole frame as kind, number and payload; None until more has come.

        Raises:
            BadFrame: Nothing that follows can be understood.
        """
        data, start = self._data, self._place + _HEAD.size
        if len(data) < start:
            return None
        code, number, length = _HEAD.unpack_from(data, self._place)
        if length > MOST_PAYLOAD:
            raise BadFrame(f"a frame of {length} bytes")
        if len(data) < start + length:
            return None
        try:
            kind = Kind(code)
        except ValueError as error:
            raise BadFrame(f"a frame of kind {code}") from error
        self._place = start + length
        return kind, number, bytes(memoryview(data)[start : self._place])
