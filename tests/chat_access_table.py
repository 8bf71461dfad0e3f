"""Reads chat's authorisation matrix, which people write by hand, and says what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "/api/v4"

_SETTINGS = {"status", "public", "query", "send", "body", "unknown", "fixed"}
_OF_CASE = {"group", "columns", "status", "query", "send"}


@dataclass(frozen=True)
class Case:
    """Something that is asked of an operation, and what each column is answered.

    Args:
        name: As the table has it.
        values: What parameters and templates stand for, as expressions.
        expected: The status by column.
        query: The query's parameters, as templates.
        send: The body, as templates; None for none.
    """

    name: str
    values: Mapping[str, str]
    expected: Mapping[str, int]
    query: Mapping[str, str]
    send: Any


@dataclass(frozen=True)
class Entry:
    """One operation.

    Args:
        operation: As the route table has it.
        public: What is answered without a credential.
        body: A body that is no JSON.
        unknown: What administrators are answered for ids that nothing has, by parameter.
        fixed: Parameters that are no ids.
        cases: In their order.
    """

    operation: str
    public: int
    body: str
    unknown: Mapping[str, int]
    fixed: Sequence[str]
    cases: Sequence[Case]

    @property
    def method(self) -> str:
        """Upper case."""
        return self.operation.partition(" ")[0]

    @property
    def path(self) -> str:
        """As the route table has it."""
        return self.operation.partition(" ")[2]

    @property
    def parameters(self) -> list[str]:
        """Of its path, those that are ids."""
        return [name for name in re.findall(r"\{([a-z_]+)\}", self.path) if name not in self.fixed]


def read_table(path: Path) -> tuple[list[str], list[Entry]]:
    """The columns and the operations.

    Raises:
        AssertionError: With everything that is wrong with the table.
    """
    tables: dict[str, Any] = tomllib.loads(path.read_text())
    columns, groups, roots = list(tables.pop("columns")), tables.pop("groups"), tables.pop("roots")
    rows = {_prefixed(line): row for line, row in tables.items()} | roots
    faults: list[str] = []
    entries = [_entry(line, row, columns, groups, faults) for line, row in rows.items()]
    assert not faults, "\n".join(faults)
    return columns, entries


def _prefixed(line: str) -> str:
    method, path = line.split()
    return f"{method} {PREFIX}{path}"


def _entry(
    line: str, row: Mapping[str, Any], columns: Sequence[str], groups: Mapping[str, Any], faults: list[str]
) -> Entry:
    cases = {key: value for key, value in row.items() if "=" in key}
    faults += [f"{line}: {key!r} means nothing here" for key in row if key not in cases and key not in _SETTINGS]
    if not cases:
        faults.append(f"{line}: nothing is asked for")
    return Entry(
        operation=line,
        public=row.get("public", 401),
        body=row.get("body", ""),
        unknown=row.get("unknown", {}),
        fixed=row.get("fixed", ()),
        cases=[_case(f"{line} {key}", key, row, value, columns, groups, faults) for key, value in cases.items()],
    )


def _case(
    name: str,
    key: str,
    row: Mapping[str, Any],
    given: Any,
    columns: Sequence[str],
    groups: Mapping[str, Any],
    faults: list[str],
) -> Case:
    case: dict[str, Any] = {"group": given} if isinstance(given, str) else given
    group = str(case.get("group", ""))
    if group and group not in groups:
        faults.append(f"{name}: there is no group {group!r}")
    status = case.get("status", row.get("status", 200))
    outcomes = dict(_outcomes(groups.get(group, {}), status)) | dict(_outcomes(case, status))
    asked = case.get("columns", columns)
    faults += [f"{name}: {key!r} means nothing here" for key in case if key not in _OF_CASE and not _is_outcome(key)]
    faults += [f"{name}: there is no column {each!r}" for each in {*outcomes, *asked} - set(columns)]
    faults += [f"{name}: it does not say what {each} is answered" for each in asked if each not in outcomes]
    return Case(
        name=name,
        values=dict(part.split("=", 1) for part in key.split()),
        expected={column: outcomes.get(column, 0) for column in asked},
        query=case.get("query", row.get("query", {})),
        send=case.get("send", row.get("send")),
    )


def _is_outcome(key: str) -> bool:
    return key == "ok" or (len(key) == 3 and key.isdigit())


def _outcomes(row: Mapping[str, Any], status: int) -> Iterator[tuple[str, int]]:
    """Columns and what they are answered; what is named later goes before what is named earlier."""
    for key, columns in row.items():
        if _is_outcome(key):
            yield from ((column, status if key == "ok" else int(key)) for column in columns)
