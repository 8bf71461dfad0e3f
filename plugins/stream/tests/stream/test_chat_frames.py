"""Frames of clients: read, or dropped without a word."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor_stream.chat.frames import MOST_OBJECTS, Joined, Recolored, Renamed, Said, read_frame


def test_each_kind_of_frame_is_read() -> None:
    assert read_frame('{"type":"CHAT","body":"x"}') == [Said("x")]
    assert read_frame('{"type":"CHAT","author":"Ada","body":"x","id":7}') == [Said("x", "Ada")]
    assert read_frame('{"type":"NAME_CHANGE","newName":"Bob"}') == [Renamed("Bob")]
    assert read_frame('{"oldName":"Ada","newName":"Bob","type":"NAME_CHANGE"}') == [Renamed("Bob", "Ada")]
    assert read_frame('{"type":"USER_JOINED","username":"Ada"}') == [Joined("Ada")]
    assert read_frame('{"type":"COLOR_CHANGE","newColor":7}') == [Recolored(7)]


def test_several_objects_stand_in_one_frame_a_line_each() -> None:
    text = '{"type":"CHAT","body":"a"}\n\nnonsense\n{"type":"PONG"}\r\n{"type":"CHAT","body":"b"}'

    assert read_frame(text) == [Said("a"), Said("b")]


def test_of_very_many_lines_the_first_are_read() -> None:
    line = '{"type":"CHAT","body":"x"}\n'

    assert read_frame(line * 500) == [Said("x")] * MOST_OBJECTS
    assert read_frame("x\n" * MOST_OBJECTS + line) == []


def test_a_line_ends_where_json_says_so() -> None:
    line = '{"type":"CHAT","body":"a\u2028b\u0085c"}'

    assert read_frame(f"{line}\n{line}") == [Said("a\u2028b\u0085c")] * 2


def test_one_object_may_stand_on_several_lines() -> None:
    assert read_frame('{\n  "type": "CHAT",\n  "body": "a"\n}') == [Said("a")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "nonsense",
        "null",
        "7",
        '"CHAT"',
        "[]",
        "{}",
        '{"type":"PONG"}',
        '{"type":"PING"}',
        '{"type":"SYSTEM","body":"x"}',
        '{"type":"VISIBILITY-UPDATE","ids":[]}',
        '{"type":7,"body":"x"}',
        '{"type":null}',
        '{"type":"CHAT"}',
        '{"type":"CHAT","body":7}',
        '{"type":"CHAT","body":null}',
        '{"type":"CHAT","body":["x"]}',
        '{"type":"CHAT","body":"x"',
        '{"type":"CHAT","body":"x"} {"type":"CHAT","body":"x"}',
        '{"type":"CHAT","body":"\\ud800"}',
        '{"type":"CHAT","body":"\ud800"}',
        '{"type":"NAME_CHANGE"}',
        '{"type":"COLOR_CHANGE","newColor":8}',
        '{"type":"COLOR_CHANGE","newColor":-1}',
        '{"type":"COLOR_CHANGE","newColor":"1"}',
        '{"type":"COLOR_CHANGE","newColor":1e99}',
        '{"type":"CHAT","body":"x","deep":' + "[" * 5000 + "]" * 5000 + "}",
        "[" * 16_000,
        '{"a":' * 3000,
    ],
)
def test_what_nobody_understands_is_dropped(text: str) -> None:
    assert read_frame(text) == []


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    read_frame(text)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


@given(
    st.sampled_from(["CHAT", "NAME_CHANGE", "USER_JOINED", "COLOR_CHANGE"]),
    st.dictionaries(st.sampled_from(["body", "author", "newName", "oldName", "username", "newColor"]), _JSON),
)
def test_members_of_any_kind_are_read_or_dropped(type_: str, members: dict[str, object]) -> None:
    for heard in read_frame(json.dumps({"type": type_, **members})):
        match heard:
            case Said():
                assert isinstance(heard.body, str)
                assert isinstance(heard.author, str)
            case Recolored():
                assert 0 <= heard.new_color < 8
            case Renamed():
                assert isinstance(heard.new_name, str)
            case Joined():
                assert isinstance(heard.username, str)
