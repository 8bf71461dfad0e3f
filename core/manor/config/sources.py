"""Where values come from: TOML files and environment variables, laid over one another."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manor.config.keys import dotted
from manor.errors import Problem

PREFIX = "MANOR_"


class Variable(str):
    """The text of an environment variable; what it means depends on the type of its key.

    It may be a secret, so its repr does not show it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Variable(…)"


@dataclass(frozen=True)
class Layer:
    """Tables from one place; later layers win, key by key."""

    where: str
    tables: Mapping[str, Any]


@dataclass(frozen=True)
class Merged:
    """All layers in one: the tables, and for each leaf's dotted key where its value came from."""

    tables: dict[str, Any]
    sources: dict[str, str]


def read_layer(path: Path) -> Layer | Problem:
    """Read one TOML file; a problem names the line and column."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Problem(str(path), f"cannot be read: {error.strerror}")
    return parse_layer(str(path), data)


def parse_layer(where: str, data: bytes) -> Layer | Problem:
    """Read what stands in a TOML file."""
    try:
        return Layer(where, tomllib.loads(data.decode()))
    except UnicodeDecodeError as error:
        return Problem(where, f"{_place(data[: error.start].decode())}: not UTF-8")
    except tomllib.TOMLDecodeError as error:
        return Problem(where, _syntax_problem(str(error), data.decode()))


def _place(before: str) -> str:
    """Line and column, from 1, of what follows this text."""
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _syntax_problem(message: str, text: str) -> str:
    match = re.fullmatch(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message)
    if match is None:
        return message
    what, line, column = match.groups()
    place = f"line {line}, column {column}" if line else _place(text)
    return f"{place}: {what[:1].lower()}{what[1:]}"


def drop_ins(folder: Path) -> list[Path]:
    """The `*.toml` files of a `conf.d` by name; hidden ones and other files are not looked at."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))


def variable_layers(environ: Mapping[str, str]) -> list[Layer]:
    """`MANOR_SERVER__BIND` and the like, each its own layer, by name.

    A double underscore is a step down. Every key stands in a table, so variables without one are not ours to read
    (`MANOR_PORT` and its kin, which container runtimes make).
    """
    layers = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        layers.append(Layer(f"environment {name}", _nested(_path_of(name), Variable(environ[name]))))
    return layers


def _path_of(name: str) -> tuple[str, ...]:
    parts = name.removeprefix(PREFIX).split("__")
    lowered = [part.lower() for part in parts]
    if lowered[0] == "tiers":
        # The names of tiers are upper case by custom, those of everything else lower.
        lowered[1] = parts[1]
    return tuple(lowered)


def variable_name(path: Sequence[str]) -> str:
    """The variable that gives this key."""
    return PREFIX + "__".join(part.upper() for part in path)


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    return {first: _nested(tuple(rest), value) if rest else value}


def merge(layers: Sequence[Layer]) -> Merged:
    """Lay the layers over one another: tables are joined, everything else is replaced whole."""
    merged = Merged({}, {})
    for layer in layers:
        _lay(merged.tables, layer.tables, (), layer.where, merged.sources)
    return merged


def _lay(
    below: dict[str, Any], above: Mapping[str, Any], path: tuple[str, ...], where: str, sources: dict[str, str]
) -> None:
    for name, value in above.items():
        here = (*path, name)
        key = dotted(here)
        if isinstance(value, dict):
            if not isinstance(below.get(name), dict):
                below[name] = {}
                sources.pop(key, None)
            _lay(below[name], value, here, where, sources)
            if not value:
                sources.setdefault(key, where)
        else:
            for gone in [known for known in sources if known.startswith(f"{key}.")]:
                del sources[gone]
            below[name] = value
            sources[key] = where
