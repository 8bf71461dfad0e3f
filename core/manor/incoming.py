"""A request's body that is handed on as it comes, for what is too large to be held."""

from __future__ import annotations

from collections.abc import AsyncIterator

from manor.errors import BadRequest, TooLarge


class BrokenOff(BadRequest):
    """The client left before its body was whole; nobody reads the answer."""

    def __init__(self) -> None:
        super().__init__("The body breaks off")


class Incoming:
    """A request's body, piece by piece: `async for piece in request.body`.

    No more is taken from the network than is asked for, so a slow reader slows the client down. A client that waits
    for `100 Continue` is told to go on when the first piece is asked for: who is refused before that sends nothing.

    Args:
        pieces: As they come, each with something in it; raises `BrokenOff` when the client leaves, and `RequestTimeout`
            (408) when too little comes.
        limit: Bytes in all.
        announced: What `Content-Length` says; None where it says nothing.
    """

    def __init__(self, pieces: AsyncIterator[bytes], *, limit: int, announced: int | None = None) -> None:
        self._pieces = pieces
        self._limit = limit
        self._size = 0
        self.announced = announced

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next piece.

        Raises:
            TooLarge: 413: more came than the route takes.
        """
        piece = await anext(self._pieces)
        self._size += len(piece)
        if self._size > self._limit:
            raise too_large(self._limit)
        return piece


def too_large(limit: int) -> TooLarge:
    """Says whose limit it is: what is in a body, such as a message, may have a smaller one of its own."""
    return TooLarge(f"The body is longer than this route takes ({limit} bytes)")
