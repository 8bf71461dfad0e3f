from __future__ import annotations

import threading
from uuid import UUID, SafeUUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manor.storage import from_chat_id, new_id, new_ids, parse_id, to_chat_id


def test_new_ids_are_version_7_and_sort_as_they_were_made() -> None:
    ids = [new_id() for _ in range(5000)]

    assert {(id_.version, id_.variant) for id_ in ids} == {(7, "specified in RFC 4122")}
    assert ids == sorted(set(ids))
    assert [id_.bytes for id_ in ids] == sorted(id_.bytes for id_ in ids)


def test_many_ids_at_once_are_like_one_after_the_other() -> None:
    ids = [new_id(), *new_ids(300), new_id()]

    assert len(ids) == 302
    assert ids == sorted(set(ids))
    assert [UUID(bytes=id_.bytes) for id_ in ids] == ids
    assert {(id_.version, id_.is_safe, hash(id_)) for id_ in ids} == {
        (7, SafeUUID.unknown, hash(UUID(str(id_)))) for id_ in ids
    }
    assert new_ids(0) == []


def test_ids_made_on_several_threads_differ() -> None:
    made: list[list[UUID]] = [[] for _ in range(4)]

    def make(ids: list[UUID]) -> None:
        ids += [new_id() for _ in range(1000)]

    threads = [threading.Thread(target=make, args=(ids,)) for ids in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id_ for ids in made for id_ in ids}) == 4000
    assert all(ids == sorted(ids) for ids in made)


@given(st.uuids())
def test_every_id_survives_both_forms(id_: UUID) -> None:
    assert parse_id(str(id_)) == id_
    assert from_chat_id(to_chat_id(id_)) == id_
    assert len(to_chat_id(id_)) == 26


@given(st.uuids(), st.uuids())
def test_the_chat_form_is_one_to_one(one: UUID, other: UUID) -> None:
    assert (one == other) == (to_chat_id(one) == to_chat_id(other))


@given(st.text(alphabet="ybndrfg8ejkmcpqxot1uwisza345h769lv02YBN-", min_size=25, max_size=27))
def test_only_what_the_server_writes_is_read_back(text: str) -> None:
    id_ = from_chat_id(text)
    assert id_ is None or to_chat_id(id_) == text


@given(st.text(alphabet=st.characters(max_codepoint=0x24F), max_size=40))
def test_no_text_makes_parsing_raise(text: str) -> None:
    assert parse_id(text) is None or str(parse_id(text)) == text
    assert from_chat_id(text) is None or len(text) == 26


def test_the_chat_form_is_five_bits_a_character() -> None:
    assert to_chat_id(UUID(int=0)) == "y" * 26
    assert to_chat_id(UUID(int=2**128 - 1)) == "9" * 25 + "h"
    assert from_chat_id("9" * 26) is None


@pytest.mark.parametrize(
    "text",
    [
        "019432E4-7A0B-7C5E-8F00-0123456789AB",
        "019432e47a0b7c5e8f000123456789ab",
        "{019432e4-7a0b-7c5e-8f00-0123456789ab}",
        "urn:uuid:019432e4-7a0b-7c5e-8f00-0123456789ab",
        "019432e4-7a0b-7c5e-8f00-0123456789ab\n",
        " 019432e4-7a0b-7c5e-8f00-0123456789ab",
        "019432e4-7a0b-7c5e-8f00-0123456789a",
        "",
    ],
)
def test_other_ways_to_write_an_id_are_refused(text: str) -> None:
    assert parse_id(text) is None
