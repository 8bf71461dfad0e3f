"""The index: it follows what is published and changed, is made anew, and lets go of what is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio
from sqlalchemy import select

from manor import Transaction
from manor.testing import Client, House, SetClock, open_test_house
from manor_topics import removing
from manor_topics.commands import Reindex, Reindexed
from manor_topics.drafts import Draft
from manor_topics.message_store import COLUMNS
from manor_topics.publishing import Publisher, publish
from manor_topics.search import index
from manor_topics.search.indexing import BATCH, PAUSE_SECONDS, Indexer
from manor_topics.tables import messages, topics
from tests.topic_people import asking_as, make_topic, person, send
from tests.topic_search import PLAN, add, delete_softly, edit, integrity, put, remove, search


async def test_an_edited_message_is_found_by_what_it_says_now(house: House) -> None:
    topic = await add(house, "open")
    await put(house, topic, "alpha beta", "gamma")
    assert await search(house, "beta") == ["alpha beta"]

    await edit(house, "alpha beta", "alpha delta")

    assert await search(house, "beta") == []
    assert await search(house, "delta") == await search(house, "alpha") == ["alpha delta"]
    assert await integrity(house)


async def test_changes_before_and_after_a_message_is_indexed_leave_the_index_as_it_would_be_made(house: House) -> None:
    topic = await add(house, "open")
    indexer = Indexer(house.storage)
    await put(house, topic, "one", "two", "three", "four")
    await edit(house, "two", "zwei")
    await delete_softly(house, "three")
    await indexer.catch_up()
    await put(house, topic, "five", "six")
    await delete_softly(house, "one")
    await edit(house, "five", "fünf")
    await remove(house, "six", "three")
    await indexer.catch_up()

    assert await search(house) == ["fünf", "four", "zwei"]
    assert await integrity(house)


async def test_a_message_that_changes_while_it_is_on_its_way_into_the_index_is_read_again(house: House) -> None:
    topic = await add(house, "open")

    def work(transaction: Transaction) -> list[bool]:
        connection = transaction.connection
        for text in ("one", "two"):
            publish(transaction, topic, Draft(text), Publisher("me"), PLAN)
        batch = index.gather(connection, 500)
        row = connection.execute(select(*COLUMNS).where(messages.c.message == "one")).one()
        removing.delete_softly(transaction, row)
        again = index.gather(connection, 500)
        return [index.add(connection, each) for each in (batch, again, again)]

    assert await house.storage.write(work) == [False, True, False]
    assert await search(house) == ["two"]
    assert await integrity(house)


async def test_an_index_from_other_rules_is_made_anew(tmp_path: Path, clock: SetClock) -> None:
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        await Client(house.dispatcher).post("/welcome", body=b"hello")
        assert await search(house, "hello") == ["hello"]
        await house.storage.write(
            lambda unit: unit.connection.exec_driver_sql("UPDATE topics_search_state SET folding = 'old'").close()
        )
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        answer = await Client(house.dispatcher).get("/api/messages/search?q=hello")
        assert answer.json()["total"] == 1
        assert await integrity(house)


async def test_while_the_index_cannot_be_used_a_search_says_so(
    house: House, client: Client, autojump_clock: Any
) -> None:
    await put(house, await add(house, "open"), "hello")
    assert await search(house, "hello") == ["hello"]
    await house.storage.write(
        lambda unit: unit.connection.exec_driver_sql("UPDATE topics_search_state SET folding = 'old'").close()
    )

    answer = await client.get("/api/messages/search?q=hello")
    reindexed = await house.run_command("topics.reindex", Reindex())

    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert isinstance(reindexed, Reindexed)
    assert (await client.get("/api/messages/search?q=hello")).json()["total"] == 1


async def test_publishing_writes_nothing_into_the_index(house: House) -> None:
    topic = await add(house, "open")

    def work(transaction: Transaction) -> list[object]:
        tables = ("topics_search_data", "topics_search_state", "topics_search_hours", "topics_search_times")

        def rows() -> list[object]:
            return [transaction.connection.exec_driver_sql(f"SELECT * FROM {table}").all() for table in tables]

        before = rows()
        publish(transaction, topic, Draft("hello"), Publisher("me"), PLAN)
        return [before, rows()]

    before, after = await house.storage.write(work)
    assert before == after


async def test_more_than_one_batch_is_indexed(house: House) -> None:
    topic = await add(house, "open")

    def work(transaction: Transaction) -> None:
        for number in range(2 * BATCH + 1):
            publish(transaction, topic, Draft(f"number {number}"), Publisher("me"), PLAN)

    await house.storage.write(work)

    assert await search(house, "number", limit=1, offset=2 * BATCH) == ["number 0"]
    assert await integrity(house)


async def test_what_is_published_is_indexed_without_anybodys_searching(house: House, autojump_clock: Any) -> None:
    await put(house, await add(house, "open"), "hello")

    await trio.sleep(10 * PAUSE_SECONDS)

    assert (await house.storage.read(lambda unit: index.read_state(unit.connection))).position == 1


SECRET = "Rindfleischetikettierungsgesetz"


def held(folder: Path) -> list[str]:
    """The files in which the secret stands, as it was written or as it is indexed.

    The index shortens a term to what sets it apart from the one before; of a word this long that is its end.
    """
    found = []
    for file in sorted((folder / "data").glob("manor.db*")):
        content = file.read_bytes().lower()
        if SECRET.lower().encode() in content or SECRET.lower()[20:].encode() in content:
            found.append(file.name)
    return found


async def test_words_of_the_erased_are_gone_from_the_index(clock: SetClock, tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock, inline=False) as house:
        ann, eve = await person(house, "ann"), await person(house, "eve")
        await make_topic(asking_as(house, eve), "news", access_level="public")
        for number in range(30):
            await send(
                asking_as(house, ann if number % 3 == 0 else eve),
                f"{SECRET} {number}" * (number % 3 == 0) or "x",
                "news",
            )
            if number % 5 == 0:
                await Indexer(house.storage).catch_up()
        assert (await asking_as(house, eve).get(f"/api/messages/search?q={SECRET}")).json()["total"] == 10
        await house.storage.compact()
        assert held(tmp_path) == ["manor.db"]

        personal = house.services.identity.personal
        await house.storage.write(lambda transaction: personal.erase(transaction, ann, actor="shell"))
        while await personal.is_erasing(ann):  # noqa: ASYNC110 - nothing rings when it is over
            await trio.sleep(0.05)

        assert held(tmp_path) == []
        assert (await asking_as(house, eve).get("/api/messages/search?q=x")).json()["total"] == 20
        assert await integrity(house)


async def test_labels_of_a_topic_go_after_its_last_message(house: House) -> None:
    topic = await add(house, "open")
    await put(house, topic, "one", "two")
    await search(house)

    async def labels() -> int:
        def work(transaction: Transaction) -> int:
            index.drop_places(transaction.connection)
            count = "SELECT count(*) FROM topics_search_places"
            return int(transaction.connection.exec_driver_sql(count).scalar_one())

        return await house.storage.write(work)

    await remove(house, "one")
    await house.storage.write(lambda unit: unit.connection.execute(topics.delete()).close())
    assert await labels() == 1
    await remove(house, "two")
    assert await labels() == 0
