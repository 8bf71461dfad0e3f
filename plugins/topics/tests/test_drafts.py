"""What a publish request means: bodies, members, header text."""

from __future__ import annotations

import json
from itertools import product

import pytest

from manor_topics.domain import Misfit
from manor_topics.drafts import (
    BrokenJson,
    Draft,
    MessageTooLong,
    Sent,
    check_key,
    plain_draft,
    read_draft,
    read_header,
)
from manor_topics.encoded_words import CHARSETS

JSON = Sent(content_type="application/json")


EXTREME = [
    "[1e309]",
    "-1e999999",
    "9" * 4301,
    '{"n":' + "9" * 60_000 + "}",
    '{"alert":"\\ud800"}',
    '{"message":' + "9" * 4301 + "}",
]
"""JSON by its grammar, with values that few parsers hold."""


def read(body: bytes | str, sent: Sent | None = None, *, most_bytes: int = 65_536) -> Draft:
    return read_draft(body.encode() if isinstance(body, str) else body, sent or Sent(), most_bytes=most_bytes)


def latin(text: str) -> str:
    """A header's UTF-8 bytes as HTTP hands them over."""
    return text.encode().decode("latin-1")


# --- Bodies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/octet-stream", "application/x-www-form-urlencoded", "application/jsonx"],
)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Disk is full", "Disk is full"),
        ("a=1&b=2+3%20", "a=1&b=2+3%20"),
        ('{"message": "x"}', '{"message": "x"}'),
        ("line\n", "line"),
        ("line\r\n", "line"),
        ("line\n\n", "line\n"),
        (" padded ", " padded "),
        ("\ttab\nnext", "\ttab\nnext"),
        ("zażółć 🚀", "zażółć 🚀"),
        ("nul\0byte", "nul\0byte"),
    ],
)
def test_a_body_is_text_whatever_it_says_it_is(content_type: str | None, body: str, message: str) -> None:
    assert read(body, Sent(content_type=content_type)) == Draft(message)


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON "])
def test_an_object_with_a_message_is_a_structured_publish(content_type: str) -> None:
    body = {"message": "Disk\n", "title": "db1", "priority": 1, "tags": ["disk", " db "], "unknown": [1]}

    draft = read(json.dumps(body), Sent(content_type=content_type))

    assert draft == Draft("Disk\n", title="db1", priority=1, tags=("disk", "db"))


@pytest.mark.parametrize("tags", [["a", "b"], "a,b", " a ,, b,a", ["a", "", "b", "a "]])
def test_tags_are_a_list_or_words_with_commas(tags: object) -> None:
    assert read(json.dumps({"message": "x", "tags": tags}), JSON).tags == ("a", "b")


def test_members_win_over_headers_and_null_is_no_member() -> None:
    sent = Sent("application/json", title="from the header", priority="5", tags="header")

    assert read('{"message":"x","title":"t","priority":2,"tags":[]}', sent) == Draft("x", "t", 2, ())
    assert read('{"message":"x","title":null,"priority":null,"tags":null}', sent) == Draft(
        "x", "from the header", 5, ("header",)
    )


@pytest.mark.parametrize(
    "body",
    [
        '{"alert": "down"}',
        '{"message": 5}',
        '{"message": null}',
        "[1, 2]",
        '"text"',
        "42",
        "null",
        ' {"a":1}\n',
        *EXTREME,
    ],
)
def test_other_json_is_stored_as_it_came(body: str) -> None:
    assert read(body, JSON).message == body


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "{'message': 'x'}",
        '{"message": "x"} trailing',
        '{"message": "x",}',
        "hello",
        '[1e309, "unclosed]',
        "[NaN]",
        "[1e309, -Infinity]",
        '["\\ud800", "\t"]',
        "\ufeff[1]",
        "[01]",
        "[٣]",
        f"[{'9' * 5000}, ٣]",
        "[1e309,]",
        b'{"message": "caf\xe9"}',
    ],
)
def test_broken_json_is_told_apart_from_a_bad_value(body: str | bytes) -> None:
    with pytest.raises(BrokenJson):
        read(body, JSON)


@pytest.mark.parametrize("body", ["[" * 30_000, "[" * 30_000 + "]" * 30_000, '{"a":' * 10_000, '{"a":[' * 10_000])
def test_json_that_no_parser_reaches_the_bottom_of_is_nested_too_deeply(body: str) -> None:
    with pytest.raises(BrokenJson, match="nested too deeply"):
        read(body, JSON)


