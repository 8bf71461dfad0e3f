"""Parts of segments, and segments that a player has already."""

from __future__ import annotations

import pytest

from manor import Head, Headers
from manor_stream.hls.ranges import UNSATISFIABLE, is_unchanged, wanted_range

ETAG = '"stream-a-1.ts"'


def head(method: str = "GET", **headers: str) -> Head:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Head(method, b"/", headers=Headers(raw))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("bytes=0-0", range(1)),
        ("bytes=0-99", range(100)),
        ("bytes=0-100", range(100)),
        ("bytes=10-19", range(10, 20)),
        ("Bytes=10-19 ", range(10, 20)),
        ("bytes=10-", range(10, 100)),
        ("bytes=99-1000000000000000", range(99, 100)),
        ("bytes=-1", range(99, 100)),
        ("bytes=-1000", range(100)),
    ],
)
def test_one_range_is_given(text: str, wanted: range) -> None:
    assert wanted_range(head(range=text), ETAG, 100) == wanted


@pytest.mark.parametrize("text", ["bytes=100-", "bytes=100-200", "bytes=999999999999999999-", "bytes=-0"])
def test_bytes_that_are_not_there_cannot_be_given(text: str) -> None:
    assert wanted_range(head(range=text), ETAG, 100) is UNSATISFIABLE


def test_nothing_has_no_last_byte() -> None:
    assert wanted_range(head(range="bytes=-5"), ETAG, 0) is UNSATISFIABLE
    assert wanted_range(head(range="bytes=0-"), ETAG, 0) is UNSATISFIABLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bytes=",
        "bytes=-",
        "bytes=5-4",
        "bytes=a-b",
        "bytes=0-1,3-4",
        "bytes=1-2-3",
        "bytes=+1-2",
        "bytes= 1-2",
        "bytes=\xb2-3",
        "seconds=1-2",
        "bytes=0-" + "9" * 5000,
        "1-2",
    ],
)
def test_a_range_that_cannot_be_read_is_as_none(text: str) -> None:
    assert wanted_range(head(range=text), ETAG, 100) is None


def test_only_a_get_has_a_range() -> None:
    assert wanted_range(head("HEAD", range="bytes=0-1"), ETAG, 100) is None


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [(ETAG, range(2)), (f"W/{ETAG}", None), ('"other"', None), ("Wed, 02 Jan 2030 12:00:00 GMT", None)],
)
def test_a_range_of_something_else_is_not_given(condition: str, wanted: range | None) -> None:
    assert wanted_range(head(range="bytes=0-1", if_range=condition), ETAG, 100) == wanted


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (ETAG, True),
        (f"W/{ETAG}", True),
        ("*", True),
        (f'"other" , {ETAG}', True),
        ('"other"', False),
        ("stream-a-1.ts", False),
        ("", False),
    ],
)
def test_who_has_it_need_not_have_it_again(held: str, expected: bool) -> None:
    assert is_unchanged(head(if_none_match=held), ETAG) is expected


def test_who_says_nothing_has_nothing() -> None:
    assert not is_unchanged(head(), ETAG)
