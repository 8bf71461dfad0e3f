"""Bytes become values, and values bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import msgspec
import pytest

from manor.bodies import body_decoder, encode, in_utc, query_reader
from manor.errors import BadRequest, Refused, Unprocessable
from manor.routing import Head

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SUMMER = timezone(timedelta(hours=2))


class Wish(msgspec.Struct):
    message: str
    priority: int = 3
    tags: list[str] = []
    at: datetime | None = None


class House(msgspec.Struct):
    rooms: dict[str, Wish] = {}
    history: tuple[datetime, ...] = ()
    floors: int = 1


class Bell(msgspec.Struct):
    tone: int

    def __post_init__(self) -> None:
        if self.tone < 0:
            raise ValueError("a tone is not negative")


class Anything(msgspec.Struct):
    kept: Any


decode_wish = body_decoder(Wish, 422)


def test_unknown_members_are_ignored() -> None:
    assert decode_wish(b'{"message":"hi","colour":"red"}') == Wish("hi")


def test_raw_bodies_stay_as_they_are() -> None:
    assert body_decoder(bytes, 422)(b"\xff\x00") == b"\xff\x00"
    assert body_decoder(bytes, 422)(b"") == b""
    assert body_decoder(bytes | None, 422)(b"\xff\x00") == b"\xff\x00"
    assert body_decoder(bytes | None, 422)(b"") is None
    assert body_decoder(None, 422)(b"whatever") is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":"hi"',
        b'{"message":"hi"} x',
        b'{"message":1',
        b'{"priority":"x", "message":}',
        b"message=hi",
        b"\xff\xfe",
        b'{"message":"\xff"}',
        b'{"message":"hi","unknown":"\xff"}',
        b'{"message":1,"unknown":"\xff"}',
        b'{"message":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"\x00",
        b"[" * 100_000,
        b'{"message":"hi","unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_json_in_utf_8_is_400(body: bytes) -> None:
    with pytest.raises(BadRequest):
        decode_wish(body)


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"", "", "is wanted as JSON, and there is none"),
        (b"[]", "", "expected object, got array"),
        (b"null", "", "expected object, got null"),
        (b"{}", "message", "is missing"),
        (b'{"message":1}', "message", "expected str, got int"),
        (b'{"message":"hi","tags":["a",2]}', "tags[1]", "expected str, got int"),
        (b'{"message":"hi","priority":1e400}', "priority", "Number out of range"),
        (b'{"message":"hi","at":"noon"}', "at", "Invalid RFC3339 encoded datetime"),
        (b'{"message":"hi","at":7}', "at", "expected datetime or null, got int"),
    ],
)
def test_json_that_does_not_fit_names_the_member(body: bytes, field: str, message: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        decode_wish(body)
    assert [(problem.field, problem.message) for problem in refused.value.errors] == [(field, message)]
    assert refused.value.detail == f"{field or 'body'}: {message}"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"rooms":{"attic":{}}}', "rooms[...].message"),
        (b'{"rooms":{"attic":{"message":"hi","tags":[null]}}}', "rooms[...].tags[0]"),
    ],
)
def test_members_further_down_are_named_with_their_path(body: bytes, field: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        body_decoder(House, 422)(body)
    assert refused.value.errors[0].field == field


@pytest.mark.parametrize("body", [b"", b"null"])
def test_a_body_that_may_be_none_may_be_left_out(body: bytes) -> None:
    decode = body_decoder(Wish | None, 400)
    assert decode(body) is None
    assert decode(b'{"message":"hi"}') == Wish("hi")
    with pytest.raises(BadRequest):
        decode(b"{}")


def test_a_structs_own_check_is_a_misfit() -> None:
    with pytest.raises(BadRequest, match="a tone is not negative"):
        body_decoder(Bell, 400)(b'{"tone":-1}')


def test_a_member_of_any_type_may_be_too_deep_to_look_for_times_in() -> None:
    depth = 900
    with pytest.raises(BadRequest, match="nested too deeply"):
        body_decoder(Anything, 422)(b'{"kept": ' + b"[" * depth + b"]" * depth + b"}")


def test_naive_times_of_a_body_are_utc() -> None:
    wish = decode_wish(b'{"message":"hi","at":"2026-05-01T12:00:00"}')
    assert wish.at == NOON
    house = body_decoder(House, 422)(b'{"history":["2026-05-01T12:00:00","2026-05-01T14:00:00+02:00"]}')
    assert house.history == (NOON, NOON)
    assert {time.tzinfo for time in house.history} == {UTC}


# --- Queries -------------------------------------------------------------------------------------------------------


class Search(msgspec.Struct):
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    ratio: float | None = None
    is_open: bool | None = None
    tags: list[str] = []
    numbers: tuple[int, ...] = ()
    text: str | None = None
    since: datetime | None = None
    page_size: int = msgspec.field(default=10, name="per-page")


read_search = query_reader(Search, 422)


def search(query: str) -> Any:
    return read_search(Head("GET", b"/", query.encode("latin-1")))


def problem(query: str) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        search(query)
    (only,) = refused.value.errors
    return only.field, only.message


def test_nothing_given_means_the_defaults() -> None:
    assert search("") == search("unknown=1&limi=2") == Search()
    assert query_reader(None, 422)(Head("GET", b"/", b"a=1")) is None


def test_text_is_converted_by_the_members_type() -> None:
    assert search("limit=7&ratio=0.5&text=7&per-page=3") == Search(limit=7, ratio=0.5, text="7", page_size=3)
    assert search("text=") == Search(text="")
    assert search("text=caf%C3%A9+x").text == "café x"


@pytest.mark.parametrize(("written", "meant"), [("5", 5), ("05", 5), ("%2B5", 5), ("000000000000000000000000005", 5)])
def test_an_integer_is_digits_with_or_without_a_sign(written: str, meant: int) -> None:
    assert search(f"limit={written}").limit == meant


def test_an_integer_is_as_large_as_the_database_holds() -> None:
    assert search("numbers=-9223372036854775808&numbers=9223372036854775807").numbers == (-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("true", True), ("TRUE", True), ("1", True), ("Yes", True), ("false", False), ("0", False), ("NO", False)],
)
def test_booleans_come_in_three_spellings_and_any_case(word: str, meant: bool) -> None:
    assert search(f"is_open={word}").is_open is meant


def test_lists_take_repeated_parameters() -> None:
    found = search("tags=a&tags=&tags=b,c&numbers=1&numbers=2")
    assert (found.tags, found.numbers) == (["a", "", "b,c"], (1, 2))


def test_the_first_of_a_repeated_single_parameter_counts() -> None:
    assert search("limit=7&limit=x").limit == 7


@pytest.mark.parametrize(
    "written",
    [
        "2026-05-01T12:00:00",
        "2026-05-01T12:00:00Z",
        "2026-05-01T12:00",
        "20260501T120000Z",
        "2026-05-01T14:00:00%2B02:00",
        "2026-05-01T14:00:00+02:00",
        "2026-05-01%2012:00:00",
        "2026-05-01T12:00:00.000000Z",
        "2026-05-01t12:00:00z",
        "2026-05-01T12",
        "2026-05-01T12:00:00,0",
        "2026-05-01T12:00:00.0000009999999Z",
        "2026-W18-5T12:00Z",
        "2026W185T12Z",
        "2026-121T12:00:00Z",
        "2026121T1200",
        "20260501T1430+0230",
        "2026-05-01T13+01",
        "2026-05-01+12:00",
        "2026-05-01+14:00+02:00",
        "2026-05-01T12:00:00-00:00",
    ],
)
def test_times_are_any_iso_8601_and_naive_ones_are_utc(written: str) -> None:
    since = search(f"since={written}").since
    assert (since, since.tzinfo) == (NOON, UTC)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=", "limit"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=1.5", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1e1", "limit"),
        ("limit=0x5", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%2B", "limit"),
        ("limit=--5", "limit"),
        ("limit=5%0A", "limit"),
        ("limit=%D9%A5", "limit"),
        ("limit=null", "limit"),
        ("limit=true", "limit"),
        ("numbers=9223372036854775808", "numbers[0]"),
        ("limit=%209", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=%ff", "limit"),
        ("ratio=nan", "ratio"),
        ("ratio=-Infinity", "ratio"),
        ("is_open=on", "is_open"),
        ("is_open=", "is_open"),
        ("numbers=1&numbers=x", "numbers[1]"),
        ("since=yesterday", "since"),
        ("since=1700000000", "since"),
        ("since=", "since"),
        ("since=2026-05", "since"),
        ("since=2026-05-32", "since"),
        ("since=2026-02-29", "since"),
        ("since=2026-366", "since"),
        ("since=2026-000", "since"),
        ("since=2026-W54-1", "since"),
        ("since=2026-W18", "since"),
        ("since=2026-W18-8", "since"),
        ("since=0000-01-01", "since"),
        ("since=10000-01-01", "since"),
        ("since=-2026-05-01", "since"),
        ("since=9999-366", "since"),
        ("since=9999-W53-1", "since"),
        ("since=2026-05-01x12:00", "since"),
        ("since=2026-05-01T", "since"),
        ("since=2026-05-01T24:00", "since"),
        ("since=2026-05-01T12:60", "since"),
        ("since=2026-05-01T23:59:60Z", "since"),
        ("since=2026-05-01T12:00.5", "since"),
        ("since=2026-05-01T12:00:00.", "since"),
        ("since=2026-05-01T12:00:00%2B24:00", "since"),
        ("since=2026-05-01T12:00:00%2B01:60", "since"),
        ("since=2026-05-01T12:00:00%2B01:00:30", "since"),
        ("since=2026-05-01T12:00:00ZZ", "since"),
        ("since=2026-05-01Z", "since"),
        ("since=20260501T12:00", "since"),
        ("since=2026-05-01T1200", "since"),
        ("since=2026-0501", "since"),
        ("since=%D9%A2%D9%A0%D9%A2%D9%A6-05-01", "since"),
        ("since=2026-05-01%0A", "since"),
        ("since=" + "9" * 5000, "since"),
        ("per-page=x", "per-page"),
    ],
)
def test_a_bad_parameter_is_named(query: str, field: str) -> None:
    assert problem(query)[0] == field


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-05-01", datetime(2026, 5, 1, tzinfo=UTC)),
        ("0001-01-01T00:00%2B23:59", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59-23:59", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        ("9999-W52-5", datetime(9999, 12, 31, tzinfo=UTC)),
        ("2024-366", datetime(2024, 12, 31, tzinfo=UTC)),
    ],
)
def test_a_day_is_its_midnight_and_the_ends_of_time_are_the_last_that_there_is(written: str, read: datetime) -> None:
    assert search(f"since={written}").since == read


def test_a_missing_parameter_is_named() -> None:
    with pytest.raises(BadRequest) as refused:
        query_reader(Bell, 400)(Head("GET", b"/"))
    assert refused.value.errors[0].field == "tone"


# --- Answers -------------------------------------------------------------------------------------------------------


def test_every_time_of_an_answer_is_utc_and_nothing_is_changed_for_it() -> None:
    noon = NOON.astimezone(SUMMER)
    house = House(rooms={"attic": Wish("hi", at=noon)}, history=(noon, NOON))
    assert encode([house]) == (
        b'[{"rooms":{"attic":{"message":"hi","priority":3,"tags":[],"at":"2026-05-01T12:00:00Z"}},'
        b'"history":["2026-05-01T12:00:00Z","2026-05-01T12:00:00Z"],"floors":1}]'
    )
    assert house.history[0].tzinfo is SUMMER


def test_what_needs_no_change_is_not_copied() -> None:
    house = House(rooms={"attic": Wish("hi", at=NOON)}, history=(NOON,))
    assert in_utc(house) is house


def test_a_struct_whose_types_are_known_only_where_it_was_made_is_encoded() -> None:
    class Secret(msgspec.Struct):
        pass

    class Local(msgspec.Struct):
        at: datetime
        secret: Secret | None = None

    assert encode(Local(NOON.astimezone(SUMMER))) == b'{"at":"2026-05-01T12:00:00Z","secret":null}'


@pytest.mark.parametrize("edge", [datetime(1, 1, 1), datetime(9999, 12, 31, 23)])  # noqa: DTZ001
def test_the_ends_of_time_are_encoded_too(edge: datetime) -> None:
    for hours in (-12, 12):
        assert encode([edge.replace(tzinfo=timezone(timedelta(hours=hours)))]).endswith(b'Z"]')
