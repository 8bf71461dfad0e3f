"""What people may be called, and what they may write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor_stream.chat import rules

NOW = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Ada", "Ada"),
        ("  Ada \t Lovelace\n", "Ada Lovelace"),
        ("Ada\u202eeda", "Adaeda"),
        ("\u2066Ada\u2069", "Ada"),
        ("A\x00d\x1ba", "Ada"),
        ("A\u200bd\u200ba\ufeff", "Ada"),
        ("\u3164\u2800", ""),
        ("\u0301\u0301", ""),
        ("", ""),
        (" \r\n ", ""),
        ("\ud800", ""),
        ("a" + "\u0336" * 20, "a\u0336\u0336"),
        ("x" * 31, "x" * 30),
        ("x" * 29 + " yz", "x" * 29),
        ("Jose\u0301", "José"),
        ("日本", "日本"),
        ("🦊", "🦊"),
        ("**", "**"),
    ],
)
def test_a_name_is_one_line_that_can_be_seen(typed: str, name: str) -> None:
    assert rules.clean_name(typed) == name


@given(st.text())
def test_a_clean_name_stays_as_it_is(typed: str) -> None:
    name = rules.clean_name(typed)

    assert len(name) <= rules.MOST_NAME
    assert rules.clean_name(name) == name


@given(st.text(alphabet="a\u202e\u202a\u2066\u2069\u200f\u200b\x00\x1b\x7f\u0085"))
def test_no_name_turns_text_round_or_hides(typed: str) -> None:
    assert set(rules.clean_name(typed)) <= {"a", " "}


@pytest.mark.parametrize(
    "name", ["admin", "Admin", "ádmin", "the admin here", "a-d-m-i-n", "\uff21\uff24\uff2d\uff29\uff2e", "x**x"]
)
def test_a_forbidden_word_stands_nowhere_in_a_name(name: str) -> None:
    assert rules.is_forbidden(name, words=["admin", "**", " ", ""], names=[])


@pytest.mark.parametrize("name", ["Manor", "manor", "M a n o r", "MÄNOR", "★"])
def test_the_servers_name_is_nobodys(name: str) -> None:
    assert rules.is_forbidden(name, words=[], names=["Manor", "★"])


@pytest.mark.parametrize("name", ["Manorial", "Ada", "★★", "adm"])
def test_other_names_are_free(name: str) -> None:
    assert not rules.is_forbidden(name, words=["admin", "  "], names=["Manor", "★", ""])


def test_a_name_that_was_made_up_is_a_name() -> None:
    name = rules.invented_name(lambda some: some[0])

    assert rules.clean_name(name) == name


def test_the_newest_of_many_names_are_kept_with_the_present_one_at_the_end() -> None:
    names: tuple[str, ...] = ("Ada",)
    for number in range(30):
        names = rules.renamed(names, f"Ada {number}")
    again = rules.renamed(names, "Ada 20")

    assert len(names) == rules.MOST_PREVIOUS_NAMES
    assert names[-1] == "Ada 29"
    assert (again[-1], again.count("Ada 20")) == ("Ada 20", 1)


@pytest.mark.parametrize(
    ("typed", "body"),
    [
        ("hello", "hello"),
        ("  a\r\nb\n", "a\nb"),
        ("a\x00\x1b[31mb", "a[31mb"),
        ("abc\u202edef", "abcdef"),
        ("a\tb", "a\tb"),
        ("\ud800x", "x"),
        ("\u202e \n", ""),
    ],
)
def test_a_body_has_no_control_characters(typed: str, body: str) -> None:
    assert rules.clean_body(typed) == body


@pytest.mark.parametrize(
    ("body", "is_too_long"),
    [("x" * 2048, False), ("x" * 2049, True), ("é" * 1024, False), ("é" * 1025, True), ("x" * 100_000, True)],
)
def test_a_body_is_measured_in_bytes(body: str, is_too_long: bool) -> None:
    assert rules.is_too_long(rules.clean_body(body)) == is_too_long


@pytest.mark.parametrize(
    ("is_online", "ended_ago", "is_open"),
    [
        (True, None, True),
        (True, timedelta(hours=1), True),
        (False, None, True),
        (False, timedelta(minutes=4, seconds=59), True),
        (False, timedelta(minutes=5), False),
        (False, timedelta(days=2), False),
    ],
)
def test_the_chat_closes_five_minutes_after_the_broadcast(
    is_online: bool, ended_ago: timedelta | None, is_open: bool
) -> None:
    ended_at = None if ended_ago is None else NOW - ended_ago

    assert rules.is_open(is_online=is_online, ended_at=ended_at, now=NOW) == is_open
