"""Forms that are small, all at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from manor_chat.forms.parts import LONGEST_FIELD, FormParts, PartBegun, PartEnded, text_of, too_long

_AT_ONCE = 65_536
"""Bytes."""


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
        BadForm: 400: it is none, it breaks off, or has more parts or longer texts than a form needs.
    """
    parts, form = FormParts(content_type), Form()
    begun: PartBegun | None = None
    content = bytearray()
    # Not at one go: content may fall into a piece for every byte.
    for start in range(0, len(body), _AT_ONCE):
        for said in parts.feed(body[start : start + _AT_ONCE]):
            match said:
                case PartBegun():
                    begun, content = said, bytearray()
                case bytes():
                    content += said
                case PartEnded() if begun is not None:
                    _add(form, begun, bytes(content))
    parts.finish()
    return form


def _add(form: Form, part: PartBegun, content: bytes) -> None:
    if part.filename is not None:
        form.files.append(FormFile(part.name, part.filename, part.content_type, content))
        return
    if len(content) > LONGEST_FIELD:
        raise too_long()
    form.fields.setdefault(part.name, []).append(text_of(content))
