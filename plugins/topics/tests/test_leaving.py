"""What people are given of what they have here, and that nothing of it is left when they go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio
import trio.lowlevel
from sqlalchemy import func, select

from manor import Principal, Transaction, add_member, create_team
from manor.testing import Client, House, SetClock, open_test_house
from manor_topics import leaving, store
from manor_topics.drafts import Draft
from manor_topics.payers import Plan
from manor_topics.publishing import Publisher, publish
from manor_topics.removing import BATCH
from manor_topics.tables import messages
from tests.topic_people import asking_as, make_topic, person, send, texts

WORDS = (b"marzipan", b"nougat", b"praline", b"fondant", b"toffee")
"""Each stands in something of Ann's."""


async def exported(house: House, user_id: UUID) -> dict[str, Any]:
    """A person's export, read as a client reads it."""
    pieces = house.services.identity.personal.export_json(user_id, head={}, always=("topics", "messages"))
    whole: dict[str, Any] = json.loads(b"".join([piece async for piece in pieces]))
    return whole


async def erased(house: House, user_id: UUID) -> None:
    """Erase somebody, and wait until the job says that it is done."""
    personal = house.services.identity.personal
    await house.storage.write(lambda transaction: personal.erase(transaction, user_id, actor="shell"))
    while await personal.is_erasing(user_id):  # noqa: ASYNC110 - nothing rings when it is over
        await trio.sleep(0.1)


def held(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Words that stand in one of the database's files."""
    for file in sorted((folder / "data").glob("manor.db*")):
        content = file.read_bytes().lower()
        yield from ((file.name, word) for word in WORDS if word in content)


# --- Export --------------------------------------------------------------------------------------------------------


async def test_an_export_has_topics_messages_and_tokens(house: House) -> None:
    ann, eve = await person(house, "ann"), await person(house, "eve")
    mine = await make_topic(asking_as(house, ann), "alarms", access_level="public")
    await make_topic(asking_as(house, eve), "news", access_level="public")
    own = await send(asking_as(house, ann), "mine")
    elsewhere = await send(asking_as(house, ann), "of mine", "news")
    others = await send(asking_as(house, eve), "hers, in my topic")
    nobodys = await send(Client(house.dispatcher), "nobody's, in my topic")
    await send(asking_as(house, eve), "hers alone", "news")
    gone = await send(asking_as(house, ann), "deleted")
    await asking_as(house, ann).delete(f"/api/alarms/messages/{gone['id']}")
    path = "/api/topics/alarms/access-tokens"
    token = (await asking_as(house, ann).post(path, json={"name": "CI", "permissions": ["read"]})).json()

    data = await exported(house, ann)

    assert [(topic["id"], topic["name"], topic["message_count"]) for topic in data["topics"]] == [
        (mine["id"], "alarms", 3)
    ]
    assert {(message["id"], message["topic"], message["is_deleted"]) for message in data["messages"]} == {
        (own["id"], "alarms", False),
        (elsewhere["id"], "news", False),
        (others["id"], "alarms", False),
        (nobodys["id"], "alarms", False),
        (gone["id"], "alarms", True),
    }
    assert len(data["messages"]) == 5
    (exported_token,) = data["topic_access_tokens"]
    assert (exported_token["id"], exported_token["topic_id"], exported_token["permissions"]) == (
        token["id"],
        mine["id"],
        ["read"],
    )
    assert token["token"] not in json.dumps(data)


async def test_who_has_nothing_is_given_empty_lists(house: House) -> None:
    data = await exported(house, await person(house, "ann"))

    assert (data["topics"], data["messages"], data["topic_access_tokens"]) == ([], [], [])


async def test_a_long_export_is_read_as_it_goes_out(house: House) -> None:
    ann = await person(house, "ann")
    await make_topic(asking_as(house, ann))
    await fill(house, ann, "alarms", 3 * BATCH)

    sizes = [len(piece) async for piece in house.services.identity.personal.export_json(ann, head={})]

    assert len(sizes) > 3 * BATCH
    assert max(sizes) < 10_000


async def fill(house: House, user_id: UUID, name: str, number: int, text: str = "x") -> None:
    """Publish so many at once."""

    def work(transaction: Transaction) -> None:
        topic = store.find_topic(transaction.connection, name)
        assert topic is not None
        publisher = Publisher(f"access:{user_id}", Principal("access", user_id=user_id))
        for each in range(number):
            publish(transaction, topic, Draft(f"{text} {each}"), publisher, Plan(topic.owner_id, 0, None))

    await house.storage.write(work)


# --- Erasure -------------------------------------------------------------------------------------------------------


async def test_nothing_of_somebody_is_left_in_the_files(clock: SetClock, tmp_path: Path) -> None:
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock, inline=False) as house:
        ann, eve = await person(house, "ann"), await person(house, "eve")
        hers = asking_as(house, ann)
        topic = await make_topic(hers, "marzipan-alarms", access_level="public", description="All about nougat")
        await make_topic(asking_as(house, eve), "news", access_level="public")
        await send(asking_as(house, eve), "praline, said by Eve where Ann rules", "marzipan-alarms")
        await fill(house, ann, "marzipan-alarms", 2 * BATCH + 3, "toffee")
        await fill(house, ann, "news", BATCH + 3, "fondant")
        own = await hers.post("/news", body=b"fondant", headers={"Idempotency-Key": "k"})
        by_password = Client(house.dispatcher, principals=(Principal("basic", user_id=ann, scopes=frozenset({"*"})),))
        for published_by in (hers, by_password):
            # To a topic that stays, so that the key goes with the person.
            answer = await published_by.post("/news", body=b"fondant", headers={"Idempotency-Key": "again"})
            assert answer.status == 200
        edited = f"/api/news/messages/{own.json()['id']}"
        assert (await asking_as(house, eve).patch(edited, json={"message": "fondant, edited"})).status == 200
        kept = await send(asking_as(house, eve), "hers", "news")
        path = f"/api/topics/{topic['id']}/access-tokens"
        await hers.post(path, json={"name": "marzipan token", "permissions": ["read"]})
        assert {word for _, word in held(tmp_path)} == set(WORDS)

        await erased(house, ann)

        assert list(held(tmp_path)) == []
        assert await texts(asking_as(house, eve), "news") == ["hers"]
        shown = (await asking_as(house, eve).get("/api/topics/news")).json()
        assert (shown["message_count"], shown["last_message_at"]) == (1, kept["timestamp"])
        for table in await tables(house):
            assert await mentions(house, table, ann) == [], table


