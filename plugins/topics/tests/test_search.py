"""Search: what is found, by whom, on which page, and how many there are."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from sqlalchemy import delete, select, update

from manor import Principal, Transaction, Unavailable
from manor.testing import Client, House, SetClock, open_test_house
from manor_topics.domain import Topic
from manor_topics.search import scope
from manor_topics.search.finding import Criteria
from manor_topics.search.words import read_query
from manor_topics.subscribing import subscribe
from manor_topics.subscriptions_tables import subscriptions
from manor_topics.tables import topics
from tests.topic_people import asking_as, person
from tests.topic_search import (
    ANN,
    HERS,
    HIS,
    NOON,
    add,
    change,
    delete_softly,
    put,
    remove,
    search,
    searching,
    texts_of,
)

# --- What is found -------------------------------------------------------------------------------------------------


async def test_a_search_sees_what_was_acknowledged_before_it(house: House, client: Client) -> None:
    await client.post("/welcome", body=b"The backup is done")

    answer = (await client.get("/api/messages/search?q=BACK")).json()

    assert [message["message"] for message in answer["messages"]] == ["The backup is done"]
    assert {name: answer[name] for name in answer if name != "messages"} == {
        "total": 1,
        "limit": 50,
        "offset": 0,
        "query": "BACK",
        "filters": dict.fromkeys(("topic", "priority_min", "priority_max", "date_from", "date_to", "tags")),
    }


async def test_filters_are_told_as_they_were_understood(client: Client) -> None:
    query = "topic=welcome&tags=a,b&tags=c&priority_min=1&priority_max=2&date_from=2030-01-01T01:00:00%2B01:00"

    answer = (await client.get(f"/api/messages/search?{query}&date_to=2030-01-03")).json()

    assert answer["filters"] == {
        "topic": "welcome",
        "priority_min": 1,
        "priority_max": 2,
        "date_from": "2030-01-01T00:00:00Z",
        "date_to": "2030-01-03T00:00:00Z",
        "tags": ["a", "b", "c"],
    }
    assert answer["query"] is None


async def test_a_topics_messages_are_searched(client: Client) -> None:
    for text in (b"one", b"two", b"twofold"):
        await client.post("/welcome", body=text)

    answer = (await client.get("/api/topics/welcome/messages?q=two&limit=1&offset=1")).json()

    assert [message["message"] for message in answer.pop("messages")] == ["two"]
    assert answer == {"total": 2, "limit": 1, "offset": 1, "query": "two", "topic": "welcome"}


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        (Criteria(), "dcba"),
        (Criteria(priority_max=2), "ba"),
        (Criteria(priority_min=2, priority_max=3), "cb"),
        (Criteria(priority_min=3, priority_max=2), ""),
        (Criteria(tags=["x"]), "ca"),
        (Criteria(tags=["x", "y, z"]), "cba"),
        (Criteria(tags=["X"]), ""),
        (Criteria(read_query("."), tags=["x"]), ""),
        (Criteria(date_from=NOON + timedelta(minutes=1)), "dcb"),
        (Criteria(date_to=NOON + timedelta(minutes=1)), "ba"),
        (Criteria(date_from=NOON + timedelta(seconds=1), date_to=NOON + timedelta(hours=1)), "cb"),
        (Criteria(date_from=NOON + timedelta(minutes=2), date_to=NOON + timedelta(minutes=3)), ""),
        (Criteria(date_from=NOON + timedelta(hours=2), date_to=NOON + timedelta(minutes=3)), ""),
        (Criteria(date_from=datetime.min.replace(tzinfo=UTC), date_to=datetime.max.replace(tzinfo=UTC)), "dcba"),
    ],
)
async def test_filters(house: House, clock: SetClock, criteria: Criteria, found: str) -> None:
    topic = await add(house, "open")
    await put(house, topic, "a", priority=1, tags=["x"])
    clock.set(NOON + timedelta(minutes=1))
    await put(house, topic, "b", priority=2, tags=["y, z"])
    clock.set(NOON + timedelta(hours=1))
    await put(house, topic, "c", priority=3, tags=["x", "w"])
    clock.set(NOON + timedelta(hours=3))
    await put(house, topic, "d", priority=4)

    page = await searching(house).everywhere(None, (), criteria, limit=50, offset=0)

    assert ("".join(texts_of(page)), page.total) == (found, len(found))


async def test_dates_count_though_the_clock_was_set_back(house: House, clock: SetClock) -> None:
    topic = await add(house, "open")
    for hours in (0, 5, 1, 6, -3):
        clock.set(NOON + timedelta(hours=hours, minutes=30))
        await put(house, topic, str(hours))

    async def between(low: float, high: float) -> list[str]:
        dates = Criteria(date_from=NOON + timedelta(hours=low), date_to=NOON + timedelta(hours=high))
        page = await searching(house).everywhere(None, (), dates, limit=50, offset=0)
        assert page.total == len(page.messages)
        return texts_of(page)

    assert await between(0, 2) == ["1", "0"]
    assert await between(5.5, 6.4) == ["5"]
    assert await between(-3, 0.4) == ["-3"]


async def test_every_page_has_its_share_up_to_the_last(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("counting", "finding", "index"):
        monkeypatch.setattr(f"manor_topics.search.{module}.BLOCK", 4)
    topic = await add(house, "open")
    everything = [f"{number} {'even' if number % 2 == 0 else 'odd'}" for number in range(30)]
    await put(house, topic, *everything)
    expected = [text for text in reversed(everything) if "even" in text]
    on_service = searching(house)

    for _ in range(2):  # counted, and remembered
        for limit in (1, 4, 7, 50):
            pages = [
                await on_service.everywhere(None, (), Criteria(read_query("even")), limit=limit, offset=offset)
                for offset in range(0, 20, limit)
            ]
            assert [text for page in pages for text in texts_of(page)] == expected
            assert {page.total for page in pages} == {15}
        await remove(house, "6 even")
        await delete_softly(house, expected[0])
        everything = [text for text in everything if text not in ("6 even", expected[0])]
        expected = [text for text in reversed(everything) if "even" in text]
        page = await on_service.everywhere(None, (), Criteria(read_query("even")), limit=50, offset=0)
        assert (texts_of(page), page.total) == (expected, 13)
        await put(house, topic, "6 even", "30 even")
        everything += ["6 even", "30 even"]
        expected = [text for text in reversed(everything) if "even" in text]
        if "28 even" in expected:  # only once
            break


async def test_what_has_expired_is_not_found_and_not_counted(house: House, clock: SetClock) -> None:
    topic = await add(house, "open")
    await put(house, topic, "a one", "a two", "a three")
    await change(house, "a two", expires_at=NOON + timedelta(hours=1))
    assert await search(house, "a") == ["a three", "a two", "a one"]
    clock.set(NOON + timedelta(hours=1))

    page = await searching(house).everywhere(None, (), Criteria(read_query("a")), limit=1, offset=1)

    assert (texts_of(page), page.total) == (["a one"], 2)


# --- Scope ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[200, 0], ids=["named in the index", "looked up"])
def most_named(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(scope, "MOST_NAMED", request.param)
    return int(request.param)


async def test_people_search_their_own_topics_and_strangers_public_ones(house: House, most_named: int) -> None:
    mine = await add(house, "mine", owner=ANN, access="private")
    hers = await add(house, "hers", owner=ANN)
    open_ = await add(house, "open")
    await put(house, mine, "a mine")
    await put(house, hers, "a hers")
    await put(house, open_, "a open")

    assert await search(house, "a") == ["a open", "a hers"]
    assert await search(house, "a", HERS) == ["a hers", "a mine"]
    assert await search(house, "a", HIS) == []
    assert await search(house, "a", HIS, topic="open") == ["a open"]
    assert await search(house, "a", HIS, topic="mine") == await search(house, "a", topic="mine") == []
    assert await search(house, "a", HERS, topic=str(mine.id)) == ["a mine"]
    assert await search(house, "a", HERS, topic="nope") == []
    token = Principal("topic_token", scopes=frozenset({"read"}), resource=mine.id)
    assert await search(house, "a", token) == ["a mine"]


async def test_rights_count_as_they_are_and_not_as_they_were(house: House, most_named: int) -> None:
    first, second = await add(house, "first"), await add(house, "second", owner=ANN, access="private")
    await put(house, first, "a first")
    await put(house, second, "a second")
    assert await search(house, "a") == ["a first"]

    async def set_topic(topic: Topic, **values: object) -> None:
        await house.storage.write(
            lambda unit: unit.connection.execute(update(topics).where(topics.c.id == topic.id).values(values)).close()
        )

    await set_topic(first, access_level="private", owner_id=ANN)
    await set_topic(second, access_level="public", owner_id=HIS.user_id)

    assert await search(house, "a") == ["a second"]
    assert await search(house, "a", HERS) == ["a first"]
    assert await search(house, "a", HIS) == ["a second"]
    await put(house, first, "a third")
    assert await search(house, "a") == ["a second"]
    await house.storage.write(
        lambda unit: unit.connection.execute(delete(topics).where(topics.c.id == second.id)).close()
    )
    page = await searching(house).everywhere(None, (), Criteria(), limit=50, offset=0)
    assert (page.messages, page.total) == ([], 0)


# --- Deleted messages ----------------------------------------------------------------------------------------------


async def test_who_manages_a_topic_sees_deleted_messages_in_their_places(house: House) -> None:
    topic = await add(house, "hers", owner=ANN)
    everything = [f"{number} {'even' if number % 2 == 0 else 'odd'}" for number in range(9)]
    await put(house, topic, *everything)
    for text in ("0 even", "4 even", "5 odd", "8 even"):
        await delete_softly(house, text)

    async def found(who: Principal, query: str, limit: int, offset: int) -> tuple[list[str], int]:
        _, page = await searching(house).in_topic(
            "hers",
            [who],
            Criteria(read_query(query) if query else None),
            limit=limit,
            offset=offset,
            include_deleted=True,
        )
        return texts_of(page), page.total

    assert await found(HIS, "", 50, 0) == (["7 odd", "6 even", "3 odd", "2 even", "1 odd"], 5)
    for limit in range(1, 11):
        for query, expected in (("", everything[::-1]), ("even", everything[::-2])):
            pages = [await found(HERS, query, limit, offset) for offset in range(0, 12, limit)]
            assert [text for page, _ in pages for text in page] == expected
            assert {total for _, total in pages} == {len(expected)}


# --- Subscriptions -------------------------------------------------------------------------------------------------


async def test_the_first_page_is_a_view_of_the_topic_and_a_search_has_what_one_subscribed_to(house: House) -> None:
    eve = await person(house, "eve")
    topic = await add(house, "open")
    await put(house, topic, "one", "two")
    assert (await asking_as(house, eve).get("/api/messages/search")).json()["total"] == 0
    await house.storage.write(lambda unit: subscribe(unit, eve, topic, 10))
    await put(house, topic, "three")

    async def viewed() -> int:
        statement = select(subscriptions.c.viewed_sequence).where(subscriptions.c.user_id == eve)
        return await house.storage.read(lambda unit: int(unit.connection.execute(statement).scalar_one()))

    assert (await asking_as(house, eve).get("/api/messages/search")).json()["total"] == 3
    before = await viewed()
    await asking_as(house, eve).get("/api/topics/open/messages?offset=1")
    assert await viewed() == before
    await asking_as(house, eve).get("/api/topics/open/messages?limit=1")
    assert await viewed() == 3 > before


# --- Searches that nobody waits for --------------------------------------------------------------------------------


class Asked(tuple[str, ...]):
    """Tags that say when they are looked at, which is on the thread that reads."""

    looked_at: threading.Event

    def __iter__(self) -> Iterator[str]:
        self.looked_at.set()
        return super().__iter__()


@pytest.fixture
async def slow_house(tmp_path: Path) -> AsyncIterator[House]:
    """A house whose searches with a date run for a minute, on threads."""
    hours = "WITH RECURSIVE n (hour) AS (SELECT 1 UNION ALL SELECT hour + 1 FROM n LIMIT 100000000) SELECT hour"

    def take_long(transaction: Transaction) -> None:
        transaction.connection.exec_driver_sql("DROP TABLE topics_search_times")
        transaction.connection.exec_driver_sql(f"CREATE VIEW topics_search_times AS {hours}, 1 AS first FROM n")

    async with open_test_house(tmp_path, plugins=["topics"], inline=False) as house:
        # Its index is made now, and nothing is published that would change it.
        assert (await searching(house).everywhere(None, (), Criteria(), limit=50, offset=0)).total == 0
        await house.storage.write(take_long)
        yield house


async def test_a_search_that_is_cancelled_leaves_its_reader_at_once(slow_house: House) -> None:
    tags, finds, ended = Asked(("night",)), searching(slow_house), False
    tags.looked_at = threading.Event()

    async def look() -> None:
        nonlocal ended
        await finds.everywhere(None, (), Criteria(tags=tags, date_from=NOON), limit=50, offset=0)
        ended = True

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        await trio.to_thread.run_sync(tags.looked_at.wait, 30)
        nursery.cancel_scope.cancel()
    assert not ended
    assert (await finds.everywhere(None, (), Criteria(tags=("night",)), limit=50, offset=0)).total == 0


async def test_a_search_that_takes_too_long_is_refused_as_what_it_is(slow_house: House) -> None:
    with pytest.raises(Unavailable, match="takes too long"):
        await searching(slow_house, patience=0.1).everywhere(None, (), Criteria(date_from=NOON), limit=50, offset=0)
