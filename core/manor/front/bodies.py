"""A request's body as it comes from the socket, up to its announced length."""

from __future__ import annotations

from collections.abc import AsyncIterator

from manor.front.line import Line
from manor.incoming import BrokenOff


class ArrivingBody:
    """The pieces of a body of which some has come with its head.

    Args:
        line: Where the rest comes from.
        begun: What has come.
        length: Bytes in all, more than have come.
    """

    def __init__(self, line: Line, begun: bytes, length: int) -> None:
        self._line = line
        self._begun = begun
        self._left = length
        self.rest = b""
        """What came behind it: the next request's."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next piece.

        Raises:
            BrokenOff: The client left before it was whole.
        """
        if not self._left:
            raise StopAsyncIteration
        piece, self._begun = self._begun, b""
        if not piece:
            piece = await self._line.read()
            if not piece:
                raise BrokenOff
        if len(piece) > self._left:
            piece, self.rest = piece[: self._left], piece[self._left :]
        self._left -= len(piece)
        return piece
