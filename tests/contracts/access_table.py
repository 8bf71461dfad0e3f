"""Reads `access.toml`, the authorisation matrix that people write by hand, and says all that is wrong with it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("access.toml")

DIALECTS = ("detail", "mattermost", "basic_response", "selfprivacy", "page", "ntfy")

_GROUP_KEYS = {"about", "dialect", "seen_by"}
_ENTRY_KEYS = {
    "group",
    "status",
    "scope",
    "path",
    "query",
    "send",
    "text",
    "form",
    "page",
    "stream",
    "fresh",
    "shows",
    "seen_by",
}


class TableFault(AssertionError):
    """The table cannot be read; each line names a place in it."""


@dataclass(frozen=True)
class Entry:
    """One operation: how it is asked, and what each column of askers is answered.

    Attributes:
        owner: The plugin, or `core`.
        operation: As the route table has it: `GET /api/keys`.
        name: The same, with what sets this entry apart from others of the operation.
        dialect: How its refusals are worded.
        status: Of a success.
        outcomes: By column: `ok`, `login` (a page that leads to the sign-in page) or the status of a refusal.
        seen_by: Columns that may be shown what is Ada's.
        scope: What an API key needs.
        path: Values of the path's parameters; `@name` is an object that is made for the request.
        query: The query's parameters.
        send: A body as JSON.
        text: A body as it is.
        form: A page's form.
        page: Where a page of the same plugin has a form, whose token is sent along.
        stream: `sse` or `websocket`, for operations that open one.
        is_fresh: A success uses up what is asked for: every request has its own.
        is_last: A success uses up who asks, too.
        shows: What Ada is shown holds the mark that her objects bear; so nobody else may see that mark.
    """

    owner: str
    operation: str
    name: str
    dialect: str
    status: int
    outcomes: Mapping[str, str]
    seen_by: frozenset[str]
    scope: tuple[str, ...] = ()
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    send: Any = None
    text: str | None = None
    form: Mapping[str, str] | None = None
    page: str = ""
    stream: str = ""
    is_fresh: bool = False
    is_last: bool = False
    shows: bool = False

    @property
    def method(self) -> str:
        """Upper case."""
        return self.operation.partition(" ")[0]

    @property
    def target(self) -> str:
        """The path as the route table has it."""
        return self.operation.partition(" ")[2]

    def expected(self, column: str) -> int:
        """The status that a column is answered with."""
        outcome = self.outcomes[column]
        return {"ok": self.status, "login": 302}.get(outcome) or int(outcome)


@dataclass(frozen=True)
class Table:
    """The whole matrix.

    Args:
        columns: The askers of each column.
        entries: All operations.
    """

    columns: Mapping[str, Sequence[str]]
    entries: Sequence[Entry]

    @property
    def operations(self) -> set[tuple[str, str]]:
        """Whose, and what: with each operation once."""
        return {(entry.owner, entry.operation) for entry in self.entries}

    def only(self, operations: Iterable[str]) -> Table:
        """The part of it that is about some operations."""
        wanted = set(operations)
        return Table(self.columns, [entry for entry in self.entries if entry.operation in wanted])


def read_table(path: Path = PATH) -> Table:
    """Read the matrix.

    Raises:
        TableFault: With everything that is wrong.
    """
    return build_table(tomllib.loads(path.read_text()))


def build_table(tables: Mapping[str, Any]) -> Table:
    """The matrix of what a file holds; see `read_table`."""
    columns = dict(tables.get("columns", {}))
    defaults = Defaults(dict(tables.get("path", {})), dict(tables.get("page", {})))
    groups = dict(tables.get("group", {}))
    entries, faults = [], []
    for name, group in groups.items():
        faults += [f"group {name!r}: {fault}" for fault in _group_faults(group, columns)]
    for owner, owned in tables.get("operations", {}).items():
        for name, row in owned.items():
            found = [f"{owner}: {name}: {fault}" for fault in _entry_faults(name, row, columns, groups)]
            faults += found
            if not found and not faults:
                entries.append(_entry(owner, name, row, columns, groups[row["group"]], defaults))
    if faults:
        raise TableFault("\n".join(faults))
    return Table(columns, entries)


@dataclass(frozen=True)
class Defaults:
    """What an entry need not say: the parameters of paths, and for each plugin a page with a form."""

    path: Mapping[str, str]
    page: Mapping[str, str]


def _entry(
    owner: str,
    name: str,
    row: Mapping[str, Any],
    columns: Mapping[str, Sequence[str]],
    group: Mapping[str, Any],
    defaults: Defaults,
) -> Entry:
    scope = row.get("scope", ())
    own = dict(_outcomes(row))
    outcomes = dict(_outcomes(group)) | own
    return Entry(
        owner=owner,
        operation=" ".join(name.split()[:2]),
        name=" ".join(name.split()),
        dialect=group["dialect"],
        status=row.get("status", 200),
        outcomes={column: outcomes[column] for column in columns},
        seen_by=_seen_by(row.get("seen_by", group.get("seen_by", ())), columns),
        scope=(scope,) if isinstance(scope, str) else tuple(scope),
        path={**defaults.path, **row.get("path", {})},
        query=row.get("query", {}),
        send=row.get("send"),
        text=row.get("text"),
        form=row.get("form"),
        page=row.get("page", defaults.page.get(owner, "")),
        stream=row.get("stream", ""),
        is_fresh=row.get("fresh") in ("objects", "asker"),
        is_last=row.get("fresh") == "asker",
        shows=row.get("shows", False),
    )


def _seen_by(seen_by: str | Sequence[str], columns: Iterable[str]) -> frozenset[str]:
    return frozenset(columns if seen_by == "all" else seen_by)


def _outcomes(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Columns and what they are answered: the lists under `ok`, `login` and the statuses."""
    for key, columns in row.items():
        if _is_outcome(key):
            yield from ((column, key) for column in columns)


