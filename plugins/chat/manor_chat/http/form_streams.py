"""Forms with files (multipart/form-data, RFC 7578), taken apart as they come: no file is held."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from manor_chat.http.multipart import LONGEST_FIELD, MOST_PARTS, bad_form, boundary_of, text_of

LONGEST_HEADERS = 8192
"""Bytes of the headers of a part."""


@dataclass(frozen=True)
class _Begin:
    headers: dict[bytes, bytes]


class _End:
    """A part is over."""


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
                raise bad_form(f"a text of a form has {LONGEST_FIELD} bytes at most")
        return text_of(bytes(content))


class FormStream:
    """A form, part by part: `async for part in form`.

    Args:
        content_type: Of the request, with the boundary.
        pieces: The request's body.

    Raises:
        BadRequest: 400: it is no form; while it is read, that it cannot be read, breaks off, or has too many parts.
    """

    def __init__(self, content_type: str, pieces: AsyncIterator[bytes]) -> None:
        self._incoming = pieces
        self._said: deque[_Begin | _End | bytes] = deque()
        self._is_over = False
        self._is_whole = False
        self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._headers_size = 0
        self._name = self._value = b""
        self._parser = MultipartParser(
            boundary_of(content_type),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_name,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take_content,
                "on_part_end": self._end_part,
                "on_end": self._end_form,
            },
        )

    def __aiter__(self) -> AsyncIterator[FormPart]:
        return self

    async def __anext__(self) -> FormPart:
        while (said := await self._next()) is not None:
            if isinstance(said, _Begin):
                return self._part(said.headers)
        raise StopAsyncIteration

    def _part(self, headers: dict[bytes, bytes]) -> FormPart:
        kind, options = parse_options_header(headers.get(b"content-disposition"))
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise bad_form("a part of the form has no name")
        filename = options.get(b"filename")
        return FormPart(text_of(name), None if filename is None else text_of(filename), _PartPieces(self))

    async def next_piece(self) -> bytes:
        """The next piece of the part that is read; b"" at its end."""
        if self._said and isinstance(self._said[0], _Begin):
            return b""  # somebody went on to the next part already
        said = await self._next()
        return said if isinstance(said, bytes) else b""

    async def _next(self) -> _Begin | _End | bytes | None:
        while not self._said:
            if self._is_over:
                return None
            await self._read_on()
        return self._said.popleft()

    async def _read_on(self) -> None:
        try:
            self._parser.write(await anext(self._incoming))
        except StopAsyncIteration:
            self._is_over = True
            self._finish()
        except FormParserError as error:
            raise bad_form("the multipart form cannot be read") from error

    def _finish(self) -> None:
        try:
            self._parser.finalize()
        except FormParserError as error:
            raise bad_form("the multipart form cannot be read") from error
        if not self._is_whole:
            raise bad_form("the multipart form breaks off")

    # --- What the parser says --------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise bad_form(f"a form has {MOST_PARTS} parts at most")
        self._headers, self._headers_size = {}, 0

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._name += self._measured(data[start:end])

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += self._measured(data[start:end])

    def _measured(self, data: bytes) -> bytes:
        self._headers_size += len(data)
        if self._headers_size > LONGEST_HEADERS:
            raise bad_form(f"the headers of a part have {LONGEST_HEADERS} bytes at most")
        return data

    def _end_header(self) -> None:
        self._headers.setdefault(self._name.lower(), self._value)
        self._name = self._value = b""

    def _end_headers(self) -> None:
        self._said.append(_Begin(self._headers))

    def _take_content(self, data: bytes, start: int, end: int) -> None:
        if end > start:
            self._said.append(data[start:end])

    def _end_part(self) -> None:
        self._said.append(_End())

    def _end_form(self) -> None:
        self._is_whole = True


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
