"""A request that brings two credentials: who publishes, and on whose account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from manor import Event, NewUser, Principal, add_user, new_id
from manor.house import House
from manor.testing import Client
from manor_topics import store
from manor_topics.creating import new_topic
from manor_topics.domain import AccessLevel, Topic
from manor_topics.events import MessagePublished

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
ANN, BOB = new_id(), new_id()


def key(user_id: UUID, *scopes: str) -> Principal:
    return Principal("api_key", user_id=user_id, credential_id=new_id(), scopes=frozenset(scopes or {"*"}))


def session(user_id: UUID) -> Principal:
    return Principal("access", user_id=user_id, session_id=new_id(), scopes=frozenset({"*"}))


def token(topic: Topic, *scopes: str) -> Principal:
    able = frozenset(scopes or {"read", "write"})
    return Principal("topic_token", credential_id=new_id(), scopes=able, resource=topic.id)


async def made(house: House, name: str, owner_id: UUID, access_level: AccessLevel = "private") -> Topic:
    topic = new_topic(name, owner_id=owner_id, access_level=access_level, now=NOON)
    await house.storage.write(lambda transaction: store.add_topic(transaction.connection, topic))
    return topic


async def publisher(
    house: House, heard: Sequence[Event], topic: str, *principals: Principal, idempotency_key: str = ""
) -> UUID | None:
    """Whom a message is by that comes with these credentials, in their order."""
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    answer = await Client(house.dispatcher, principals=principals).post(f"/{topic}", body=b"x", headers=headers)
    assert answer.status == 200, answer.text
    told = heard[-1]
    assert isinstance(told, MessagePublished)
    assert str(told.id) == answer.json()["id"]
    return told.publisher_id


async def test_where_both_may_the_first_publishes(house: House, heard: list[Event]) -> None:
    assert await publisher(house, heard, "welcome", key(ANN), session(BOB)) == ANN
    assert await publisher(house, heard, "welcome", session(BOB), key(ANN)) == BOB


async def test_where_one_may_that_one_publishes(house: House, heard: list[Event]) -> None:
    await made(house, "bobs", BOB)

    assert await publisher(house, heard, "bobs", key(ANN), session(BOB)) == BOB
    assert await publisher(house, heard, "welcome", key(ANN, "keys"), session(BOB)) == BOB


async def test_a_person_publishes_before_a_topics_token_that_comes_first(house: House, heard: list[Event]) -> None:
    topic = await made(house, "bobs", BOB)

    assert await publisher(house, heard, "bobs", token(topic), session(BOB)) == BOB
    assert await publisher(house, heard, "bobs", token(topic, "read"), session(BOB)) == BOB


async def test_a_token_lends_a_stranger_nothing_but_the_topic(house: House, heard: list[Event]) -> None:
    topic = await made(house, "bobs", BOB)

    assert await publisher(house, heard, "bobs", token(topic), session(ANN)) is None
    assert await publisher(house, heard, "bobs", token(topic), key(BOB, "topics:read")) is None


async def test_a_token_of_another_topic_opens_nothing_beside_a_session(house: House) -> None:
    await made(house, "bobs", BOB)
    other = await made(house, "others", BOB)

    for principals in ((token(other),), (token(other), session(ANN))):
        assert (await Client(house.dispatcher, principals=principals).post("/bobs", body=b"x")).status == 403


@pytest.mark.manor(config={"plugins": {"topics": {"auto_create": "authenticated"}}})
async def test_a_topic_made_by_publishing_is_its_publishers(house: House, heard: list[Event]) -> None:
    other = await made(house, "others", BOB)

    assert await publisher(house, heard, "fresh", key(ANN, "keys"), session(BOB)) == BOB
    assert await publisher(house, heard, "fresher", token(other), session(ANN)) == ANN
    found = await house.storage.read(lambda t: [store.find_topic(t.connection, name) for name in ("fresh", "fresher")])
    assert [topic.owner_id for topic in found if topic is not None] == [BOB, ANN]


async def test_keys_of_idempotency_are_the_publishers_own(house: House, heard: list[Event]) -> None:
    anns, bobs = key(ANN), session(BOB)
    await publisher(house, heard, "welcome", anns, bobs, idempotency_key="k")

    assert await publisher(house, heard, "welcome", bobs, idempotency_key="k") == BOB
    again = await Client(house.dispatcher, principals=(anns,)).post(
        "/welcome", body=b"x", headers={"Idempotency-Key": "k"}
    )
    assert (again.status, len([event for event in heard if isinstance(event, MessagePublished)])) == (200, 2)


@pytest.mark.manor(config={"tiers": {"FREE": {"publish_per_minute": 1}}})
async def test_a_message_is_counted_for_its_publisher_alone(house: House, heard: list[Event]) -> None:
    owner = await house.storage.write(
        lambda transaction: add_user(transaction, NewUser(username="owner", email="o@example.org", tier="FREE"))
    )
    topic = await made(house, "open", owner.id, "public")
    anns, bobs, tokens = key(ANN), session(BOB), token(topic)

    assert await publisher(house, heard, "open", tokens, anns) == ANN
    for principals in ((anns,), (anns, bobs), (tokens, anns)):
        assert (await Client(house.dispatcher, principals=principals).post("/open", body=b"x")).status == 429
    assert await publisher(house, heard, "open", bobs, anns) == BOB
    assert await publisher(house, heard, "open", tokens) is None
