"""Words: what a text is found by, and what a query asks for."""

from __future__ import annotations

import pytest

from manor_topics.search.words import fold, read_query, terms_of


def finds(query: str, *texts: str) -> bool:
    return read_query(query).matches(terms_of(*texts))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("backup", "The backup is done"),
        ("BACK", "the backup is done"),
        ("done backup", "the backup is done"),
        ("lodz", "Łódź"),
        ("ŁÓDŹ", "lodz"),
        ("zolw", "żółw"),
        ("istanbul", "İSTANBUL"),
        ("ISPARTA", "\N{LATIN SMALL LETTER DOTLESS I}sparta"),
        ("strasse", "Straße"),
        ("STRASSE", "straße"),
        ("Straße", "STRASSE"),
        ("server", "\uff33\uff25\uff32\uff36\uff25\uff32"),
        ("\uff33\uff25\uff32", "server"),
        ("smorrebrod", "smørrebrød"),
        ("cafe", "cafe\u0301"),
        ("caf\u00e9", "cafe"),
        ("东", "东京塔"),
        ("京", "东京塔"),
        ("京塔", "东京塔"),
        ("东京塔", "去东京塔吧"),
        ("备份已完成", "今天的备份已完成了"),
        ("カ", "エラーガカ"),
        ("버", "서버가 다운"),
        ("서버", "서버가 다운"),
        ("ตก", "ฝนตกหนัก"),
        ("tower 东", "东京tower"),
        ("10.0.0.1", "host 10.0.0.1 is down"),
        ("full", "disk_full"),
        ("🔥", "the house is on 🔥🔥"),
        ("a" * 17, "a" * 20),
        ("soft", "so\u00adft"),
    ],
)
def test_a_text_is_found(query: str, text: str) -> None:
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("ackup", "backup"),
        ("backup failed", "the backup is done"),
        ("京东", "东京"),
        ("カ", "ガ"),
        ("a" * 18, "a" * 17),
        ("🔥", "fire"),
        ("...", "..."),
        ("10.0.0.2", "10.0.0.1"),
    ],
)
def test_a_text_is_not_found(query: str, text: str) -> None:
    assert not finds(query, text) or read_query(query).is_nothing


@pytest.mark.parametrize("query", ["", "   ", "...", '"', "*", "()", "\0", "-", "^:+", "\u0301", "\ufe0f", "\u200d"])
def test_punctuation_alone_asks_for_nothing(query: str) -> None:
    assert read_query(query).is_nothing


def test_no_character_of_a_query_is_syntax() -> None:
    assert read_query('a OR "b" NEAR(c, 2)* NOT -d^ {e}:f\0').terms == read_query("a or b near c 2 not d e f").terms


def test_a_title_and_a_text_may_each_have_some_of_the_words() -> None:
    assert finds("disk full", "disk", "it is full")


def test_a_word_that_begins_another_is_asked_for_once() -> None:
    assert read_query("b back backup").terms == {"wbackup"}
    assert read_query("东 东京 东京塔").terms == {"c东京塔"}


def test_terms_hold_nothing_that_the_index_would_read_as_syntax() -> None:
    text = "".join(map(chr, range(1, 0xD800))) + "".join(map(chr, range(0xE000, 0x30000)))

    terms = terms_of(text[:60_000], text[60_000:]) | read_query(text).terms

    assert not [term for term in terms if set(term) & set('"*^():{}+- \0\n')]


def test_lone_surrogates_only_separate() -> None:
    assert fold("a\ud800b") == "a\ud800b"
    assert finds("a b", "a\udfffb")
