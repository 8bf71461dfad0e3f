"""The bits of frequent terms: the same counts as the index's, and none of a message that changed or went."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import product

import pytest
import trio

from manor import Transaction
from manor.testing import House
from manor_topics.search import bitmaps, counting
from manor_topics.search.asking import But, Either, Every, Term
from manor_topics.search.finding import Criteria
from manor_topics.search.index import read_state
from manor_topics.search.indexing import Indexer
from manor_topics.search.settling import REST_SECONDS, Settling
from manor_topics.search.words import read_query
from tests.topic_search import ANN, HERS, NOON, add, change, edit, put, remove, searching, texts_of

BLOCK = 16
WORDS = ("alpha", "beta", "gamma", "delta")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of sixteen positions, of which a term in four is frequent."""
    for module in ("counting", "finding", "index", "bitmaps"):
        monkeypatch.setattr(f"manor_topics.search.{module}.BLOCK", BLOCK)
    monkeypatch.setattr(bitmaps, "FREQUENT", 4)
    monkeypatch.setattr(bitmaps, "SAMPLE", BLOCK)


async def kept(house: House) -> dict[int, list[str]]:
    """The terms whose bits there are, by block."""

    def work(transaction: Transaction) -> dict[int, list[str]]:
        rows = transaction.connection.exec_driver_sql("SELECT block, term FROM topics_search_bits ORDER BY 1, 2")
        found: dict[int, list[str]] = {}
        for block, term in rows:
            found.setdefault(block, []).append(term)
        return found

    return await house.storage.read(work)


async def filled(house: House) -> None:
    """Fifty messages of two topics, indexed and settled: three full blocks and a bit."""
    chance = random.Random(7)
    open_, hers = await add(house, "open"), await add(house, "hers", owner=ANN)
    for number in range(50):
        text = " ".join(chance.sample(WORDS, chance.randint(1, 3))) + f" n{number}"
        topic, tags = chance.choice((open_, hers)), chance.sample(("red", "blue"), chance.randint(0, 2))
        await put(house, topic, text, priority=chance.randint(1, 5), tags=tags)
    indexer = Indexer(house.storage)
    await indexer.catch_up()
    await indexer.settle()


async def test_every_count_is_the_same_with_bits_and_without(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await filled(house)
    assert sorted(await kept(house)) == [0, 1, 2]
    used: list[int | None] = []
    places = counting.Known.places

    def noting(known: counting.Known, low: int, high: int) -> int | None:
        used.append(places(known, low, high))
        return used[-1]

    monkeypatch.setattr(counting.Known, "places", noting)
    span = (None, NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    queries = (None, *WORDS, "al", "alpha beta", "alpha n3", "nowhere")
    asked = [
        Criteria(read_query(query) if query else None, tags, low, high, start)
        for query, tags, (low, high), start in product(
            queries, ((), ("red",), ("red", "blue")), ((None, None), (1, 2), (3, None)), span
        )
    ]

    async def found() -> list[tuple[int, list[str]]]:
        pages = [
            await searching(house).everywhere(topic, who, each, limit=3, offset=offset)
            for each in asked
            for topic, who, offset in ((None, (), 0), (None, (HERS,), 5), ("open", (), 17))
        ]
        return [(page.total, texts_of(page)) for page in pages]

    with_bits = await found()
    assert sum(each is not None for each in used) > 300
    await house.storage.write(lambda unit: unit.connection.exec_driver_sql("DELETE FROM topics_search_bits").close())
    assert await found() == with_bits


async def test_a_block_whose_message_changes_has_no_bits_until_it_is_at_rest(
    house: House, autojump_clock: object
) -> None:
    await filled(house)
    settling = Settling(house.storage)
    everything = sorted(await kept(house))
    (found,) = (await searching(house).everywhere(None, (), Criteria(read_query("n20")), limit=1, offset=0)).messages

    await edit(house, found.message, "something else")
    assert sorted(await kept(house)) == [0, 2]
    await settling.settle()
    assert sorted(await kept(house)) == [0, 2]
    await trio.sleep(REST_SECONDS)
    await settling.settle()

    assert sorted(await kept(house)) == everything
    page = await searching(house).everywhere(None, (), Criteria(read_query("something")), limit=1, offset=0)
    assert page.total == 1


async def test_what_has_expired_is_neither_counted_nor_read_from_the_bits(house: House) -> None:
    await filled(house)
    alpha = Criteria(read_query("alpha"))
    before = await searching(house).everywhere(None, (), alpha, limit=50, offset=0)
    oldest = texts_of(before)[-1]

    await change(house, oldest, expires_at=NOON - timedelta(seconds=1))

    assert 0 in await kept(house)
    after = await searching(house).everywhere(None, (), alpha, limit=50, offset=0)
    assert (after.total, texts_of(after)) == (before.total - 1, texts_of(before)[:-1])


async def test_nothing_is_kept_of_a_word_whose_messages_were_removed(house: House) -> None:
    topic = await add(house, "open")
    texts = [f"secret {number}" for number in range(BLOCK)]
    await put(house, topic, *texts)
    indexer = Indexer(house.storage)
    await indexer.catch_up()
    await indexer.settle()
    assert "wsecret" in (await kept(house))[0]

    await remove(house, *texts)

    assert await kept(house) == {}


async def test_bits_that_were_read_before_a_change_are_not_kept(house: House) -> None:
    await filled(house)
    await house.storage.write(lambda unit: unit.connection.exec_driver_sql("DELETE FROM topics_search_bits").close())

    def work(transaction: Transaction) -> list[bool]:
        connection = transaction.connection
        bits = [("x", bitmaps.packed([0, 15]))]
        epoch = read_state(connection).epoch
        return [
            bitmaps.keep(connection, 0, changes=1, epoch=epoch, bits=bits),
            bitmaps.keep(connection, 0, changes=0, epoch=epoch + 1, bits=bits),
            bitmaps.keep(connection, 0, changes=0, epoch=epoch, bits=bits),
            bitmaps.keep(connection, 0, changes=0, epoch=epoch, bits=bits),
        ]

    assert await house.storage.write(work) == [False, False, True, False]
    assert await kept(house) == {0: ["x"]}


def test_places_are_taken_between_two_of_them() -> None:
    bits = int.from_bytes(bitmaps.packed([0, 3, 4, 15]), "little")
    ends = ((0, 15), (1, 15), (3, 4), (5, 14), (15, 15))

    assert [bitmaps.between(bits, *each).bit_count() for each in ends] == [4, 3, 2, 0, 1]


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_the_highest_places_come_first_after_as_many_others(limit: int) -> None:
    there = [0, 1, 5, 6, 9, 14]
    bits = sum(1 << place for place in there)

    for offset in range(8):
        assert bitmaps.highest(bits, limit, offset) == there[::-1][offset : offset + limit]


def test_what_is_asked_is_written_as_the_index_reads_it_and_evaluated_as_it_would() -> None:
    known = {"a": 0b0011, "b": 0b0110, "c": 0b0100}
    a, b, c = map(Term, "abc")
    asked = Every((But(Either((a, b)), c), Either((b, c))))

    assert str(asked) == '(("a" OR "b") NOT "c") AND ("b" OR "c")'
    assert asked.places(known.get) == 0b0010
    assert str(Every((a, Term("d", is_beginning=True)))) == '"a" AND "d" *'
    for unknown in (Term("d"), Every((a, Term("d"))), Either((a, Term("d"))), But(a, Term("d")), Term("a", True)):
        assert unknown.places(known.get) is None
