"""From tables to structs, telling every problem: msgspec alone stops at the first."""

from __future__ import annotations

import os
import tomllib
import types
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from manor.config.keys import dotted, suggestion
from manor.config.sources import Variable, variable_name
from manor.errors import Problem

S = TypeVar("S", bound=msgspec.Struct)

_FAILED: Any = object()
_NAMES: dict[type[Any], str] = {dict: "table", list: "array"}


@cache
def _fields(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """A struct's members; to look at them takes a millisecond."""
    return msgspec.structs.fields(shape)


class _Hidden(str):
    """A secret; it does not show itself in a struct's repr, so neither in a traceback nor in a log."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


def metas_of(type_: Any) -> tuple[Any, list[msgspec.Meta]]:
    """A type without its annotations, and the annotations."""
    if get_origin(type_) is not Annotated:
        return type_, []
    bare, *notes = get_args(type_)
    inner, inner_notes = metas_of(bare)
    return inner, [*inner_notes, *(note for note in notes if isinstance(note, msgspec.Meta))]


def is_marked(metas: list[msgspec.Meta], mark: str) -> bool:
    """Whether `extra={mark: True}` stands at the type."""
    return any((meta.extra or {}).get(mark) is True for meta in metas)


def is_struct(type_: Any) -> bool:
    """Whether this is a table of its own."""
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def without_none(type_: Any) -> tuple[Any, bool]:
    """`X` and True for `X | None`, else the type itself and False: TOML has no null."""
    if get_origin(type_) in (Union, types.UnionType):
        others = [arm for arm in get_args(type_) if arm is not types.NoneType]
        if len(others) == 1 and len(get_args(type_)) == 2:
            return others[0], True
    return type_, False


class Decoding:
    """One pass over the tables; `problems` holds what was wrong.

    A type may carry its own check: `Annotated[str, Meta(extra={"check": parse_bind})]`, a function that raises
    ValueError with what was expected and what was found.

    Args:
        where: For a dotted key the place to name in a problem.
        cwd: What relative paths are below.
        is_whole: Whether these are all tables there are; else nothing is told to be missing.
    """

    def __init__(self, where: Callable[[str], str], cwd: Path, *, is_whole: bool = True) -> None:
        self._is_whole = is_whole
        self._where = where
        self._cwd = cwd
        self.problems: list[Problem] = []
        self._failed: list[str] = []

    def struct(self, shape: type[S], table: Any, path: tuple[str, ...]) -> S | None:
        """Decode a table. What was wrong in it keeps its default; None when there is no default to keep."""
        decoded = self._struct(shape, table, path)
        return None if decoded is _FAILED else decoded

    def value(self, type_: Any, value: Any, path: tuple[str, ...]) -> Any:
        """Decode one value; what is returned means nothing when a problem was noted."""
        return self._value(type_, value, path)

    def has_failed(self, key: str) -> bool:
        """Whether a problem was noted with this dotted key, or with something in it."""
        return any(failed == key or failed.startswith((f"{key}.", f"{key}[")) for failed in self._failed)

    def tell(self, path: tuple[str, ...], what: str) -> Any:
        """Note a problem."""
        key = dotted(path)
        self.problems.append(Problem(self._where(key), f"{key}: {what}" if key else what))
        self._failed.append(key)
        return _FAILED

    def _struct(self, shape: type[msgspec.Struct], table: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(table, Mapping):
            return self.tell(path, f"expected a table, got {_name_of(table)}")
        before = len(self.problems)
        lacks_something = False
        known: set[str] = set()
        values: dict[str, Any] = {}
        for info in _fields(shape):
            name = info.encode_name
            known.add(name)
            if is_marked(metas_of(info.type)[1], "secret"):
                known.add(f"{name}_file")
                value = self._secret(table, name, path)
            elif name in table:
                value = self._value(info.type, table[name], (*path, name))
            else:
                value = self._default(info, path)
            if value is _FAILED:
                lacks_something |= info.required
            elif value is not msgspec.UNSET:
                values[info.name] = value
            elif info.required:
                if self._is_whole:
                    self.tell(path, f"{name} is missing")
                lacks_something = True
        for name in table:
            if name not in known:
                self.tell((*path, name), f"unknown key{suggestion(name, known)}")
        if lacks_something:
            return _FAILED
        try:
            return shape(**values)
        except ValueError as error:
            # The struct's own __post_init__ says what does not fit together; with a default in a wrong value's place
            # that may be our doing.
            is_theirs = self._is_whole and len(self.problems) == before
            return self.tell(path, str(error)) if is_theirs else _FAILED

    def _default(self, info: msgspec.structs.FieldInfo, path: tuple[str, ...]) -> Any:
        """A default that depends on where we are (a relative path, also in a nested table); else UNSET."""
        if isinstance(info.default, Path):
            return self._cwd / info.default
        bare, _ = metas_of(info.type)
        if is_struct(bare) and info.default_factory is bare:
            return self._struct(bare, {}, (*path, info.encode_name))
        return msgspec.UNSET

    def _value(self, type_: Any, value: Any, path: tuple[str, ...]) -> Any:
        bare, metas = metas_of(type_)
        bare, optional = without_none(bare)
        if optional and value == "":
            return None
        if optional:
            inner, more = metas_of(bare)
            bare, metas = inner, [*metas, *more]
        origin = get_origin(bare)
        if is_struct(bare):
            return self._struct(bare, value, path)
        if bare is Path:
            return self._checked(metas, self._path(value, path), path)
        if origin in (list, tuple, set, frozenset) and (origin is not tuple or get_args(bare)[1:] == (...,)):
            return self._array(bare, origin, metas, value, path)
        if origin is dict:
            return self._dict(get_args(bare)[1], value, path)
        return self._checked(metas, self._leaf(Annotated[(bare, *metas)] if metas else bare, value, path), path)

    def _checked(self, metas: list[msgspec.Meta], value: Any, path: tuple[str, ...]) -> Any:
        if value is _FAILED:
            return value
        for meta in metas:
            check = (meta.extra or {}).get("check")
            if check is not None:
                try:
                    check(value)
                except ValueError as error:
                    return self.tell(path, str(error))
        return value

    def _array(self, bare: Any, origin: Any, metas: list[msgspec.Meta], value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, Variable):
            value = _array_of(value)
        if not isinstance(value, list):
            return self.tell(path, f"expected an array, got {_name_of(value)}")
        *above, name = path
        items = [self._value(get_args(bare)[0], item, (*above, f"{name}[{place}]")) for place, item in enumerate(value)]
        if any(item is _FAILED for item in items):
            return _FAILED
        for meta in metas:
            if meta.min_length is not None and len(items) < meta.min_length:
                return self.tell(path, f"expected at least {meta.min_length} of them, got {len(items)}")
            if meta.max_length is not None and len(items) > meta.max_length:
                return self.tell(path, f"expected at most {meta.max_length} of them, got {len(items)}")
        return origin(items)

    def _dict(self, item: Any, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, Variable):
            value = _toml_of(value)
        if not isinstance(value, Mapping):
            return self.tell(path, f"expected a table, got {_name_of(value)}")
        decoded = {name: self._value(item, each, (*path, name)) for name, each in value.items()}
        return _FAILED if any(each is _FAILED for each in decoded.values()) else decoded

    def _path(self, value: Any, path: tuple[str, ...]) -> Any:
        if not isinstance(value, str):
            return self.tell(path, f"expected str, got {_name_of(value)}")
        if not value:
            return self.tell(path, "expected a path, got ''")
        place = self._cwd / Path(value).expanduser()
        if path[-1].endswith("_file") and not os.access(place, os.R_OK):
            return self.tell(path, f"{place} cannot be read")
        return place

    def _secret(self, table: Mapping[str, Any], name: str, path: tuple[str, ...]) -> Any:
        given = table.get(name)
        if isinstance(given, Variable):
            return _Hidden(given)
        if given is not None:
            variable = variable_name((*path, name))
            return self.tell((*path, name), f"a secret does not stand here: use {name}_file or the variable {variable}")
        file = table.get(f"{name}_file", "")
        if file == "":
            return msgspec.UNSET
        here = (*path, f"{name}_file")
        place = self._path(file, here)
        if place is _FAILED:
            return _FAILED
        try:
            return _Hidden(place.read_text(encoding="utf-8").strip())
        except OSError as error:
            return self.tell(here, f"{place} cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            return self.tell(here, f"{place} is not UTF-8")

    def _leaf(self, type_: Any, value: Any, path: tuple[str, ...]) -> Any:
        if type_ is Any:
            return value
        readings = [str(value), _toml_of(value)] if isinstance(value, Variable) else [value]
        error: msgspec.ValidationError | None = None
        for reading in readings:
            try:
                return msgspec.convert(reading, type_)
            except msgspec.ValidationError as raised:
                error = raised
        assert error is not None
        return self.tell(path, _worded(error, type_, value, readings[-1]))


def _toml_of(variable: Variable) -> Any:
    """What a variable's text is as a TOML value; the text itself when it is none."""
    text = str(variable)
    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except tomllib.TOMLDecodeError:
        return text


def _array_of(text: Variable) -> list[Any]:
    """A TOML array, or values with commas between them."""
    whole = _toml_of(text)
    if isinstance(whole, list):
        return whole
    return [Variable(part.strip()) for part in text.split(",") if part.strip()]


def _name_of(value: Any) -> str:
    return _NAMES.get(type(value), "str" if isinstance(value, str) else type(value).__name__)


def _worded(error: msgspec.ValidationError, type_: Any, value: Any, reading: Any) -> str:
    """The library's message in the form that ours have: `expected int, got str`."""
    bare, _ = metas_of(type_)
    if get_origin(bare) is Literal:
        choices = " or ".join(repr(choice) for choice in get_args(bare))
        return f"expected {choices}, got {reading!r}"
    text = str(error).partition(" - at `$")[0].replace("`", "").replace("object", "table")
    expected, _, _ = text.partition(", got ")
    expected = expected[:1].lower() + expected[1:]
    if ", got " in text and not isinstance(value, Variable):
        return f"{expected}, got {_name_of(reading)}"
    return f"{expected}, got {reading!r}"
