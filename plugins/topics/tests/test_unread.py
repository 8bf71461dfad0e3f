"""What is unread: always what a naive count of the messages would say, whatever happened to them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
import trio
from sqlalchemy import select

from manor import Principal
from manor.testing import Client, House, SetClock
from manor_topics.removing import remove
from manor_topics.retention import Retention
from manor_topics.tables import messages
from manor_topics.unread import seen_now, viewed
from tests.topic_people import asking_as, make_topic, person, send, subscribed, subscriptions

PATH = "/api/subscriptions"
HISTORY = "/api/topics/news/messages"
SHORT = {"tiers": {"FREE": {"retention_days": 2}}}


async def swept(house: House) -> None:
    """What has expired is removed."""
    await Retention(house.storage, structlog.get_logger("tests")).sweep()


async def unread(client: Client, topic: str = "news") -> int:
    """How much of a topic whoever asks has not read."""
    counts = {each["topic_name"]: each["unread_count"] for each in await subscriptions(client)}
    count = counts[topic]
    assert isinstance(count, int)
    return count


@pytest.fixture
async def ann(house: House) -> Client:
    """Who has the public topic `news`, and publishes to it."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client, "news", access_level="public")
    return client


@pytest.fixture
async def bob_id(house: House) -> UUID:
    """A subscriber."""
    return await person(house, "bob")


@pytest.fixture
async def bob(house: House, ann: Client, bob_id: UUID) -> Client:
    """The same, asking; subscribed after one message."""
    await send(ann, "before", "news")
    client = asking_as(house, bob_id)
    await subscribed(client)
    return client


# --- One thing at a time -------------------------------------------------------------------------------------------


async def test_only_what_comes_after_subscribing_is_unread(ann: Client, bob: Client) -> None:
    assert await unread(bob) == 0

    await send(ann, "one", "news")
    await send(ann, "two", "news")

    assert await unread(bob) == 2


async def test_looking_at_the_first_page_is_to_have_read(ann: Client, bob: Client) -> None:
    await send(ann, "one", "news")
    await bob.get(f"{HISTORY}?offset=1")
    assert await unread(bob) == 1

    await bob.get(HISTORY)

    assert await unread(bob) == 0
    (subscription,) = (await bob.get(PATH)).json()["subscriptions"]
    assert subscription["last_viewed_at"] == "2030-01-02T12:00:00Z"


async def test_a_key_reads_without_having_looked(house: House, ann: Client, bob: Client, bob_id: UUID) -> None:
    await send(ann, "one", "news")
    key = Principal("api_key", user_id=bob_id, scopes=frozenset({"topics:read"}))

    assert (await Client(house.dispatcher, principals=(key,)).get(HISTORY)).status == 200

    assert await unread(bob) == 1


async def test_an_edited_message_is_as_unread_as_before(ann: Client, bob: Client) -> None:
    first = await send(ann, "one", "news")
    await bob.get(HISTORY)
    second = await send(ann, "two", "news")

    for message in (first, second):
        assert (await ann.patch(f"/api/news/messages/{message['id']}", json={"message": "x"})).status == 200

    assert await unread(bob) == 1


async def test_a_deleted_message_is_unread_no_more(ann: Client, bob: Client) -> None:
    first = await send(ann, "one", "news")
    await bob.get(HISTORY)
    second = await send(ann, "two", "news")
    await send(ann, "three", "news")

    for message in (first, second):
        assert (await ann.delete(f"/api/news/messages/{message['id']}")).status == 200

    assert await unread(bob) == 1


@pytest.mark.manor(config=SHORT)
async def test_expired_messages_are_unread_no_more(house: House, ann: Client, bob: Client, clock: SetClock) -> None:
    await send(ann, "one", "news")
    gone = await send(ann, "two", "news")
    await ann.delete(f"/api/news/messages/{gone['id']}")
    clock.set(clock.now() + timedelta(days=1))
    await send(ann, "three", "news")
    clock.set(clock.now() + timedelta(days=1, seconds=1))

    await swept(house)

    assert await unread(bob) == 1
    (subscription,) = (await bob.get(PATH)).json()["subscriptions"]
    assert subscription["message_count"] == 1


