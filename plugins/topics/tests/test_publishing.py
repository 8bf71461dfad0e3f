"""Publishing: one unit for the message, its topic's counters and its key; and who may make a topic by publishing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import trio

from manor import SYSTEM_ID, Event, NotFound, Principal, Transaction
from manor.house import House
from manor.testing import Answer, Client, SetClock
from manor_topics import store
from manor_topics.creating import new_topic
from manor_topics.domain import Topic
from manor_topics.drafts import Draft
from manor_topics.events import MessagePublished, TopicCreated
from manor_topics.payers import Plan
from manor_topics.publishing import Publisher, publish
from manor_topics.tables import publish_keys

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
PLAN = Plan(SYSTEM_ID, 0, timedelta(days=30))
ANN = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


BOB = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
AUTHENTICATED = pytest.mark.manor(config={"plugins": {"topics": {"auto_create": "authenticated"}}})


def as_(house: House, user_id: UUID) -> Client:
    """A client that is signed in as that person."""
    principal = Principal("access", user_id=user_id, scopes=frozenset({"*"}))
    return Client(house.dispatcher, principals=(principal,))


async def welcome(house: House) -> Topic:
    topic = await house.storage.read(lambda transaction: store.find_topic(transaction.connection, "welcome"))
    assert topic is not None
    return topic


async def put(house: House, topic: Topic, text: str = "x", key: str | None = None) -> MessagePublished:
    publisher = Publisher("address:127.0.0.1", key=key)
    return await house.storage.write(lambda transaction: publish(transaction, topic, Draft(text), publisher, PLAN))


async def history(client: Client, topic: str = "welcome") -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = (await client.get(f"/{topic}/json?since=all")).json()["messages"]
    return messages


async def test_everyone_is_told_what_was_published(client: Client, heard: list[Event]) -> None:
    answer = await client.post("/welcome", body=b"x", headers={"X-Tags": "a,b"})

    (told,) = heard
    assert isinstance(told, MessagePublished)
    assert told.encoded == answer.body
    assert (told.sequence, told.message, told.tags) == (1, "x", ["a", "b"])


async def test_a_refused_draft_leaves_no_trace(client: Client, heard: list[Event]) -> None:
    assert (await client.post("/welcome", body=b"x", headers={"X-Priority": "9"})).status == 422

    assert heard == []
    assert (await client.get("/api/topics/welcome")).json()["message_count"] == 0


async def test_a_compressed_body_is_not_stored_as_text(client: Client) -> None:
    refused = await client.post("/welcome", body=b"x", headers={"Content-Encoding": "gzip"})
    taken = await client.post("/welcome", body=b"x", headers={"Content-Encoding": "Identity"})

    assert (refused.status, refused.headers["Accept-Encoding"]) == (415, "identity")
    assert refused.json()["detail"] == "A message is sent as it is, without a Content-Encoding such as 'gzip'"
    assert taken.status == 200


async def test_a_unit_that_fails_takes_its_sequence_back(house: House, client: Client) -> None:
    topic = await welcome(house)

    def fail(transaction: Transaction) -> None:
        publish(transaction, topic, Draft("never"), Publisher("me"), PLAN)
        raise ZeroDivisionError

    await put(house, topic, "one")
    with pytest.raises(ZeroDivisionError):
        await house.storage.write(fail)
    await put(house, topic, "two")

    assert [(message["message"], message["sequence"]) for message in await history(client)] == [("one", 1), ("two", 2)]


async def test_positions_are_the_servers_and_sequences_the_topics(house: House) -> None:
    topic, other = await welcome(house), new_topic("other", owner_id=SYSTEM_ID, access_level="public", now=NOON)
    await house.storage.write(lambda transaction: store.add_topic(transaction.connection, other))

    published = [await put(house, which) for which in (topic, other, topic, other)]

    assert [message.sequence for message in published] == [1, 1, 2, 2]
    positions = [message.position for message in published]
    assert positions == sorted(set(positions))


async def test_timestamps_of_a_topic_grow_where_the_clock_stands_still(house: House, clock: SetClock) -> None:
    topic = await welcome(house)
    first = await put(house, topic)
    second = await put(house, topic)
    clock.set(NOON - timedelta(seconds=30))
    third = await put(house, topic)

    step = timedelta(microseconds=1)
    assert [first.timestamp, second.timestamp, third.timestamp] == [NOON, NOON + step, NOON + 2 * step]
    assert third.expires_at == third.timestamp + timedelta(days=30)


async def test_a_clock_that_was_set_back_far_is_believed(house: House, clock: SetClock) -> None:
    topic = await welcome(house)
    await put(house, topic)
    clock.set(NOON - timedelta(hours=1))

    assert (await put(house, topic)).timestamp == NOON - timedelta(hours=1)


async def test_a_topic_that_is_gone_is_not_published_to(house: House) -> None:
    ghost = new_topic("ghost", owner_id=SYSTEM_ID, access_level="public", now=NOON)

    with pytest.raises(NotFound):
        await put(house, ghost)


# --- Keys ----------------------------------------------------------------------------------------------------------


async def test_a_key_counts_for_a_day(client: Client, clock: SetClock) -> None:
    key = {"Idempotency-Key": "k"}
    first = await client.post("/welcome", body=b"x", headers=key)
    clock.set(NOON + timedelta(hours=23))
    again = await client.post("/welcome", body=b"x", headers=key)
    clock.set(NOON + timedelta(hours=25))
    later = await client.post("/welcome", body=b"y", headers=key)

    assert first.body == again.body
    assert (later.status, later.json()["message"]) == (200, "y")
    assert len(await history(client)) == 2


async def test_a_key_belongs_to_its_publisher_and_topic(house: House, client: Client) -> None:
    other = new_topic("other", owner_id=SYSTEM_ID, access_level="public", now=NOON)
    await house.storage.write(lambda transaction: store.add_topic(transaction.connection, other))
    key = {"Idempotency-Key": "k"}

    answers = [
        await client.post("/welcome", body=b"1", headers=key),
        await client.post("/other", body=b"2", headers=key),
        await client(address="10.0.0.1").post("/welcome", body=b"3", headers=key),
    ]

    assert [answer.json()["message"] for answer in answers] == ["1", "2", "3"]


@pytest.mark.parametrize("headers", [{"X-Title": "t"}, {"X-Priority": "1"}, {"X-Tags": "a"}])
async def test_a_key_with_another_message_is_refused(client: Client, headers: Mapping[str, str]) -> None:
    key = {"Idempotency-Key": "k"}
    await client.post("/welcome", body=b"x", headers=key)

    answer = await client.post("/welcome", body=b"x", headers={**key, **headers})

    assert answer.status == 422
    assert len(await history(client)) == 1


@pytest.mark.parametrize(("one", "other"), [("=?utf-8?q?a?=", "a"), ("caf\xe9", "caf\xc3\xa9")])
async def test_a_key_means_nothing_but_itself(client: Client, one: str, other: str) -> None:
    first = await client.post("/welcome", body=b"x", headers={"Idempotency-Key": one})
    second = await client.post("/welcome", body=b"y", headers={"Idempotency-Key": other})
    again = await client.post("/welcome", body=b"x", headers={"Idempotency-Key": one})

    assert (first.status, second.status) == (200, 200)
    assert again.body == first.body


async def test_one_key_sent_many_times_at_once_publishes_once(house: House, client: Client) -> None:
    bodies: list[bytes] = []

    async def send() -> None:
        bodies.append((await client.post("/welcome", body=b"x", headers={"Idempotency-Key": "k"})).body)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(send)

    assert len(set(bodies)) == 1
    assert len(await history(client)) == 1


async def test_old_keys_are_forgotten_a_hundred_at_a_time(house: House, clock: SetClock) -> None:
    topic = await welcome(house)
    for number in range(150):
        await put(house, topic, key=f"old {number}")
    clock.set(NOON + timedelta(hours=25))

    counts = []
    for number in range(3):
        await put(house, topic, key=f"new {number}")
        counts.append(
            await house.storage.read(
                lambda transaction: transaction.connection.execute(publish_keys.select()).fetchall()
            )
        )

    assert [len(rows) for rows in counts] == [51, 2, 3]


# --- Topics made by publishing -------------------------------------------------------------------------------------


@pytest.mark.manor(config={"plugins": {"topics": {"auto_create": "anyone"}}})
async def test_anyone_may_make_a_public_topic_where_the_admin_lets_them(client: Client, heard: list[Event]) -> None:
    first = await client.post("/fresh", body=b"x")
    second = await client.post("/fresh", body=b"y")

    assert (first.status, second.json()["sequence"]) == (200, 2)
    topic = (await client.get("/api/topics/fresh")).json()
    assert (topic["access_level"], topic["owner_id"]) == ("public", str(SYSTEM_ID))
    assert (topic["is_discoverable"], topic["description"], topic["icon_name"]) == (False, None, "bell")
    assert [type(event) for event in heard] == [TopicCreated, MessagePublished, MessagePublished]


@pytest.mark.manor(config={"plugins": {"topics": {"auto_create": "anyone"}}})
@pytest.mark.parametrize("name", ["api", "livez", "login", "Fresh", "ab", "a" * 65, str(ANN), ANN.hex, "a.b"])
async def test_a_bad_name_is_not_made(client: Client, name: str) -> None:
    assert (await client.post(f"/{name}", body=b"x")).status in (404, 405)
    assert [topic["name"] for topic in (await client.get("/api/topics")).json()] == ["welcome"]


@pytest.mark.manor(config={"plugins": {"topics": {"auto_create": "anyone"}}})
async def test_a_bad_draft_makes_no_topic(client: Client, heard: list[Event]) -> None:
    assert (await client.post("/fresh", body=b"")).status == 422
    assert (await client.get("/api/topics/fresh")).status == 404
    assert heard == []


@pytest.mark.manor(config={"plugins": {"topics": {"auto_create": "anyone"}}})
async def test_many_who_publish_to_a_fresh_name_at_once_make_one_topic(client: Client, heard: list[Event]) -> None:
    async def send() -> None:
        assert (await client.post("/fresh", body=b"x")).status == 200

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(send)

    assert [type(event) for event in heard].count(TopicCreated) == 1
    assert [message["sequence"] for message in await history(client, "fresh")] == list(range(1, 11))


@pytest.mark.parametrize("auto_create", ["off", "authenticated"])
async def test_nobody_makes_a_topic_otherwise(house: House, client: Client, auto_create: str) -> None:
    topics = next(plugin for plugin in house.plugins if plugin.name == "topics")
    assert topics.context is not None
    topics.context.config = type(topics.context.config)(auto_create=auto_create)

    assert (await client.post("/fresh", body=b"x")).status == 404


@AUTHENTICATED
async def test_a_person_gets_a_private_topic_of_their_own(house: House) -> None:
    answer = await as_(house, ANN).post("/mine", body=b"x")

    assert answer.status == 200
    topic = await house.storage.read(lambda transaction: store.find_topic(transaction.connection, "mine"))
    assert topic is not None
    assert (topic.owner_id, topic.access_level) == (ANN, "private")


@AUTHENTICATED
async def test_a_private_topic_made_meanwhile_is_not_opened_to_others(house: House) -> None:
    answers: list[Answer] = []

    async def send(who: UUID) -> None:
        answers.append(await as_(house, who).post("/mine", body=b"x"))

    async with trio.open_nursery() as nursery:
        for who in (ANN, BOB):
            nursery.start_soon(send, who)

    assert sorted(answer.status for answer in answers) in ([200, 403], [200, 404])


@pytest.mark.manor(config={"plugins": {"topics": {"anonymous_publish": False}}})
async def test_publishing_can_be_closed_to_those_without_a_credential(client: Client) -> None:
    answer = await client.post("/welcome", body=b"x")

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (await client.get("/welcome/json")).status == 200


@pytest.mark.manor(config={"plugins": {"topics": {"max_message_bytes": 10}}})
async def test_the_longest_message_is_the_admins_choice(client: Client) -> None:
    assert (await client.post("/welcome", body=b"x" * 10 + b"\n")).status == 200
    assert (await client.post("/welcome", body=b"x" * 11)).status == 413
