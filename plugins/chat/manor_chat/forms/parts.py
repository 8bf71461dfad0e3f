"""The parts of a form, found in its bytes as they come."""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from manor import BadRequest
from manor_chat import faults

MOST_PARTS = 100
LONGEST_FIELD = 65_536
"""Bytes of a part that is no file."""

LONGEST_HEADERS = 8192
"""Bytes of the headers of a part."""

_LONGEST_BOUNDARY = 200


@dataclass(frozen=True)
class PartBegun:
    """A part begins.

    Args:
        name: The field's name.
        filename: As the client calls the file, whatever is in it; None for a text.
        content_type: As the client calls it; "" where it does not.
    """

    name: str
    filename: str | None
    content_type: str


class PartEnded:
    """A part is over."""


Said = PartBegun | bytes | PartEnded
"""What stands in a form; bytes are a piece of the content of the part that began last."""


class FormParts:
    """Finds the parts of one form.

    Args:
        content_type: Of the request, with the boundary.

    Raises:
        BadForm: 400: it is no form; while it is fed, that it cannot be read, or has more parts or longer headers than a
            form needs.
    """

    def __init__(self, content_type: str) -> None:
        self._said: list[Said] = []
        self._is_whole = False
        self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._headers_size = 0
        self._name = self._value = b""
        self._parser = MultipartParser(
            _boundary_of(content_type),
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

    def feed(self, data: bytes) -> list[Said]:
        """What is said in the next bytes."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise bad_form("the multipart form cannot be read") from error
        said, self._said = self._said, []
        return said

    def finish(self) -> None:
        """See that the form is whole: nothing more comes."""
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
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        name, filename = options.get(b"name"), options.get(b"filename")
        if kind != b"form-data" or name is None:
            raise bad_form("a part of the form has no name")
        content_type = text_of(self._headers.get(b"content-type", b""))
        self._said.append(PartBegun(text_of(name), None if filename is None else text_of(filename), content_type))

    def _take_content(self, data: bytes, start: int, end: int) -> None:
        if end > start:
            self._said.append(data[start:end])

    def _end_part(self) -> None:
        self._said.append(PartEnded())

    def _end_form(self) -> None:
        self._is_whole = True


def _boundary_of(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise bad_form("a multipart form is expected")
    return boundary


def text_of(data: bytes) -> str:
    """What a form says, whatever bytes it says it in."""
    return data.decode("utf-8", "replace")


class BadForm(BadRequest):
    """400: what came is no form, or half of one, or more than a form needs."""


def bad_form(what: str) -> BadForm:
    """400: what is wrong with a form."""
    refused = faults.bad_body_param("form")
    return BadForm(f"{refused.detail}: {what}", code=refused.code)


def too_long() -> BadForm:
    """400: a text of a form is longer than any field needs."""
    return bad_form(f"a text of a form has {LONGEST_FIELD} bytes at most")