async def tables(house: House) -> list[str]:
    """The plugin's tables, but for those that can only be searched."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'topics_%' AND sql NOT LIKE '%VIRTUAL%'"
    return await house.storage.read(lambda transaction: list(transaction.connection.exec_driver_sql(query).scalars()))


async def mentions(house: House, table: str, user_id: UUID) -> list[Any]:
    """Rows in which somebody's id stands, as bytes or in words."""

    def work(transaction: Transaction) -> list[Any]:
        rows = transaction.connection.exec_driver_sql(f'SELECT * FROM "{table}"').all()
        return [row for row in rows if any(value == user_id.bytes or str(user_id) in str(value) for value in row)]

    return await house.storage.read(work)


async def test_an_erasure_does_by_itself_what_jobs_would_do_later(house: House) -> None:
    ann, eve = await person(house, "ann"), await person(house, "eve")
    await make_topic(asking_as(house, ann), "alarms", access_level="public")
    await fill(house, eve, "alarms", BATCH + 5)

    def work(transaction: Transaction) -> list[int]:
        gone = list(iter(lambda: leaving.erase(transaction, ann, BATCH, ()), 0))
        count = select(func.count()).select_from(messages)
        return [*gone, transaction.connection.execute(count).scalar_one()]

    # The topic and its messages, in batches; then none is left.
    assert await house.storage.write(work) == [BATCH, 7, 0]


async def test_a_topic_that_was_just_deleted_goes_with_its_owner(house: House, autojump_clock: Any) -> None:
    ann, eve = await person(house, "ann"), await person(house, "eve")
    made = await make_topic(asking_as(house, ann), "alarms", access_level="public")
    await fill(house, eve, "alarms", 2 * BATCH)

    await asking_as(house, ann).delete(f"/api/topics/{made['id']}")
    await erased(house, ann)

    count = select(func.count()).select_from(messages)
    assert await house.storage.read(lambda transaction: transaction.connection.execute(count).scalar_one()) == 0


@pytest.mark.parametrize("has_heir", [True, False])
async def test_a_teams_topics_stay_with_the_team(house: House, has_heir: bool, autojump_clock: Any) -> None:
    ann, eve = await person(house, "ann"), await person(house, "eve")

    def work(transaction: Transaction) -> UUID:
        team = create_team(transaction, ann, name="crew", display_name="Crew")
        add_member(transaction, team.id, eve, "admin" if has_heir else "member")
        return team.id

    team_id = await house.storage.write(work)
    await make_topic(asking_as(house, ann), "crew-alarms", team_id=str(team_id))
    await send(asking_as(house, ann), "Ann's", "crew-alarms")
    await send(asking_as(house, eve), "Eve's", "crew-alarms")

    await erased(house, ann)

    found = await asking_as(house, eve, is_admin=True).get("/api/topics/crew-alarms")
    if has_heir:
        assert (found.status, found.json()["owner_id"]) == (200, str(eve))
        assert await texts(asking_as(house, eve), "crew-alarms") == ["Eve's"]
    else:
        assert found.status == 404


async def test_nobody_who_publishes_waits_for_an_erasure(house: House, autojump_clock: Any) -> None:
    ann = await person(house, "ann")
    await make_topic(asking_as(house, ann))
    await fill(house, ann, "alarms", 2000)
    left: list[int] = []
    count = select(func.count()).select_from(messages)
    personal = house.services.identity.personal
    await house.storage.write(lambda transaction: personal.erase(transaction, ann, actor="shell"))

    while await personal.is_erasing(ann):
        await send(Client(house.dispatcher), "x", "welcome")
        left.append(await house.storage.read(lambda transaction: transaction.connection.execute(count).scalar_one()))
        await trio.lowlevel.checkpoint()

    # Some messages were published after the first of Ann's had gone, and before the last.
    assert any(len(left) < number < 2000 for number in left)
