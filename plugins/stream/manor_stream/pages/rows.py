"""Settings that are lists, as rows of a form: each column is a field that is sent once for every row. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from manor_stream.quality import Quality
from manor_stream.setting_rules import Unfit
from manor_stream.settings import ExternalAction, SocialHandle

Row = Mapping[str, str]
"""A row as it stands in the form, by the names of its setting's members."""

TICKED = "yes"

_PLACE = re.compile(r"\[(?P<number>\d+)\](?:\.(?P<member>\w+))?")


def columns_of(shape: type[msgspec.Struct], *more: tuple[str, Any, Any]) -> type[msgspec.Struct]:
    """The struct of a form with a column for each member of `shape`, and what else is sent with it."""
    columns: list[tuple[str, Any, Any]] = [(member.name, list[str], []) for member in msgspec.structs.fields(shape)]
    return msgspec.defstruct(f"{shape.__name__}Rows", [*columns, *more], frozen=True)


HandlesForm = columns_of(SocialHandle)
ActionsForm = columns_of(ExternalAction)
QualitiesForm = columns_of(Quality, ("gone", list[str], []), ("wanted", str, ""))
"""`gone` has the numbers of rows to leave out, `wanted` says that the last one counts."""


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