async def test_subscribing_again_begins_anew(ann: Client, bob: Client) -> None:
    await send(ann, "one", "news")
    await bob.delete(f"{PATH}/by-topic/news")
    await send(ann, "two", "news")

    assert (await subscribed(bob))["unread_count"] == 0
    await send(ann, "three", "news")

    assert await unread(bob) == 1


async def test_a_topic_made_anew_begins_anew(ann: Client, bob: Client) -> None:
    await send(ann, "one", "news")
    topic_id = (await ann.get("/api/topics/news")).json()["id"]
    await ann.delete(f"/api/topics/{topic_id}")
    await make_topic(ann, "news", access_level="public")
    await send(ann, "two", "news")

    assert (await subscribed(bob))["unread_count"] == 0


@pytest.mark.parametrize(
    ("at", "left"),
    [
        ("1970-01-01T00:00:00Z", 3),
        ("0001-01-01T00:00:00+14:00", 3),
        ("2030-01-02T12:00:59.999999Z", 3),
        ("2030-01-02T12:01:00Z", 2),
        ("2030-01-02T12:01:00", 2),
        ("2030-01-02T13:02:30+01:00", 1),
        ("2030-01-02T12:03:00Z", 0),
        ("2999-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59-14:00", 0),
    ],
)
async def test_a_client_may_say_when_it_looked(house: House, clock: SetClock, at: str, left: int) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann, "news", access_level="public")
    bob = asking_as(house, await person(house, "bob"))
    made = await subscribed(bob)
    for minute in (1, 2, 3):
        clock.set(datetime(2030, 1, 2, 12, minute, tzinfo=UTC))
        await send(ann, str(minute), "news")

    answer = await bob.patch(f"{PATH}/{made['id']}", json={"last_viewed_at": at})

    assert answer.status == 200, answer.text
    assert answer.json()["unread_count"] == left
    assert answer.json()["last_viewed_at"] <= "2030-01-02T12:03:00Z"
    await send(ann, "more", "news")
    assert await unread(bob) == left + 1


async def test_deleted_messages_stay_read_when_a_client_goes_back(ann: Client, bob: Client) -> None:
    gone = [await send(ann, text, "news") for text in ("one", "two")]
    await send(ann, "three", "news")
    for message in gone:
        await ann.delete(f"/api/news/messages/{message['id']}")
    (subscription,) = (await bob.get(PATH)).json()["subscriptions"]

    changed = await bob.patch(f"{PATH}/{subscription['id']}", json={"last_viewed_at": "2000-01-01T00:00:00Z"})

    assert changed.json()["unread_count"] == 2, "the one from before subscribing, too"


# --- At the same moment --------------------------------------------------------------------------------------------


async def test_what_comes_while_somebody_looks_is_unread(house: House, ann: Client, bob: Client, bob_id: UUID) -> None:
    topic_id = UUID((await ann.get("/api/topics/news")).json()["id"])
    await send(ann, "one", "news")
    seen = await house.storage.read(lambda transaction: seen_now(transaction, topic_id))
    await send(ann, "two", "news")
    gone = await send(ann, "three", "news")
    await ann.delete(f"/api/news/messages/{gone['id']}")

    await house.storage.write(lambda transaction: viewed(transaction, bob_id, topic_id, seen=seen))

    assert await unread(bob) == 1


async def test_a_slow_look_does_not_undo_a_later_one(house: House, ann: Client, bob: Client, bob_id: UUID) -> None:
    topic_id = UUID((await ann.get("/api/topics/news")).json()["id"])
    seen = await house.storage.read(lambda transaction: seen_now(transaction, topic_id))
    await send(ann, "one", "news")
    await bob.get(HISTORY)

    await house.storage.write(lambda transaction: viewed(transaction, bob_id, topic_id, seen=seen))

    assert await unread(bob) == 0


async def test_publishers_and_readers_at_once_agree(house: House, ann: Client, bob: Client) -> None:
    most_seen = 1

    async def publish() -> None:
        for number in range(20):
            await send(ann, str(number), "news")

    async def look() -> None:
        nonlocal most_seen
        for _ in range(10):
            answer = await bob.get(f"{HISTORY}?limit=100")
            most_seen = max(most_seen, answer.json()["total"])

    async with trio.open_nursery() as nursery:
        for task in (publish, publish, look, look):
            nursery.start_soon(task)

    assert await unread(bob) == 41 - most_seen


# --- Anything, in any order ----------------------------------------------------------------------------------------


