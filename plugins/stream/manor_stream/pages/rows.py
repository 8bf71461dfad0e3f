"""Settings that are lists, as rows of a form: each column is a field that is sent once for every row. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from manor_stream.quality import Quality
from manor_stream.setting_rules import Unfit
from manor_stream.settings import ExternalAction, SocialHandle

Row = Mapping[str, str]
"""A row as it stands in the form, by the names of its setting's members."""

TICKED = "yes"

LABELS = {
    "title": "text",
    "url": "address",
    "video_bitrate": "video, kbit/s",
    "audio_bitrate": "sound, kbit/s",
    "scaled_width": "width",
    "scaled_height": "height",
    "framerate": "frames a second",
    "cpu_usage_level": "processor",
}
"""What stands beside members of rows that are called otherwise."""

_PLACE = re.compile(r"\[(?P<number>\d+)\](?:\.(?P<member>\w+))?")


def columns_of(shape: type[msgspec.Struct], *more: tuple[str, Any, Any]) -> type[msgspec.Struct]:
    """The struct of a form with a column for each member of `shape`, and what else is sent with it."""
    columns: list[tuple[str, Any, Any]] = [(member.name, list[str], []) for member in msgspec.structs.fields(shape)]
    return msgspec.defstruct(f"{shape.__name__}Rows", [*columns, *more], frozen=True)


HandlesForm = columns_of(SocialHandle)
ActionsForm = columns_of(ExternalAction)
QualitiesForm = columns_of(Quality, ("gone", list[str], []), ("wanted", str, ""))
"""`gone` has the numbers of rows to leave out, `wanted` says that the last one counts."""


@dataclass(frozen=True)
class Typed:
    """A list's form as it was sent and not taken.

    Args:
        path: Of the list's rule.
        rows: All that were sent.
        wrong: The number of the row that does not fit, from 0 on, and its member; -1 and "" for none.
        trouble: What is wrong with it.
        gone: Numbers of rows that were to be left out, as they were sent.
        wanted: Whether the last row was to count.
    """

    path: str = ""
    rows: Sequence[Row] = ()
    wrong: tuple[int, str] = (-1, "")
    trouble: str = ""
    gone: Sequence[str] = ()
    wanted: bool = False

    @classmethod
    def of(cls, path: str, form: msgspec.Struct, rows: Sequence[Row], numbers: Sequence[int], unfit: Unfit) -> Typed:
        """What was sent, and what is wrong with it.

        Args:
            path: Of the list's rule.
            form: As it came.
            rows: All of it; none when they are not complete.
            numbers: Which rows were looked at.
            unfit: Why they were not taken.
        """
        place, member = place_of(unfit)
        number = numbers[place] if place >= 0 else -1
        where = f"Row {number + 1}, {LABELS.get(member, member)}: " if number >= 0 else ""
        gone, wanted = getattr(form, "gone", ()), bool(getattr(form, "wanted", ""))
        return cls(path, rows, (number, member), f"{where}{unfit.expected}", gone, wanted)

    def if_of(self, path: str, otherwise: Sequence[Row]) -> Typed:
        """This one if it is of that list, else the list as it is set."""
        return self if self.path == path and self.rows else Typed(path, otherwise)


NOTHING = Typed()


def rows_of(items: Iterable[msgspec.Struct]) -> list[Row]:
    """What is set, as it stands in a form."""
    return [{name: _text(value) for name, value in msgspec.structs.asdict(item).items()} for item in items]


def sent_rows(form: msgspec.Struct, shape: type[msgspec.Struct]) -> list[Row]:
    """The rows of a form as they were typed.

    Raises:
        Unfit: Its columns are not equally long.
    """
    names = [member.name for member in msgspec.structs.fields(shape)]
    try:
        rows = zip(*(getattr(form, name) for name in names), strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]
    except ValueError as error:
        raise Unfit("a row is not complete") from error


def read_rows(rows: Sequence[Row], shape: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """Rows as the API has them; whether they fit, their rule says.

    Raises:
        Unfit: A number is none.
    """
    return [_read(row, shape, number) for number, row in enumerate(rows)]


def place_of(unfit: Unfit) -> tuple[int, str]:
    """Which row is wrong, from 0 on, and the member as forms call it; -1 and "" where no one is."""
    found = _PLACE.match(unfit.where)
    if found is None:
        return -1, ""
    return int(found["number"]), re.sub(r"(?=[A-Z])", "_", found["member"] or "").lower()


def _read(row: Row, shape: type[msgspec.Struct], number: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in msgspec.structs.fields(shape):
        text = row[member.name].strip()
        match member.default:
            case bool():
                found[member.encode_name] = bool(text)
            case int():
                found[member.encode_name] = _number(text or "0", f"[{number}].{member.encode_name}")
            case _:
                found[member.encode_name] = text
    return found


def _number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Unfit("expected a whole number", where)
    return int(text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return TICKED if value else ""
    return str(value)
