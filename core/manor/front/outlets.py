"""A subscriber's end that owns its socket: frames go straight to it, from whoever has them."""

from __future__ import annotations

from collections.abc import Callable

from manor.auth import Principal
from manor.front.hangups import Hangups
from manor.front.line import Line
from manor.relay.far import FarEnd
from manor.relay.link import Link
from manor.routing import Wire


class LineOutlet:
    """See `manor.routing.Outlet`. What is sent or controlled is whole frames, and the line keeps them whole.

    Args:
        line: The subscriber's socket.
        wire: How its frames look.
        principals: The credentials that opened it.
    """

    __slots__ = ("_line", "principals", "send", "wire")

    send: Callable[[bytes], int] | None

    def __init__(self, line: Line, wire: Wire, principals: tuple[Principal, ...]) -> None:
        self._line = line
        self.wire = wire
        self.principals = principals
        self.send = line.send

    def control(self, data: bytes) -> None:
        """Write a pong or close behind the frames that wait."""
        self._line.post(data)

    def hand_over(self, link: Link, hangups: Hangups) -> FarEnd | None:
        """See `Line.hand_over`."""
        return self._line.hand_over(link, hangups)

    @property
    def far(self) -> FarEnd | None:
        """Its socket in another process, once it was handed over."""
        return self._line.far

    def gone(self) -> None:
        """Drop the connection: its source ended it, and a write hangs all the same."""
        self._line.cut()
