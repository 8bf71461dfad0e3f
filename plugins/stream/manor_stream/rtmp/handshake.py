"""The handshake: each side sends 1536 bytes, and has them sent back.

The plain one. The other, with digests in it, was for the Flash player to know its own servers; encoders do without.
"""

from __future__ import annotations

from manor_stream.rtmp.errors import ProtocolError

VERSION = 3
SIZE = 1536

RANDOM_SIZE = SIZE - 8

_ZEROS = bytes(4)


class Handshake:
    """The server's side.

    Args:
        random: `RANDOM_SIZE` bytes that nobody foresees.
    """

    def __init__(self, random: bytes) -> None:
        # The time, then four bytes which are zero in the plain handshake.
        self._ours = _ZEROS + _ZEROS + random
        self._is_answered = False
        self.is_over = False

    def proceed(self, received: bytearray) -> bytes:
        """Take from the front of what was received what belongs to the handshake; returns what to send.

        Raises:
            ProtocolError: It is another protocol, or another version of this one.
        """
        if received and not self._is_answered and received[0] != VERSION:
            raise ProtocolError(f"this is not RTMP: its first byte is {received[0]}")
        answer = b""
        if not self._is_answered and len(received) > SIZE:
            theirs = bytes(received[1 : 1 + SIZE])
            del received[: 1 + SIZE]
            self._is_answered = True
            answer = bytes((VERSION,)) + self._ours + theirs
        if self._is_answered and len(received) >= SIZE:
            # What came back is not compared: some encoders put times of their own into it.
            del received[:SIZE]
            self.is_over = True
        return answer
