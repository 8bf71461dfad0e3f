"""Answers that last: bodies of any length, event streams, open WebSockets."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from manor.dispatch import Call
from manor.front.door import FrontDoor
from manor.front.exchanges import Exchange
from manor.front.handshakes import opened, too_early, unfit
from manor.front.line import Line
from manor.front.replies import render_reply
from manor.front.sockets import Socket, converse, subscribe
from manor.front.streaming import send_events, send_stream
from manor.routing import Closing, Live, Stream, WebSocket

Answer = Stream | Live | WebSocket


class Lasting:
    """One answer that is no `Reply`.

    Args:
        door: What its connection shares with others.
        line: Where it goes.
        exchange: The request.
        answer: Let go of once it is being sent: it may last for days.
        is_http10: Whether the client knows no chunks.

    Attributes:
        exchange: The request.
        status: What it was sent with; 0 before that.
        socket: The open WebSocket, if it is one.
    """

    __slots__ = ("_answer", "_door", "_is_http10", "_line", "exchange", "socket", "status")

    def __init__(self, door: FrontDoor, line: Line, exchange: Exchange, answer: Answer, *, is_http10: bool) -> None:
        self._door = door
        self._line = line
        self._answer: Answer | None = answer
        self._is_http10 = is_http10
        self.exchange = exchange
        self.status = 0
        self.socket: Socket | None = None

    def send(self, *, is_early: bool, on_open: Callable[[float], None]) -> Coroutine[Any, Any, None]:
        """What sends it.

        Args:
            is_early: Whether the client has gone on without waiting for it.
            on_open: Told the deadline of a WebSocket once it is open.
        """
        answer, self._answer = self._answer, None
        assert answer is not None, "sent once"
        exchange, call = self.exchange, self.exchange.call
        if call.head.upgrade:
            exchange.closes = True
            return self._open(call, answer, is_early=is_early, on_open=on_open)
        exchange.closes |= self._is_http10
        if isinstance(answer, Live):
            self.status = 200
            is_chunked = not self._is_http10
            return send_events(self._door, self._line, call, answer, is_chunked=is_chunked, closes=exchange.closes)
        assert isinstance(answer, Stream), "a conversation is finished for handshakes only"
        self.status = answer.status
        is_chunked = answer.length is None and not self._is_http10
        return send_stream(self._door, self._line, call, answer, is_chunked=is_chunked, closes=exchange.closes)

    def _open(
        self, call: Call, answer: Answer, *, is_early: bool, on_open: Callable[[float], None]
    ) -> Coroutine[Any, Any, None]:
        refused = too_early(call) if is_early else unfit(call, answer)
        if refused is not None:
            self.status = refused.status
            self._line.post(*render_reply(refused, is_head=False, closes=True))
            return _nothing()
        assert not isinstance(answer, Stream), "unfit"
        socket = Socket(self._door, self._line, call.principals, answer.message_limit)
        opening = opened(call, answer)
        if isinstance(answer, Live):
            # Heard before the client knows that it is subscribed: what it then publishes itself must reach it.
            answer.source.attach(socket.outlet, answer.cursor)
        self._line.post(opening)
        self.status, self.socket = 101, socket
        on_open(socket.deadline)
        talk = subscribe(socket, answer, call) if isinstance(answer, Live) else converse(socket, answer, call)
        return self._talk(talk)

    async def _talk(self, talk: Coroutine[Any, Any, Closing | None]) -> None:
        closing = await talk
        socket, self.socket = self.socket, None
        assert socket is not None, "it was open"
        await socket.part(closing)


async def _nothing() -> None:
    """All is sent."""
