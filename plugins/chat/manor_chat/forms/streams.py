"""Forms of any length, taken apart as they come: no file is held."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from manor_chat.forms.parts import LONGEST_FIELD, FormParts, PartBegun, Said, text_of, too_long


class FormPart:
    """A part of a form: `async for piece in part`. Whoever asks for the next part passes over what is left of it.

    Args:
        name: The field's name.
        filename: As the client calls the file, whatever is in it; None for a text.
        pieces: Its content.
    """

    def __init__(self, name: str, filename: str | None, pieces: AsyncIterator[bytes]) -> None:
        self.name = name
        self.filename = filename
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces

    async def text(self) -> str:
        """All of it, which is short.

        Raises:
            BadRequest: 400: it is not.
        """
        content = bytearray()
        async for piece in self._pieces:
            content += piece
            if len(content) > LONGEST_FIELD:
                raise too_long()
        return text_of(bytes(content))


class FormStream:
    """A form, part by part: `async for part in form`.

    Args:
        content_type: Of the request, with the boundary.
        pieces: The request's body.

    Raises:
        BadForm: 400: it is no form; while it is read, that it cannot be read, breaks off, or has too many parts.
    """

    def __init__(self, content_type: str, pieces: AsyncIterator[bytes]) -> None:
        self._incoming = pieces
        self._parts = FormParts(content_type)
        self._said: deque[Said] = deque()
        self._is_over = False

    def __aiter__(self) -> AsyncIterator[FormPart]:
        return self

    async def __anext__(self) -> FormPart:
        while (said := await self._next()) is not None:
            if isinstance(said, PartBegun):
                return FormPart(said.name, said.filename, _PartPieces(self))
        raise StopAsyncIteration

    async def next_piece(self) -> bytes:
        """The next piece of the part that is read; b"" at its end."""
        if self._said and isinstance(self._said[0], PartBegun):
            return b""  # somebody went on to the next part already
        said = await self._next()
        return said if isinstance(said, bytes) else b""

    async def _next(self) -> Said | None:
        while not self._said:
            if self._is_over:
                return None
            try:
                piece = await anext(self._incoming)
            except StopAsyncIteration:
                self._is_over = True
                self._parts.finish()
            else:
                self._said.extend(self._parts.feed(piece))
        return self._said.popleft()


class _PartPieces:
    """The content of one part. No generator, which somebody would have to close who stops in the midst of it."""

    def __init__(self, form: FormStream) -> None:
        self._form = form
        self._is_over = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = b"" if self._is_over else await self._form.next_piece()
        if not piece:
            self._is_over = True
            raise StopAsyncIteration
        return piece
