"""AMF 0: the values that commands and metadata are made of.

Objects and arrays with names are dicts, lists are lists, numbers are floats, null and undefined are None.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from manor_stream.rtmp.errors import ProtocolError

MOST_DEPTH = 16
"""Objects within objects."""

Value = float | bool | str | None | Mapping[str, Any] | Sequence[Any]

_NUMBER = struct.Struct(">d")
_SHORT = struct.Struct(">H")
_LONG = struct.Struct(">I")

_LONGEST_SHORT_STRING = 0xFFFF


class Marker(enum.IntEnum):
    """The byte before a value, which says what it is."""

    NUMBER = 0
    BOOLEAN = 1
    STRING = 2
    OBJECT = 3
    NULL = 5
    UNDEFINED = 6
    REFERENCE = 7
    ECMA_ARRAY = 8
    OBJECT_END = 9
    STRICT_ARRAY = 10
    DATE = 11
    LONG_STRING = 12
    UNSUPPORTED = 13
    XML_DOCUMENT = 15
    TYPED_OBJECT = 16


def read_all(data: bytes) -> list[Any]:
    """All values, one after the other.

    Raises:
        ProtocolError: Something else stands there, or values are nested too deeply.
    """
    reader = _Reader(data)
    values = []
    while not reader.is_at_end:
        values.append(reader.value(0))
    return values


def read_string(data: bytes) -> tuple[str, int]:
    """The string that stands first, and where the next value begins.

    Raises:
        ProtocolError: Something else stands first.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if not isinstance(value, str):
        raise ProtocolError("a message begins without its name")
    return value, reader.position


def write(*values: Value) -> bytes:
    """Values, one after the other."""
    out = bytearray()
    for value in values:
        _write(out, value)
    return bytes(out)


class _Reader:
    """Goes through the bytes once. Nothing is made larger than what is really there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    @property
    def is_at_end(self) -> bool:
        return self.position >= len(self._data)

    def value(self, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise ProtocolError(f"values are nested more than {MOST_DEPTH} deep")
        match self._take(1)[0]:
            case Marker.NUMBER:
                return _NUMBER.unpack(self._take(8))[0]
            case Marker.BOOLEAN:
                return self._take(1) != b"\0"
            case Marker.STRING:
                return self._short_string()
            case Marker.OBJECT:
                return self._members(depth)
            case Marker.NULL | Marker.UNDEFINED | Marker.UNSUPPORTED:
                return None
            case Marker.REFERENCE:
                # To an object that was there before; none of the commands needs one.
                self._take(2)
                return None
            case Marker.ECMA_ARRAY:
                # Encoders write 0 where its length belongs; it ends as objects do.
                self._take(4)
                return self._members(depth)
            case Marker.STRICT_ARRAY:
                return self._elements(depth)
            case Marker.DATE:
                milliseconds = _NUMBER.unpack(self._take(8))[0]
                self._take(2)
                return milliseconds
            case Marker.LONG_STRING | Marker.XML_DOCUMENT:
                return self._text(_LONG.unpack(self._take(4))[0])
            case Marker.TYPED_OBJECT:
                self._short_string()
                return self._members(depth)
            case unknown:
                raise ProtocolError(f"there is no AMF 0 value that begins with {unknown}")

    def _members(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while True:
            name = self._short_string()
            if not name and not self.is_at_end and self._data[self.position] == Marker.OBJECT_END:
                self.position += 1
                return members
            members[name] = self.value(depth + 1)

    def _elements(self, depth: int) -> list[Any]:
        count = _LONG.unpack(self._take(4))[0]
        # Whatever it says: each value takes a byte at the least, so the message's end is the end of it.
        return [self.value(depth + 1) for _ in range(count)]

    def _short_string(self) -> str:
        return self._text(_SHORT.unpack(self._take(2))[0])

    def _text(self, size: int) -> str:
        return self._take(size).decode("utf-8", "replace")

    def _take(self, size: int) -> bytes:
        begin, end = self.position, self.position + size
        if end > len(self._data):
            raise ProtocolError("a value ends before its time")
        self.position = end
        return self._data[begin:end]


def _write(out: bytearray, value: Value) -> None:
    match value:
        case None:
            out.append(Marker.NULL)
        case bool():
            out += bytes((Marker.BOOLEAN, value))
        case int() | float():
            out.append(Marker.NUMBER)
            out += _NUMBER.pack(value)
        case str():
            _write_string(out, value)
        case Mapping():
            out.append(Marker.OBJECT)
            for name, member in value.items():
                encoded = name.encode()
                out += _SHORT.pack(len(encoded)) + encoded
                _write(out, member)
            out += b"\0\0\x09"
        case _:
            out.append(Marker.STRICT_ARRAY)
            out += _LONG.pack(len(value))
            for element in value:
                _write(out, element)


def _write_string(out: bytearray, text: str) -> None:
    encoded = text.encode()
    if len(encoded) <= _LONGEST_SHORT_STRING:
        out.append(Marker.STRING)
        out += _SHORT.pack(len(encoded)) + encoded
    else:
        out.append(Marker.LONG_STRING)
        out += _LONG.pack(len(encoded)) + encoded
