"""What is typed into the search field, and what it becomes: pure."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manor_chat.domain.search_query import Query, Term, read_query
from manor_chat.domain.search_text import indexed_text, match_expression, matched_words, tag_labels

DAY = 86_400_000


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("hello world", Query(terms=(Term("hello"), Term("world")))),
        ('"hello world" x', Query(terms=(Term("hello world"), Term("x")))),
        ('"open', Query(terms=(Term("open"),))),
        ("hel* -bye", Query(terms=(Term("hel", is_prefix=True),), without=(Term("bye"),))),
        ('-"not this"', Query(without=(Term("not this"),))),
        ("#tag", Query(terms=(Term("#tag", is_tag=True),))),
        ("from:ann in:off-topic", Query(senders=("ann",), channels=("off-topic",))),
        ("from: ann", Query(senders=("ann",))),
        ("FROM:Ann -in:@bob", Query(senders=("ann",), not_channels=("@bob",))),
        ("ext:pdf -ext:png", Query(extensions=("pdf",), not_extensions=("png",))),
        ("on:1970-01-02", Query(first=DAY, last=2 * DAY)),
        ("after:1970-01-02 before:1970-1-5", Query(first=2 * DAY, last=4 * DAY)),
        ("on:yesterday", Query(is_impossible=True)),
        ("on:2024-02-30", Query(is_impossible=True)),
        ("", Query()),
        ("-", Query()),
        ("***", Query()),
        ("http://x.org/y", Query(terms=(Term("http://x.org/y"),))),
    ],
)
def test_a_query_is_taken_apart(text: str, query: Query) -> None:
    assert read_query(text) == query


def test_a_day_begins_where_the_asker_is() -> None:
    assert read_query("on:1970-01-02", offset=3600).first == DAY - 3_600_000


@given(st.text(max_size=60), st.booleans(), st.integers(-50_000, 50_000))
@settings(max_examples=300, deadline=None)
def test_whatever_is_typed_is_a_query_that_the_index_understands(text: str, is_or: bool, offset: int) -> None:
    query = read_query(text, offset)
    expression = match_expression(query, is_or=is_or, channels=["cabc"], senders=[], not_senders=[])
    index = sqlite3.connect(":memory:")
    index.execute("CREATE VIRTUAL TABLE t USING fts5(text, labels, content='')")
    index.execute("SELECT rowid FROM t WHERE t MATCH ?", (expression,)).fetchall()
    matched_words(query, text)
    index.close()


@pytest.mark.parametrize(
    ("message", "typed", "found"),
    [
        ("Der Käse ist da", "kase", True),
        ("Der Käse ist da", "käs", False),
        ("Der Käse ist da", "käs*", True),
        ("Der Käse ist da", '"käse ist"', True),
        ("Der Käse ist da", '"ist käse"', False),
        ("我们明天去北京开会", "北京", True),
        ("我们明天去北京开会", "京", True),
        ("我们明天去北京开会", "北开", False),
        ("\uff26\uff35\uff2c\uff2c width", "full", True),
        ("see off-topic now", "off-topic", True),
        ("a b c", "-b a", False),
        ("a b c", "a -x", True),
        ("東京タワー", "タワ", True),
        ("Привет мир", "мир", True),
    ],
)
def test_texts_are_found_by_what_they_say(message: str, typed: str, found: bool) -> None:
    index = sqlite3.connect(":memory:")
    tokens = "tokenize='unicode61 remove_diacritics 2'"
    index.execute(f"CREATE VIRTUAL TABLE t USING fts5(text, labels, content='', {tokens})")
    index.execute("INSERT INTO t (rowid, text, labels) VALUES (1, ?, 'cabc')", (indexed_text(message),))
    expression = match_expression(read_query(typed), is_or=False, channels=["cabc"], senders=[], not_senders=[])

    assert bool(index.execute("SELECT rowid FROM t WHERE t MATCH ?", (expression,)).fetchall()) is found
    index.close()


def test_hashtags_are_one_word_each() -> None:
    assert tag_labels("#release-1.2 #Foo") == "hreleasex1x2 hfoo"


def test_matched_words_stand_as_the_message_has_them() -> None:
    assert matched_words(read_query('hello "big world" te* 北京'), "Hello HELLO Big World, tests; 去北京") == [
        "Hello", "HELLO", "Big World", "tests", "北京",
    ]  # fmt: skip
