"""AMF 0: what is written is read again, and nothing that is not AMF 0 is."""

from __future__ import annotations

from typing import Any

import pytest

from manor_stream.rtmp.amf0 import MOST_DEPTH, read_all, read_string, write
from manor_stream.rtmp.errors import ProtocolError


@pytest.mark.parametrize(
    "value",
    [0.0, -1.5, True, False, None, "", "live", "ключ", "x" * 70_000, {}, {"a": {"b": [1.0, "c", None]}}, []],
)
def test_a_value_is_read_as_it_was_written(value: Any) -> None:
    assert read_all(write(value)) == [value]


def test_values_follow_each_other() -> None:
    assert read_all(write("connect", 1, {"app": "live"})) == ["connect", 1.0, {"app": "live"}]


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x08\0\0\0\x01\0\x01a\x01\x01\0\0\x09", {"a": True}),  # an ECMA array
        (b"\x08\0\0\0\0\0\x01a\x01\x01\0\0\x09", {"a": True}),  # encoders leave its length at 0
        (b"\x0b\x40\x8f\x40\0\0\0\0\0\0\0", 1000.0),  # a date and its time zone
        (b"\x0c\0\0\0\x02ab", "ab"),
        (b"\x0f\0\0\0\x02ab", "ab"),
        (b"\x10\0\x01t\0\x01a\x05\0\0\x09", {"a": None}),  # an object with a class
        (b"\x06", None),
        (b"\x0d", None),
        (b"\x07\0\x01", None),
        (b"\x02\0\x02\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_every_type_that_encoders_send_is_read(data: bytes, value: Any) -> None:
    assert read_all(data) == [value]


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0",  # a number that is cut off
        b"\x02\0\x09abc",
        b"\x03\0\x01a\x05",  # an object without an end
        b"\x03\0\x01a\x09",  # and one that ends where a value belongs
        b"\x0a\xff\xff\xff\xff",  # an array of four thousand millions
        b"\x0c\xff\xff\xff\xffab",
        b"\x11\x0a",  # AMF 3
        b"\x04\0\x01a",  # a movie clip
        b"\xff",
    ],
)
def test_what_is_no_value_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_all(data)


def nested(depth: int) -> bytes:
    return b"\x0a\0\0\0\x01" * depth + b"\x05"


def test_values_may_be_nested_so_deeply_and_no_deeper() -> None:
    read_all(nested(MOST_DEPTH))
    with pytest.raises(ProtocolError, match="16 deep"):
        read_all(nested(MOST_DEPTH + 1))
    with pytest.raises(ProtocolError, match="16 deep"):
        read_all(b"\x03\0\x01a" * 10_000)


def test_a_first_string_is_read_without_the_rest() -> None:
    name = write("@setDataFrame")

    assert read_string(name + b"\xff\xff") == ("@setDataFrame", len(name))
    with pytest.raises(ProtocolError, match="without its name"):
        read_string(write(1))
