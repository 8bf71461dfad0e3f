"""The newest messages of all topics that somebody is subscribed to."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from manor.testing import Client, House, SetClock
from tests.topic_people import asking_as, make_topic, person, send

PATH = "/api/messages/recent"


async def recent(client: Client, query: str = "") -> list[str]:
    """What whoever asks is told, newest first."""
    answer = await client.get(f"{PATH}?{query}")
    assert answer.status == 200, answer.text
    return [message["message"] for message in answer.json()]


@pytest.fixture
async def ann(house: House) -> Client:
    """Who has the public topics `news` and `work`."""
    client = asking_as(house, await person(house, "ann"))
    for name in ("news", "work"):
        await make_topic(client, name, access_level="public")
    return client


@pytest.fixture
async def bob(house: House, ann: Client) -> Client:
    """Who is subscribed to both, and has a topic that he is not subscribed to any more."""
    client = asking_as(house, await person(house, "bob"))
    for name in ("news", "work"):
        assert (await client.post("/api/subscriptions", json={"topic_name": name})).status == 201
    await make_topic(client, "own")
    await client.delete("/api/subscriptions/by-topic/own")
    return client


async def test_messages_of_all_topics_come_newest_first(ann: Client, bob: Client) -> None:
    for text, topic in (("one", "news"), ("two", "work"), ("three", "news")):
        await send(ann, text, topic)
    await send(bob, "unsubscribed", "own")
    await send(ann, "of others", "welcome")

    assert await recent(bob) == ["three", "two", "one"]
    assert await recent(bob, "limit=2") == ["three", "two"]
    assert await recent(bob, "topic=work") == ["two"]
    assert await recent(bob, "topic=") == ["three", "two", "one"]


async def test_a_message_is_whole(ann: Client, bob: Client) -> None:
    sent = await send(ann, "one", "news")

    (message,) = (await bob.get(PATH)).json()

    assert message == sent | {"is_deleted": False, "is_edited": False}
    assert message["topic"] == "news"


@pytest.mark.parametrize("topic", ["own", "welcome", "missing", "Not%20a%20name", "%00", "%22"])
async def test_a_topic_that_one_is_not_subscribed_to_has_none(ann: Client, bob: Client, topic: str) -> None:
    await send(bob, "x", "own")
    await send(ann, "x", "welcome")

    assert await recent(bob, f"topic={topic}") == []


async def test_a_topic_may_be_named_by_its_id(ann: Client, bob: Client) -> None:
    sent = await send(ann, "one", "news")
    await send(ann, "two", "work")

    assert await recent(bob, f"topic={sent['topic_id']}") == ["one"]


async def test_deleted_and_expired_messages_are_left_out(ann: Client, bob: Client, clock: SetClock) -> None:
    await send(ann, "expired", "news")
    clock.set(clock.now() + timedelta(days=15))
    gone = await send(ann, "deleted", "news")
    await send(ann, "kept", "news")
    await ann.delete(f"/api/news/messages/{gone['id']}")
    clock.set(clock.now() + timedelta(days=15))

    assert await recent(bob) == ["kept"]


async def test_whoever_has_no_subscriptions_has_none(house: House, ann: Client) -> None:
    await send(ann, "x", "news")

    assert await recent(asking_as(house, await person(house, "eve"))) == []


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=1e2"])
async def test_a_limit_that_is_none_is_refused(bob: Client, query: str) -> None:
    answer = await bob.get(f"{PATH}?{query}")

    assert answer.status == 422
    assert isinstance(answer.json()["detail"], str)


@pytest.mark.parametrize("shape", ["even", "one loud", "old and quiet"])
async def test_nothing_newer_is_missed_however_messages_are_spread(house: House, ann: Client, shape: str) -> None:
    chance = random.Random(shape)
    names = [f"topic-{number}" for number in range(6)]
    for name in names:
        await make_topic(ann, name, access_level="public")
    sent: list[dict[str, Any]] = []
    for number in range(60):
        match shape:
            case "even":
                name = names[number % 6]
            case "one loud":
                name = chance.choice(names) if number % 10 == 0 else names[0]
            case _:
                name = chance.choice(names[:3] if number < 40 else names[3:4])
        sent.append(await send(ann, str(number), name))
    for message in chance.sample(sent, 15):
        await ann.delete(f"/api/{message['topic']}/messages/{message['id']}")
        sent.remove(message)

    newest_first = [message["message"] for message in reversed(sent)]
    for limit in (1, 3, 5, 6, 7, 20, 100):
        assert await recent(ann, f"limit={limit}") == newest_first[:limit]
