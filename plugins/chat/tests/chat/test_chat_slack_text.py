"""Slack's texts in our words, triggers, typed commands, and what is said in portions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor_chat.domain.portions import TooMuch, in_portions
from manor_chat.domain.slack import people_named, translated, translated_attachments
from manor_chat.domain.slash import Typed, as_code, names_in, read_command, read_echo
from manor_chat.domain.trigger_ids import BadTriggerId, Triggered, make_trigger_id, read_trigger_id
from manor_chat.domain.triggers import EQUALS, STARTS_WITH, is_command_trigger, trigger_word

NAMES = {"u1": "ann"}
KEY = b"k" * 32


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("see <https://example.org/a?b=c|the page>", "see [the page](https://example.org/a?b=c)"),
        ("<https://a.example|a> and <https://b.example|b>", "[a](https://a.example) and [b](https://b.example)"),
        ("<mailto:ann@example.org|Ann>", "[Ann](mailto:ann@example.org)"),
        ("<https://example.org>", "<https://example.org>"),
        ("<!channel> <!here> <!all> <!everyone>", "@channel @here @all @all"),
        ("<!here|here> look", "@here look"),
        ("<@u1> and <@u2>", "@ann and <@u2>"),
        ("<@u1|Ann>", "@ann"),
        ("a < b | c > d", "a < b | c > d"),
        ("<a\n|b>", "<a\n|b>"),
        ("<|x>", "<|x>"),
        ("", ""),
    ],
)
def test_texts_are_translated(sent: str, shown: str) -> None:
    assert translated(sent, NAMES) == shown


def test_attachments_are_translated_and_the_values_of_fields_are_texts() -> None:
    sent: list[dict[str, Any]] = [
        {
            "pretext": "<!here>",
            "text": "<https://example.org|page>",
            "title": "<@u1>",
            "color": "#f00",
            "fields": [{"title": "n", "value": 5}, {"value": True}, {"value": None}, {"value": "<!all>"}, "junk"],
            "actions": [{"id": "a", "integration": {"url": "https://x"}}],
        },
        {"text": 5, "fields": "junk"},
    ]
    (shown, junk) = translated_attachments(sent, NAMES)

    assert (shown["pretext"], shown["text"], shown["title"]) == ("@here", "[page](https://example.org)", "@ann")
    assert [each.get("value") for each in shown["fields"]] == ["5", "true", None, "@all"]
    assert shown["actions"] == sent[0]["actions"]
    assert junk == sent[1]
    assert people_named("<@u2>", sent) == ["u2", "u1"]


@given(st.text(alphabet="<>|!@#a\n", max_size=60))
def test_any_text_can_be_translated(text: str) -> None:
    assert isinstance(translated(text, NAMES), str)


def test_many_brackets_take_no_time() -> None:
    translated("<" * 200_000 + "a|" * 50_000, NAMES)


@pytest.mark.parametrize(
    ("when", "message", "word"),
    [
        (EQUALS, "deploy now", "deploy"),
        (EQUALS, "deployment now", None),
        (EQUALS, "now deploy", None),
        (STARTS_WITH, "deployment", "deploy"),
        (STARTS_WITH, "dep", None),
        (EQUALS, "", None),
        (EQUALS, "  \n", None),
    ],
)
def test_a_trigger_word_is_the_first_word_or_its_beginning(when: int, message: str, word: str | None) -> None:
    assert trigger_word(["build", "deploy"], when, message) == word


@pytest.mark.parametrize(
    ("trigger", "is_one"),
    [
        ("weather", True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("/w", False),
        ("a b", False),
        ("a\0b", False),
        ("", False),
    ],
)
def test_a_command_is_one_word_without_a_slash(trigger: str, is_one: bool) -> None:
    assert is_command_trigger(trigger) is is_one


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("/Weather  in  Rome ", Typed("weather", "in  Rome")),
        ("/me", Typed("me", "")),
        ("/code a\n  b", Typed("code", "a\n  b")),
        ("/", None),
        ("", None),
        ("weather", None),
        ("/ x", None),
    ],
)
def test_a_command_is_read(text: str, read: Typed | None) -> None:
    assert read_command(text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('"hello there" 5', ("hello there", 5)),
        ('"hello"', ("hello", 0)),
        ("hello 12", ("hello", 12)),
        ("hello", ("hello", 0)),
        ('"hello" x', ('"hello" x', 0)),
        ("7", ("7", 0)),
        ("", ("", 0)),
    ],
)
def test_an_echo_is_read(text: str, read: tuple[str, int]) -> None:
    assert read_echo(text) == read


def test_names_stand_in_front_of_a_message() -> None:
    assert names_in("@Ann,@bob hello @eve") == (["ann", "bob"], "hello @eve")
    assert names_in("@ann, @bob, hi") == (["ann", "bob"], "hi")
    assert names_in("hello") == ([], "hello")
    assert as_code("a\nb") == "    a\n    b"


# --- Portions ------------------------------------------------------------------------------------------------------


def test_a_long_text_comes_in_portions_with_the_attachments_behind() -> None:
    found = in_portions("a" * 25, {"p": 1}, [{"text": "x"}], longest_message=10, longest_props=1000)

    assert [len(each.message) for each in found] == [10, 10, 5]
    assert [each.props for each in found] == [{"p": 1}, {"p": 1}, {"p": 1, "attachments": [{"text": "x"}]}]


def test_attachments_that_do_not_fit_together_come_apart_and_a_long_one_is_cut() -> None:
    found = in_portions("", {}, [{"text": "a" * 60}, {"text": "b" * 60}], longest_message=10, longest_props=100)
    assert [[each["text"][0] for each in portion.props["attachments"]] for portion in found] == [["a"], ["b"]]

    (one,) = in_portions("", {}, [{"text": "a" * 200, "title": "t"}], longest_message=10, longest_props=100)
    assert len(msgspec.json.encode(one.props)) <= 100
    assert one.props["attachments"][0]["title"] == "t"


@pytest.mark.parametrize(("props", "attachment"), [({"p": "x" * 200}, {}), ({}, {"title": "t" * 200})])
def test_what_no_post_can_hold_is_too_much(props: dict[str, Any], attachment: dict[str, Any]) -> None:
    with pytest.raises(TooMuch):
        in_portions("", props, [attachment], longest_message=10, longest_props=100)


@pytest.mark.parametrize(
    ("message", "attachments"),
    [("a" * 70, []), ("a" * 50, [{"t": "b"}] * 6), ("", [{"t": "b"}] * 14)],
)
def test_props_that_many_posts_would_repeat_are_too_much(message: str, attachments: list[dict[str, Any]]) -> None:
    with pytest.raises(TooMuch):
        in_portions(message, {"p": "x" * 52}, attachments, longest_message=10, longest_props=100)


@given(
    st.text(max_size=50),
    st.lists(st.fixed_dictionaries({"text": st.text(max_size=90)}), max_size=6),
)
def test_no_portion_is_too_long(message: str, attachments: list[dict[str, Any]]) -> None:
    found = in_portions(message, {"p": "é"}, attachments, longest_message=7, longest_props=80)

    assert "".join(each.message for each in found) == message
    assert sum(len(each.props.get("attachments", [])) for each in found) == len(attachments)
    assert all(len(each.message) <= 7 for each in found)
    assert all(len(msgspec.json.encode(each.props).decode()) <= 80 for each in found)


# --- Trigger ids ---------------------------------------------------------------------------------------------------


def test_a_trigger_id_proves_who_it_was_for_ten_seconds() -> None:
    made = make_trigger_id(KEY, Triggered("c1", "u1"), 1_000)

    assert read_trigger_id(KEY, made, 11_000) == Triggered("c1", "u1")
    with pytest.raises(BadTriggerId, match="expired"):
        read_trigger_id(KEY, made, 11_001)


@pytest.mark.parametrize("text", ["", "!!", "YTpi", "YTpiOmM6ZA==", "é", "a" * 100_000])
def test_what_is_no_trigger_id_is_told(text: str) -> None:
    with pytest.raises(BadTriggerId):
        read_trigger_id(KEY, text, 0)


def test_another_key_proves_nothing() -> None:
    with pytest.raises(BadTriggerId, match="verify_signature_failed"):
        read_trigger_id(b"x" * 32, make_trigger_id(KEY, Triggered("c1", "u1"), 0), 0)