class Naive:
    """Messages, and which of them somebody has not read: counted one by one."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[datetime, datetime]] = {}
        self.unread: dict[int, set[str]] = {}

    def publish(self, message: dict[str, Any]) -> None:
        """There is one more."""
        sent, expires = (datetime.fromisoformat(message[name]) for name in ("timestamp", "expires_at"))
        self.kept[message["id"]] = (sent, expires)
        for theirs in self.unread.values():
            theirs.add(message["id"])

    def lose(self, id_: str) -> None:
        """There is one less."""
        del self.kept[id_]
        for theirs in self.unread.values():
            theirs.discard(id_)

    def expire(self, now: datetime) -> None:
        """Old ones go."""
        for id_ in [id_ for id_, (_, expires) in self.kept.items() if expires <= now]:
            self.lose(id_)

    def look(self, who: int, at: datetime) -> None:
        """Somebody has read what there was at that time, and nothing since."""
        self.unread[who] = {id_ for id_, (sent, _) in self.kept.items() if sent > at}


@pytest.mark.manor(config=SHORT)
@pytest.mark.parametrize("seed", range(4))
async def test_the_count_is_right_whatever_happens(house: House, clock: SetClock, seed: int) -> None:
    chance, naive = random.Random(seed), Naive()
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann, "news", access_level="public")
    topic_id = UUID((await ann.get("/api/topics/news")).json()["id"])
    people = [await person(house, f"reader{number}") for number in range(4)]
    clients = [asking_as(house, user_id) for user_id in people]
    history: list[str] = []

    async def lose_some() -> None:
        gone = chance.sample(sorted(naive.kept), k=min(len(naive.kept), chance.randint(1, 6)))
        ids = [UUID(id_) for id_ in gone]
        positions = await house.storage.read(
            lambda transaction: (
                transaction.connection.execute(select(messages.c.position).where(messages.c.id.in_(ids)))
                .scalars()
                .all()
            )
        )
        await house.storage.write(lambda transaction: remove(transaction, messages.c.position.in_(positions)))
        for id_ in gone:
            naive.lose(id_)

    async def look(user_id: UUID) -> None:
        await house.storage.write(lambda transaction: viewed(transaction, user_id, topic_id))

    for _ in range(120):
        step = chance.choice(
            ["publish"] * 6 + ["pass", "delete", "lose", "expire", "look", "read", "back", "leave", "come", "come"]
        )
        who = chance.randrange(len(clients))
        client, is_subscribed = clients[who], who in naive.unread
        history.append(f"{step} {who}")
        match step:
            case "publish":
                naive.publish(await send(ann, "x", "news"))
            case "pass":
                clock.set(clock.now() + timedelta(hours=chance.randint(1, 12)))
            case "delete" if naive.kept:
                id_ = chance.choice(sorted(naive.kept))
                # One that has expired is out of sight, and counts until it is swept.
                status = (await ann.delete(f"/api/news/messages/{id_}")).status
                assert status == (200 if naive.kept[id_][1] > clock.now() else 404)
                if status == 200:
                    naive.lose(id_)
            case "lose":
                await lose_some()
            case "expire":
                await swept(house)
                naive.expire(clock.now())
            case "look" if is_subscribed:
                await look(people[who])
                naive.look(who, datetime.max.replace(tzinfo=UTC))
            case "read" if is_subscribed:
                assert (await client.get(HISTORY)).status == 200
                naive.look(who, datetime.max.replace(tzinfo=UTC))
            case "back" if is_subscribed:
                at = clock.now() - timedelta(hours=chance.randint(0, 48))
                (subscription,) = (await client.get(PATH)).json()["subscriptions"]
                body = {"last_viewed_at": at.isoformat()}
                assert (await client.patch(f"{PATH}/{subscription['id']}", json=body)).status == 200
                naive.look(who, datetime.max.replace(tzinfo=UTC) if at == clock.now() else at)
            case "leave" if is_subscribed:
                assert (await client.delete(f"{PATH}/by-topic/news")).status == 204
                del naive.unread[who]
            case "come" if not is_subscribed:
                await subscribed(client)
                naive.unread[who] = set()
        for each, theirs in naive.unread.items():
            assert await unread(clients[each]) == len(theirs), history

    assert len([step for step in history if step.startswith("publish")]) > 20
