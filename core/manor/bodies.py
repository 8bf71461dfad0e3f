"""The edge where bytes become values and values become bytes: bodies, query parameters, answers.

Everything that can be worked out from a route's types is worked out once, when the route is prepared.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

import msgspec

from manor.errors import BadRequest, FieldProblem, Refused, Unprocessable
from manor.incoming import Incoming
from manor.iso_times import parse_time
from manor.routing import Head, Live, Reply, Route, Stream, WebSocket

Decode = Callable[[Any], Any]
ReadQuery = Callable[[Head], Any]

_ANSWERS_AS_THEY_ARE = (Live, Reply, Stream, WebSocket)
_ENCODER = msgspec.json.Encoder()
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
_TRUE = frozenset(("true", "1", "yes"))
_FALSE = frozenset(("false", "0", "no"))
_NOT_FINITE = frozenset(("nan", "inf", "infinity"))
_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_MOST = 2**63
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")
_EXPECTED = re.compile(r"Expected `(?P<wanted>[^`]*)`, got `(?P<found>[^`]*)`")
# A plus sign that was not percent-encoded arrives as a blank: 2024-05-01T10:00:00 02:00.
_LOST_PLUS = re.compile(r"([Tt ][0-9:.,]{2,40}) (?=[0-9:]{2,5}$)")


def type_faults(route: Route) -> list[str]:
    """What a route's types have that can never be decoded, encoded or described."""
    query: object = route.query
    if query is not None and not (isinstance(query, type) and issubclass(query, msgspec.Struct)):
        return ["query is not a struct type"]
    faults = []
    for name, kind in (("body", route.body), ("query", query), ("answer", route.returns)):
        if kind is None or is_raw(kind) or kind in _ANSWERS_AS_THEY_ARE:
            continue
        misfit = _json_misfit(kind)
        if misfit:
            faults.append(f"the {name}'s type does not fit JSON: {misfit}")
    return faults


@lru_cache(maxsize=1024)
def _json_misfit(kind: Any) -> str:
    """Why a type cannot be JSON; "" when it can. Routes share their types, and looking at one takes milliseconds."""
    try:
        msgspec.json.schema_components([kind])
        msgspec.json.Decoder(kind)
    except TypeError as error:
        return str(error)
    return ""


# --- Bodies --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def body_decoder(body: Any, bad_value_status: int) -> Decode:
    """Make what turns a request's body into what its handler takes.

    Args:
        body: A route's `body`: None, `bytes`, `Incoming`, or a type that msgspec decodes; with `| None` it may be left
            out, and the handler takes None. An empty body is `b""` to a route that wants bytes, which says what that
            means.
        bad_value_status: 400 or 422, for JSON that is well-formed and does not fit.

    Returns:
        A function of the raw body; raises `BadRequest` for what is not JSON in UTF-8, and the refusal of
        `bad_value_status` for what does not fit.
    """
    if body is None:
        return lambda raw: None
    if is_raw(body):
        return (lambda raw: raw or None) if may_be_left_out(body) else (lambda raw: raw)
    decoder = msgspec.json.Decoder(body)
    has_times = _may_hold_times(body)
    is_optional = may_be_left_out(body)

    def decode(raw: bytes) -> Any:
        if not raw:
            if is_optional:
                return None
            raise _bad_value(bad_value_status, "", "is wanted as JSON, and there is none")
        try:
            if not raw.isascii():
                raw.decode()  # msgspec does not look at strings that it skips
            value = decoder.decode(raw)
            return in_utc(value) if has_times else value
        except UnicodeDecodeError as error:
            raise BadRequest("The body is not UTF-8") from error
        except msgspec.ValidationError as error:
            # The first misfit is told before the rest is read: broken JSON is 400 wherever it breaks.
            _check_syntax(raw)
            raise _misfit(bad_value_status, str(error)) from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise _broken(error) from error

    return decode