def test_members_beside_a_number_that_is_too_large_count() -> None:
    assert read('{"message":"x","n":1e309,"m":' + "9" * 5000 + ',"priority":1}', JSON) == Draft("x", priority=1)


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"", Sent()),
        (b"\n", Sent()),
        (b"\r\n", Sent()),
        (b" \t\n ", Sent()),
        ("\u00a0\u2003".encode(), Sent()),
        (b"", JSON),
        (b"  ", JSON),
        (b'{"message": ""}', JSON),
        (b'{"message": " \\n"}', JSON),
        (b"\xff\xfe", Sent()),
        (b"caf\xe9", Sent()),
        (b"\xed\xa0\x80", Sent()),
        (b"x", Sent(title="")),
        (b"x", Sent(title="  ")),
        (b"x", Sent(title="t" * 251)),
        (b"x", Sent(title=latin("ż" * 251))),
        (b"x", Sent(title="caf\xe9")),
        (b'{"message":"x","title":""}', JSON),
        (b'{"message":"x","title":5}', JSON),
        (b"x", Sent(priority="0")),
        (b"x", Sent(priority="6")),
        (b"x", Sent(priority="-1")),
        (b"x", Sent(priority="+3")),
        (b"x", Sent(priority="3.0")),
        (b"x", Sent(priority="03")),
        (b"x", Sent(priority="high")),
        (b"x", Sent(priority="")),
        (b"x", Sent(priority="\xb2")),
        (b"x", Sent(priority="9" * 5000)),
        (b'{"message":"x","priority":0}', JSON),
        (b'{"message":"x","priority":6}', JSON),
        (b'{"message":"x","priority":"3"}', JSON),
        (b'{"message":"x","priority":3.5}', JSON),
        (b'{"message":"x","priority":true}', JSON),
        (b'{"message":"x","priority":99999999999999999999}', JSON),
        (b'{"message":"x","priority":[1]}', JSON),
        (b'{"message":"x","priority":1e309}', JSON),
        (b'{"message":"x","priority":' + b"9" * 5000 + b"}", JSON),
        (b'{"message":"half \\ud800"}', JSON),
        (b'{"message":"x","title":"half \\ud800"}', JSON),
        (b'{"message":"x","tags":["half \\udfff"]}', JSON),
        (b"x", Sent(tags="t" * 51)),
        (b"x", Sent(tags=",".join(map(str, range(21))))),
        (b"x", Sent(tags="caf\xe9")),
        (b'{"message":"x","tags":{"a":1}}', JSON),
        (b'{"message":"x","tags":[1]}', JSON),
        (b'{"message":"x","tags":["a",null]}', JSON),
        (b'{"message":"x","tags":7}', JSON),
    ],
)
def test_a_bad_value_is_refused(body: bytes, sent: Sent) -> None:
    with pytest.raises(Misfit):
        read(body, sent)


