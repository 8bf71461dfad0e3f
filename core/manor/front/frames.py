"""What a WebSocket's client says: bytes in, messages and protocol matters out. Pure.

wsproto reads the frames (RFC 6455); what is sent back is framed by `manor.live.frames`. Nothing is made for a client
that never says anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Message, Ping, TextMessage

from manor.routing import Closing
from manor.web.closings import TOO_LONG


@dataclass(frozen=True, slots=True)
class Pinged:
    """The client asks whether we are there; the payload goes back."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Left:
    """The client said goodbye, which is answered with the same code."""

    closing: Closing


@dataclass(frozen=True, slots=True)
class Broken:
    """What came is no WebSocket's, or too long: why it is closed."""

    closing: Closing


Said = str | bytes | Pinged | Left | Broken
"""A whole message, or a protocol matter."""


class Listener:
    """Reads one client's frames.

    Args:
        limit: Bytes of its longest message.
    """

    __slots__ = ("_begun", "_connection", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._connection: Connection | None = None
        # Bytes and not a list of parts: those may be many, and of no length at all.
        self._begun = bytearray()

    def hear(self, data: bytes) -> Iterator[Said]:
        """What that says. After `Left` or `Broken` nothing more is to be heard."""
        if self._connection is None:
            self._connection = Connection(ConnectionType.SERVER)
        connection = self._connection
        connection.receive_data(data)
        for event in connection.events():
            match event:
                case Message():
                    is_text = isinstance(event, TextMessage)
                    self._begun += event.data.encode() if is_text else event.data
                    if len(self._begun) > self._limit:
                        yield Broken(TOO_LONG)
                        return
                    if event.message_finished:
                        whole, self._begun = bytes(self._begun), bytearray()
                        yield whole.decode() if is_text else whole
                case Ping():
                    yield Pinged(bytes(event.payload))
                case CloseConnection():
                    if connection.state is ConnectionState.REMOTE_CLOSING:
                        yield Left(Closing(event.code, event.reason or ""))
                    else:
                        # Not a frame of the client's, but wsproto's verdict on what it cannot read, in its own words.
                        yield Broken(Closing(event.code, ""))
                    return