def is_raw(body: Any) -> bool:
    """Whether a route takes its body as it is: `bytes`, `bytes | None`, or `Incoming`."""
    return body is bytes or body is Incoming or (body is not None and _alternatives(body) == {bytes, type(None)})


def may_be_left_out(body: Any) -> bool:
    """Whether a route takes a request without a body: one that is not read, or something or None."""
    return body is None or type(None) in _alternatives(body)


def _check_syntax(raw: bytes) -> None:
    try:
        msgspec.json.decode(raw)
    except msgspec.ValidationError:
        return  # a number that no float can hold is well-formed all the same
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> BadRequest:
    if isinstance(error, RecursionError):
        return BadRequest("The body is not JSON: nested too deeply")
    return BadRequest(f"The body is not JSON: {str(error).removeprefix('JSON is malformed: ')}")


def _bad_value(status: int, name: str, message: str) -> Refused:
    refusal = BadRequest if status == 400 else Unprocessable
    return refusal(f"{name or 'body'}: {message}", errors=[FieldProblem(name, message)])


def _misfit(status: int, text: str) -> Refused:
    """Word msgspec's complaint: "Expected `int`, got `str` - at `$.tags[2]`"."""
    what, _, where = text.rpartition(" - at ") if " - at `" in text else (text, "", "")
    path = where.split("`")[-2].removeprefix("$").removeprefix(".") if where else ""
    missing = _MISSING.fullmatch(what)
    if missing:
        return _bad_value(status, f"{path}.{missing['name']}" if path else missing["name"], "is missing")
    return _bad_value(status, path, _EXPECTED.sub(_expected, what).replace("`", ""))


def _expected(found: re.Match[str]) -> str:
    return f"expected {found['wanted'].replace(' | ', ' or ')}, got {found['found']}"


# --- Queries -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def query_reader(query: type[msgspec.Struct] | None, bad_value_status: int) -> ReadQuery:
    """Make what turns a query string into a route's `query` struct.

    Text is converted by the member's type: `true false 1 0 yes no` in any case, integers (digits only) and other
    numbers, times (see `parse_time`; a naive one is UTC); lists take repeated parameters, of other members the first
    counts. Unknown parameters are ignored.
    """
    if query is None:
        return lambda head: None
    readers = {name: _value_reader(hint) for name, hint in _members(query)}
    has_times = _may_hold_times(query)

    def read(head: Head) -> Any:
        given: dict[str, Any] = {}
        for name, text in head.parameters:
            reader = readers.get(name)
            if reader is None or (name in given and not reader.is_list):
                continue
            try:
                value = reader(text)
            except ValueError as error:
                where = f"{name}[{len(given.get(name, ()))}]" if reader.is_list else name
                raise _bad_value(bad_value_status, where, str(error)) from error
            if reader.is_list:
                given.setdefault(name, []).append(value)
            else:
                given[name] = value
        try:
            value = msgspec.convert(given, query, strict=False)
        except msgspec.ValidationError as error:
            raise _misfit(bad_value_status, str(error)) from error
        return in_utc(value) if has_times else value

    return read


class _ValueReader:
    """Makes one parameter's text ready for msgspec's own lax conversion."""

    __slots__ = ("_kinds", "is_list")

    def __init__(self, kinds: frozenset[Any], *, is_list: bool) -> None:
        self._kinds = kinds
        self.is_list = is_list

    def __call__(self, text: str) -> Any:
        if str in self._kinds:
            return text
        folded = text.lower()
        if bool in self._kinds:
            if folded not in _TRUE and folded not in _FALSE:
                raise ValueError("expected true or false")
            return folded in _TRUE
        if datetime in self._kinds:
            return _time(text)
        if int in self._kinds and float not in self._kinds:
            return _integer(text)
        if float in self._kinds and folded.lstrip("+-") in _NOT_FINITE:
            raise ValueError("expected a finite number")
        return text