@pytest.mark.parametrize("control", ["\0", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f"])
def test_titles_and_tags_have_no_control_characters_and_messages_may(control: str) -> None:
    escaped = f"\\u{ord(control):04x}"
    word = f"=?utf-8?q?a={ord(control):02X}b?="
    for body, sent in [
        ("x", Sent(title=f"a{control}b")),
        ("x", Sent(title=word)),
        ("x", Sent(tags=f"a{control}b")),
        ("x", Sent(tags=f"ok,{word}")),
        (f'{{"message":"x","title":"a{escaped}b"}}', JSON),
        (f'{{"message":"x","tags":["a{escaped}b"]}}', JSON),
        (f'{{"message":"x","tags":"a{escaped}b"}}', JSON),
    ]:
        with pytest.raises(Misfit, match="control characters"):
            read(body, sent)
    assert read(f"a{control}b").message == f"a{control}b"
    assert read(f'{{"message":"a{escaped}b"}}', JSON).message == f"a{control}b"


def test_limits_count_characters_and_the_message_counts_bytes() -> None:
    assert read("x", Sent(title=latin("ż" * 250))).title == "ż" * 250
    assert len(read("x", Sent(tags=",".join(f"{n:050}" for n in range(20)))).tags) == 20
    assert read("ż" * 5, most_bytes=10).message == "ż" * 5
    assert read("x" * 10 + "\n", most_bytes=10).message == "x" * 10
    for body, sent in [("ż" * 5 + "x", Sent()), ("x" * 11, Sent()), ('{"message":"xxxxxxxxxxx"}', JSON)]:
        with pytest.raises(MessageTooLong):
            read(body, sent, most_bytes=10)


def test_escaped_json_counts_as_what_it_means() -> None:
    assert read('{"message":"\\u0105\\u0105"}', JSON, most_bytes=4).message == "ąą"


def test_a_priority_without_a_header_is_three() -> None:
    assert read("x").priority == 3


def test_a_fingerprint_tells_drafts_apart() -> None:
    drafts = [Draft("x"), Draft("y"), Draft("x", "t"), Draft("x", priority=1), Draft("x", tags=("a",))]

    assert len({draft.fingerprint for draft in drafts}) == len(drafts)
    assert Draft("x").fingerprint == Draft("x").fingerprint


@pytest.mark.parametrize(
    ("key", "is_good"), [(None, True), ("k", True), ("k" * 128, True), ("", False), ("k" * 129, False)]
)
def test_a_key_is_at_most_128_characters(key: str | None, is_good: bool) -> None:
    if is_good:
        assert check_key(key) == key
    else:
        with pytest.raises(Misfit):
            check_key(key)


# --- Header text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (latin("zażółć gęślą 🚀"), "zażółć gęślą 🚀"),
        ("=?UTF-8?B?xbzDs8WCdw==?=", "żółw"),
        ("=?utf-8?b?xbzDs8WCdw?=", "żółw"),
        ("=?utf-8?Q?caf=C3=A9_au_lait?=", "café au lait"),
        ("=?iso-8859-1?q?caf=E9?=", "café"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\t=?iso-8859-2?q?=BF?=", "aż"),
        ("=?utf-8?b?xbw=?= and =?utf-8?b?xbw=?=", "ż and ż"),
        ("=?utf-8?b?xQ==?= =?utf-8?b?vA==?=", "ż"),
        ("before =?utf-8?q?x?= after", "before x after"),
        ("=?utf-8*en?q?x?=", "x"),
        ("=?utf-8?b?xQ==?= =?utf-8?b?vA==?= =?utf-8?q?!?=", "ż!"),
        ("=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?windows-1250?q?=BF=F3=B3w?=", "żółw"),
        ("=?GB18030?b?1tA=?=", "中"),
    ],
)
def test_header_text_is_raw_utf8_or_encoded_words(value: str, text: str) -> None:
    assert read_header("title", value) == text


@pytest.mark.parametrize(
    "word",
    [
        "=?no-such-charset?q?x?=",
        "=?utf-8?b?!!!?=",
        "=?utf-8?b?x?=",
        "=?utf-8?x?abc?=",
        "=? not one ?=",
        "=?utf-8?b?/w==?=",
        "=?utf-8?q?=FF?=",
        "=?utf-8?q?=ZZ?=",
        "=?utf-8?q?half=?=",
        "=?utf-8?b?7aCA?=",
        "=?us-ascii?q?=E9?=",
        "=?utf-7?B?KzJBQS0=?=",
        "=?unicode-escape?Q?=5Cud800?=",
        "=?raw_unicode_escape?Q?=5Cud800?=",
        "=?hex?q?x?=",
        "=?rot13?q?x?=",
        "=?idna?q?=FF?=",
        "=?punycode?q?x?=",
        "=?utf-16-le?b?fAE=?=",
    ],
)
def test_a_word_that_cannot_be_read_stays_as_it_was_sent(word: str) -> None:
    assert read_header("title", word) == word
    assert read_header("title", f"=?utf-8?q?a?= {word} =?utf-8?q?b?=") == f"a {word} b"


@pytest.mark.parametrize("charset", sorted(CHARSETS))
def test_every_character_set_is_known_and_gives_text(charset: str) -> None:
    assert read_header("title", f"=?{charset.upper()}?q?x?=") == "x"
    for byte in range(256):
        read_header("title", f"=?{charset}?q?={byte:02X}?=").encode()


BODIES = (
    b"text",
    b"text\n",
    b"text\r\n",
    b" \n",
    b"",
    b"a\nb\n\n",
    "ü€".encode(),
    b"\xff",
    b"x" * 64,
    b"x" * 65,
    b'{"message":"m"}',
)
TITLES = (None, b"t", b" t ", b" ", b"", b"=?utf-8?q?a?=", "ü".encode(), b"a\x01", b"t" * 250, b"t" * 251, b"a=b?")
PRIORITIES = (None, b"1", b"5", b"0", b"6", b" 3", b"", b"+3", b"high", "\N{SUPERSCRIPT TWO}".encode())
FEW_TAGS = (None, b"a,b", b" a , a,", b",", b"", b"a" * 50, b"a" * 51, b",".join([b"a%d" % n for n in range(20)]))
TAGS = (*FEW_TAGS, b",".join([b"%d" % n for n in range(21)]), b"=?utf-8?q?a?=", b"a\x7f")


@pytest.mark.parametrize("tags", TAGS)
def test_a_plain_request_is_understood_as_any_other(tags: bytes | None) -> None:
    """Every draft that the quick way makes is the one that the long way makes."""
    made = 0
    for body, title, priority in product(BODIES, TITLES, PRIORITIES):
        plain = plain_draft(body, title=title, priority=priority, tags=tags, most_bytes=64)
        if plain is None:
            continue
        made += 1
        sent = Sent(
            title=None if title is None else title.decode("latin-1"),
            priority=None if priority is None else priority.decode("latin-1"),
            tags="" if tags is None else tags.decode("latin-1"),
        )
        assert plain == read_draft(body, sent, most_bytes=64)
    assert (made > 0) is (tags in (None, b"a,b", b" a , a,", b",", b"a" * 50))
