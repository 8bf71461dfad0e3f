"""Reading a request's body: within its limit, and in reasonable time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import trio

from manor.errors import BadRequest, RequestTimeout
from manor.incoming import Incoming, too_large
from manor.routing import Head


@dataclass(frozen=True)
class BodyTimes:
    """How slowly a body may come.

    Args:
        idle: Seconds without a byte.
        slowest: Bytes a second on average, once `idle` seconds have passed: a dripping body ends too.
    """

    idle: float = 15.0
    slowest: int = 500


def refuse_announced(head: Head, limit: int) -> None:
    """Refuse a body by its Content-Length, before a byte of it is read.

    Raises:
        TooLarge: It is longer than `limit`.
        BadRequest: It is no number (HTTP/2; HTTP/1.1 never lets it come this far).
    """
    announced = head.headers.get("content-length")
    if announced is None:
        return
    if not (announced.isascii() and announced.isdigit()):
        raise BadRequest("Content-Length is not a number")
    if int(announced) > limit:
        raise too_large(limit)


class TimedPieces:
    """The pieces of a body, each in time. What the reader does between two of them is not the client's slowness.

    Args:
        chunks: As they come.
        times: How slowly they may.
        ask: Called once, before the first one: a client may wait for that.
    """

    def __init__(
        self, chunks: AsyncIterator[bytes], times: BodyTimes, ask: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._chunks = chunks
        self._times = times
        self._ask = ask
        self._size = 0
        self._waited = 0.0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next piece.

        Raises:
            RequestTimeout: It came too slowly, or stopped coming.
        """
        if self._ask is not None:
            ask, self._ask = self._ask, None
            await ask()
        patience = self._times.idle + self._size / self._times.slowest - self._waited
        began = trio.current_time()
        with trio.move_on_at(began + min(self._times.idle, patience)):
            piece = await anext(self._chunks)
            self._waited += trio.current_time() - began
            self._size += len(piece)
            return piece
        raise RequestTimeout("The body did not arrive in time")


async def read_body(chunks: AsyncIterator[bytes], limit: int, times: BodyTimes) -> bytes:
    """The whole body.

    Raises:
        TooLarge: More came than `limit`.
        RequestTimeout: It came too slowly, or stopped coming.
    """
    body = bytearray()
    async for piece in Incoming(TimedPieces(chunks, times), limit=limit):
        body += piece
    return bytes(body)


def incoming(
    chunks: AsyncIterator[bytes], head: Head, limit: int, times: BodyTimes, ask: Callable[[], Awaitable[None]]
) -> Incoming:
    """The body as its handler reads it.

    Raises:
        TooLarge: It says itself that it is longer than `limit`.
        BadRequest: Its length is no number.
    """
    refuse_announced(head, limit)
    announced = head.headers.get("content-length")
    pieces = TimedPieces(chunks, times, ask)
    return Incoming(pieces, limit=limit, announced=None if announced is None else int(announced))