def _integer(text: str) -> int:
    """Digits and nothing else: msgspec would take `1.0` and `1e1` too, and refuse `05`."""
    if _INTEGER.fullmatch(text):
        value = int(text)
        if -_MOST <= value < _MOST:  # what SQLite holds
            return value
    raise ValueError("expected an integer")


def _time(text: str) -> Any:
    try:
        return in_utc(parse_time(_LOST_PLUS.sub(r"\1+", text)))
    except ValueError:
        raise ValueError("expected a time such as 2026-05-01T10:00:00Z") from None


def _value_reader(hint: Any) -> _ValueReader:
    kinds = _alternatives(hint)
    for kind in kinds:
        if typing.get_origin(kind) in (list, tuple, set, frozenset, Sequence) or kind in (list, tuple, set, frozenset):
            inner = [part for part in typing.get_args(kind) if part is not Ellipsis]
            return _ValueReader(_alternatives(inner[0]) if inner else frozenset((str,)), is_list=True)
    return _ValueReader(kinds, is_list=False)


def _alternatives(hint: Any) -> frozenset[Any]:
    """The types that a union stands for, without annotations."""
    if typing.get_origin(hint) is typing.Annotated:
        return _alternatives(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return frozenset().union(*(_alternatives(part) for part in typing.get_args(hint)))
    return frozenset((hint,))


def _members(struct: type[msgspec.Struct]) -> list[tuple[str, Any]]:
    """Each member's name as sent, and its type."""
    hints = typing.get_type_hints(struct, include_extras=True)
    return [(info.encode_name, hints[info.name]) for info in msgspec.structs.fields(struct)]


# --- Times ---------------------------------------------------------------------------------------------------------


def in_utc(value: Any) -> Any:
    """The same value with every time in it aware and in UTC; a naive time is read as UTC. Structs are not changed."""
    match value:
        case datetime():
            if value.tzinfo is UTC:
                return value
            return value.replace(tzinfo=UTC) if value.tzinfo is None else _to_utc(value)
        case msgspec.Struct():
            return _struct_in_utc(value)
        case list() | tuple():
            items = [in_utc(item) for item in value]
            if all(new is old for new, old in zip(items, value, strict=True)):
                return value
            return items if isinstance(value, list) else tuple(items)
        case dict():
            fixed = {key: in_utc(item) for key, item in value.items()}
            return fixed if any(fixed[key] is not item for key, item in value.items()) else value
        case _:
            return value


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        # The first and the last hours that a datetime can hold have no UTC; nobody means them.
        return _FIRST if value.year == 1 else _LAST


def _struct_in_utc(value: msgspec.Struct) -> msgspec.Struct:
    changed = {}
    for name in _times_in(type(value)):
        member = getattr(value, name)
        fixed = in_utc(member)
        if fixed is not member:
            changed[name] = fixed
    return msgspec.structs.replace(value, **changed) if changed else value


@cache
def _times_in(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """The members of a struct that can hold a time, themselves or further down."""
    hints = _hints(struct)
    return tuple(name for name in struct.__struct_fields__ if _may_hold_times(hints.get(name, Any)))


def _hints(struct: type[msgspec.Struct]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(struct)
    except NameError:
        # A type that is known only where the struct was written: msgspec encodes it all the same.
        return {}


def _may_hold_times(hint: Any, seen: frozenset[Any] = frozenset()) -> bool:
    if hint in (Any, object, datetime) or isinstance(hint, typing.TypeVar):
        return True
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        if hint in seen:
            return False
        hints = _hints(hint)
        return any(_may_hold_times(hints.get(name, Any), seen | {hint}) for name in hint.__struct_fields__)
    return any(_may_hold_times(part, seen) for part in typing.get_args(hint))


# --- Answers -------------------------------------------------------------------------------------------------------


def encode(value: Any) -> bytes:
    """An answer's struct, or sequence of structs, as JSON; times are in UTC and end with `Z`."""
    return _ENCODER.encode(in_utc(value))
