"""Ids: 16 bytes in every table, written as a UUID or, in chat, as 26 characters."""

from __future__ import annotations

import os
import re
import threading
import time
from typing import Any
from uuid import UUID, SafeUUID

from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_CHAT_LENGTH = 26
# Two characters at once: an answer of chat has hundreds of ids, and this takes a quarter of the time.
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = tuple(range(120, -1, -10))

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_BITS = 74
_RANDOM_BYTES = 10
_LOW_62 = (1 << 62) - 1
_STEP = (1 << 32) - 1


class _Source:
    """Where new ids come from: the millisecond, then 74 bits that count on within it (RFC 9562 section 6.2).

    Within one millisecond, and while the wall clock stands behind an id already given, the next id is the last one plus
    a random step: it sorts after it and cannot be guessed from it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self, count: int) -> list[int]:
        random = os.urandom(_RANDOM_BYTES * count)
        millisecond = time.time_ns() // 1_000_000
        given = []
        with self._lock:
            last = self._last
            for start in range(0, _RANDOM_BYTES * count, _RANDOM_BYTES):
                # The lower half of the range, so that a millisecond's ids have room to count on.
                part = int.from_bytes(random[start : start + _RANDOM_BYTES]) >> (8 * _RANDOM_BYTES - _RANDOM_BITS + 1)
                behind = millisecond <= last >> _RANDOM_BITS
                last = last + 1 + (part & _STEP) if behind else millisecond << _RANDOM_BITS | part
                given.append(last)
            self._last = last
        return given


_source = _Source()


def new_id() -> UUID:
    """A new UUID, version 7: later ones of this process sort after earlier ones. From any thread.

    The time in it is for the index's good only; nothing is ordered or dated by it.
    """
    return new_ids(1)[0]


def new_ids(count: int) -> list[UUID]:
    """As many new ids, in their order."""
    return [_uuid(value) for value in _source.next(count)]


def _uuid(value: int) -> UUID:
    milliseconds, low = value >> _RANDOM_BITS, value & ((1 << _RANDOM_BITS) - 1)
    return _of_int(milliseconds << 80 | _VERSION_7 | (low >> 62) << 64 | _VARIANT | low & _LOW_62)


def _of_int(value: int) -> UUID:
    made = UUID.__new__(UUID)
    # What `UUID(int=…)` does once it has looked at its arguments, which takes twice as long.
    object.__setattr__(made, "int", value)
    object.__setattr__(made, "is_safe", SafeUUID.unknown)
    return made


def read_id(value: bytes) -> UUID:
    """The id in a table's 16 bytes."""
    return _of_int(int.from_bytes(value, "big"))


def parse_id(text: str) -> UUID | None:
    """An id as a client wrote it; None unless it is canonical: lower case, with its hyphens."""
    return UUID(text) if _CANONICAL.fullmatch(text) else None


def to_chat_id(id: UUID) -> str:  # noqa: A002 - it is one
    """The 26 characters that chat clients know an id by: five bits each, the last one's lowest two are zero."""
    bits = id.int << 2
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def from_chat_id(text: str) -> UUID | None:
    """The id behind 26 characters; None unless they are what `to_chat_id` makes of it."""
    if len(text) != _CHAT_LENGTH:
        return None
    bits = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            return None
        bits = bits << 5 | value
    return None if bits & 3 else UUID(int=bits >> 2)


class Id(TypeDecorator[UUID]):
    """A column of ids: `UUID` in Python, 16 bytes in the table."""

    impl = LargeBinary(16)
    cache_ok = True

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> bytes | None:
        """Into the table."""
        return None if value is None else value.bytes

    def process_result_value(self, value: Any | None, dialect: Dialect) -> UUID | None:
        """Out of it."""
        return None if value is None else read_id(value)
