"""How long a connection waits, and for how much, whichever door serves it."""

from __future__ import annotations

from dataclasses import dataclass, field

from manor.front.framing import HeadLimits

PIECE = 65_536
"""Bytes that a client has to take within `write` seconds: at least 2 KiB/s with the default."""

MISSED_PINGS = 2
"""So many unanswered pings end a connection."""


@dataclass(frozen=True)
class ConnectionLimits:
    """How long a connection waits, and for how much; all times in seconds.

    Args:
        header: From the connection's start, or a request's first byte, to the end of its head.
        keep_alive: From an answer to the next request's first byte.
        keep_alive_max_requests: After so many the connection is closed; clients open another.
        write: For the client to take a piece of 64 KiB.
        ping: Silence on a WebSocket or a busy HTTP/2 connection before it is pinged; two unanswered pings end it.
        linger: For what a client still sends after its connection was ended, so that it can read our last answer.
        farewell: For a request's task to end once its client is gone.
        head: Size and number of headers.
        websocket_message: Bytes of a client's longest WebSocket message, whatever the route allows.
        http2_streams: Requests at once on an HTTP/2 connection.
    """

    header: float = 10.0
    keep_alive: float = 15.0
    keep_alive_max_requests: int = 1_000
    write: float = 30.0
    ping: float = 30.0
    linger: float = 1.0
    farewell: float = 5.0
    head: HeadLimits = field(default_factory=HeadLimits)
    websocket_message: int = 262_144
    http2_streams: int = 100


@dataclass(frozen=True)
class Peer:
    """Both ends of a connection, as ASGI has them: None for a Unix socket."""

    client: tuple[str, int] | None
    server: tuple[str, int] | None

    @property
    def address(self) -> str:
        """The client's, "" for a Unix socket's."""
        return "" if self.client is None else self.client[0]
