"""The requests of one connection that wait for their answers, which leave in the requests' order."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import structlog
import trio

from manor.answers import too_slow
from manor.dispatch import Call
from manor.errors import InternalError
from manor.front.line import Line
from manor.front.replies import JOINED, render_reply
from manor.routing import Later, Reply
from manor.web import Visits

log = structlog.get_logger("manor.front")

MOST_WAITING = 64
"""Pipelined requests of one client that are under way; then the next is not begun."""


class Exchange:
    """One request and, some time, its answer.

    Args:
        call: The request.
        began: When, by `time.perf_counter`.

    Attributes:
        closes: Whether the connection ends with its answer.
        answer: What it is answered with, once that is known and others are still to be answered before it.
    """

    __slots__ = ("answer", "began", "call", "closes", "overdue_at")

    def __init__(self, call: Call, began: float) -> None:
        self.call = call
        self.began = began
        self.closes = False
        self.answer: Reply | None = None
        self.overdue_at = 0.0


class Exchanges:
    """Writes answers in order: one that comes early waits for those before it, and leaves together with them.

    Args:
        line: Where they go.
        visits: Told of each that has gone.
        peer: The connection's other end, as `Visits` knows it.
        on_empty: Called when nothing waits any more, after something did.
    """

    __slots__ = ("_emptied", "_line", "_on_empty", "_peer", "_visits", "_waiting")

    def __init__(self, line: Line, visits: Visits, peer: str, on_empty: Callable[[], None]) -> None:
        self._line = line
        self._visits = visits
        self._peer = peer
        self._on_empty = on_empty
        self._waiting: Sequence[Exchange] = ()
        self._emptied: trio.Event | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def overdue_at(self) -> float:
        """When the oldest has waited too long; infinite where none waits."""
        return self._waiting[0].overdue_at if self._waiting else math.inf

    def answer(self, exchange: Exchange, reply: Reply) -> None:
        """Write an answer, behind those that are still to come."""
        if self._waiting:
            exchange.answer = reply
            self._queue.append(exchange)
        else:
            self._line.post(*_rendered(exchange, reply))
            self.ended(exchange, reply.status)

    def answer_later(self, exchange: Exchange, later: Later, deadline: float) -> None:
        """Write the answer once it is there.

        Args:
            exchange: The request.
            later: Brings a `Reply`.
            deadline: Seconds that this may take.
        """
        exchange.overdue_at = trio.current_time() + deadline
        self._queue.append(exchange)
        later.then(partial(self._arrived, exchange, later))

    def refuse_overdue(self, now: float) -> None:
        """Answer with 503 whose work has taken too long by then; whether it is done some time is not known."""
        while self.overdue_at <= now:
            exchange = self._waiting[0]
            exchange.answer = exchange.call.refuse(too_slow())
            self._write()

    async def emptied(self) -> None:
        """Wait until all are answered."""
        while self._waiting:
            if self._emptied is None:
                self._emptied = trio.Event()
            await self._emptied.wait()

    def ended(self, exchange: Exchange, status: int) -> None:
        """Note that a request is over; the status is 0 where no answer was sent."""
        self._visits.leave(exchange.call, self._peer)
        self._visits.note(exchange.call, status, exchange.began)

    @property
    def _queue(self) -> deque[Exchange]:
        """Made when first needed: most streams are a connection's first request and its last."""
        if not isinstance(self._waiting, deque):
            self._waiting = deque()
        return self._waiting

    def _arrived(self, exchange: Exchange, later: Later) -> None:
        if exchange.answer is not None:
            return  # it was overdue
        answer = later.take()
        if not isinstance(answer, Reply):
            log.error("no_reply", owner=exchange.call.owner, path=exchange.call.shown_path, got=type(answer).__name__)
            answer = exchange.call.refuse(InternalError("Internal server error"))
        if len(self._waiting) == 1:
            # Alone, as almost all are: what follows is `_write` for one.
            self._queue.clear()
            self._line.post(*_rendered(exchange, answer))
            self.ended(exchange, answer.status)
            self._is_empty()
            return
        exchange.answer = answer
        if exchange is self._waiting[0]:
            self._write()

    def _write(self) -> None:
        waiting = self._queue
        parts: list[bytes] = []
        gone: list[tuple[Exchange, int]] = []
        while waiting and (reply := waiting[0].answer) is not None:
            exchange = waiting.popleft()
            parts.extend(_rendered(exchange, reply))
            gone.append((exchange, reply.status))
        if len(parts) > 1 and sum(map(len, parts)) <= JOINED:
            parts = [b"".join(parts)]  # one buffer is written faster than many; large ones are not held twice for that
        self._line.post(*parts)
        for exchange, status in gone:
            self.ended(exchange, status)
        if not waiting:
            self._is_empty()

    def _is_empty(self) -> None:
        if self._emptied is not None:
            self._emptied.set()
            self._emptied = None
        self._on_empty()


def _rendered(exchange: Exchange, reply: Reply) -> tuple[bytes, ...]:
    call = exchange.call
    is_head = call.head.method == "HEAD"
    try:
        return render_reply(reply, is_head=is_head, closes=exchange.closes)
    except ValueError:
        # The edge: a plugin's header that is none. It must not reach the writer, which may be who calls.
        log.exception("request failed", path=call.shown_path, owner=call.owner)
        failed = call.refuse(InternalError("Internal server error"))
        return render_reply(failed, is_head=is_head, closes=exchange.closes)
