"""Forms with files (multipart/form-data, RFC 7578), taken apart within bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from manor import BadRequest
from manor_chat import faults

MOST_PARTS = 100
LONGEST_FIELD = 65_536
"""Bytes of a part that is no file."""

_LONGEST_BOUNDARY = 200


@dataclass(frozen=True)
class FormFile:
    """A file of a form.

    Args:
        name: The field's name.
        filename: As the client calls it, whatever is in it.
        content_type: As the client calls it.
        content: All of it.
    """

    name: str
    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True)
class Form:
    """A form.

    Args:
        fields: Texts by the field's name, in their order.
        files: In their order.
    """

    fields: dict[str, list[str]] = field(default_factory=dict)
    files: list[FormFile] = field(default_factory=list)

    def text(self, name: str) -> str:
        """The first text of a field; "" where there is none."""
        return next(iter(self.fields.get(name, ())), "")

    def texts(self, name: str) -> list[str]:
        """All texts of a field."""
        return self.fields.get(name, [])

    def file(self, name: str) -> FormFile | None:
        """The first file of a field."""
        return next((each for each in self.files if each.name == name), None)


def read_form(content_type: str, body: bytes) -> Form:
    """Take a form apart.

    Args:
        content_type: Of the request, with the boundary.
        body: All of it; how long it may be is the route's to say.

    Raises:
        BadRequest: 400: it is none, it breaks off, or has more parts or longer texts than a form needs.
    """
    boundary = boundary_of(content_type)
    reading = _Reading()
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": reading.begin,
            "on_header_field": reading.take_header_name,
            "on_header_value": reading.take_header_value,
            "on_header_end": reading.end_header,
            "on_part_data": reading.take_content,
            "on_part_end": reading.end,
            "on_end": reading.finish,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise bad_form("the multipart form cannot be read") from error
    if not reading.is_whole:
        raise bad_form("the multipart form breaks off")
    return reading.form


def boundary_of(content_type: str) -> bytes:
    """What stands between the parts of a form.

    Raises:
        BadRequest: 400: it is no form.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= _LONGEST_BOUNDARY:
        raise bad_form("a multipart form is expected")
    return boundary


class _Reading:
    """What the parser has said so far."""

    def __init__(self) -> None:
        self.form = Form()
        self.is_whole = False
        self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._header_name = self._header_value = b""
        self._content = bytearray()

    def begin(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise bad_form(f"a form has {MOST_PARTS} parts at most")
        self._headers = {}
        self._content = bytearray()

    def take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def end_header(self) -> None:
        self._headers.setdefault(self._header_name.lower(), self._header_value)
        self._header_name = self._header_value = b""

    def take_content(self, data: bytes, start: int, end: int) -> None:
        self._content += memoryview(data)[start:end]

    def end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name")
        if kind != b"form-data" or name is None:
            raise bad_form("a part of the form has no name")
        if b"filename" in options:
            filename, kind_of_file = options[b"filename"], self._headers.get(b"content-type", b"")
            self.form.files.append(
                FormFile(text_of(name), text_of(filename), text_of(kind_of_file), bytes(self._content))
            )
        elif len(self._content) > LONGEST_FIELD:
            raise bad_form(f"a text of a form has {LONGEST_FIELD} bytes at most")
        else:
            self.form.fields.setdefault(text_of(name), []).append(text_of(bytes(self._content)))
        self._content = bytearray()

    def finish(self) -> None:
        self.is_whole = True


def text_of(data: bytes) -> str:
    """What a form says, whatever bytes it says it in."""
    return data.decode("utf-8", "replace")


class BadForm(BadRequest):
    """400: what came is no form, or half of one, or more than a form needs."""


def bad_form(what: str) -> BadForm:
    """400: what is wrong with a form."""
    refused = faults.bad_body_param("form")
    return BadForm(f"{refused.detail}: {what}", code=refused.code)
