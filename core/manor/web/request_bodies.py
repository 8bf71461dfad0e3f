"""Reading a request's body: within its limit, and in reasonable time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import trio

from manor.errors import BadRequest, RequestTimeout, TooLarge
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
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    """Says whose limit it is: what is in a body, such as a message, may have a smaller one of its own."""
    return TooLarge(f"The body is longer than this route takes ({limit} bytes)")


async def read_body(chunks: AsyncIterator[bytes], limit: int, times: BodyTimes) -> bytes:
    """The whole body.

    Raises:
        TooLarge: More came than `limit`.
        RequestTimeout: It came too slowly, or stopped coming.
    """
    body = bytearray()
    start = trio.current_time()
    while True:
        now = trio.current_time()
        allowed = start + times.idle + len(body) / times.slowest
        with trio.move_on_at(min(now + times.idle, allowed)) as waiting:
            try:
                body += await anext(chunks)
            except StopAsyncIteration:
                return bytes(body)
        if waiting.cancelled_caught:
            raise RequestTimeout("The body did not arrive in time")
        if len(body) > limit:
            raise _too_large(limit)