def _is_outcome(key: str) -> bool:
    return key in ("ok", "login") or (len(key) == 3 and key.isdigit())


def _group_faults(group: Mapping[str, Any], columns: Mapping[str, Any]) -> Iterator[str]:
    for key in group:
        if key not in _GROUP_KEYS and not _is_outcome(key):
            yield f"{key!r} means nothing here"
    if group.get("dialect") not in DIALECTS:
        yield f"its dialect is one of {', '.join(DIALECTS)}"
    yield from _column_faults(group, columns)
    named = {column for column, _ in _outcomes(group)}
    for column in columns:
        if column not in named:
            yield f"it does not say what the column {column!r} is answered"


def _entry_faults(
    name: str, row: Mapping[str, Any], columns: Mapping[str, Any], groups: Mapping[str, Any]
) -> Iterator[str]:
    if len(name.split()) < 2 or not name.split()[1].startswith("/"):
        yield "it is called METHOD /path, and then what you like"
    for key in row:
        if key not in _ENTRY_KEYS and not _is_outcome(key):
            yield f"{key!r} means nothing here"
    if row.get("group") not in groups:
        yield f"there is no group {row.get('group')!r}"
    if row.get("fresh", "asker") not in ("asker", "objects"):
        yield "what is fresh is 'objects' or 'asker'"
    if row.get("stream", "sse") not in ("sse", "websocket"):
        yield "its stream is 'sse' or 'websocket'"
    yield from _column_faults(row, columns)


def _column_faults(row: Mapping[str, Any], columns: Mapping[str, Any]) -> Iterator[str]:
    seen: set[str] = set()
    for column, _ in _outcomes(row):
        if column in seen:
            yield f"the column {column!r} is answered in two ways"
        seen.add(column)
    for column in sorted(seen | _seen_by(row.get("seen_by", ()), columns)):
        if column not in columns:
            yield f"there is no column {column!r}"
