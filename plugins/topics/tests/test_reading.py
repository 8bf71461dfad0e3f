"""Reading: lists, private topics, what has expired, and finding a moment in a topic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

import pytest
from sqlalchemy import update

from manor import SYSTEM_ID, Forbidden, NotFound, Principal, Refused, Storage, Transaction, Unauthorized, new_id
from manor.house import House
from manor.storage import Work
from manor.testing import Client, SetClock
from manor_topics import message_store, store
from manor_topics.callers import Caller, Callers
from manor_topics.catalog import Catalog
from manor_topics.config import TopicsConfig
from manor_topics.creating import new_topic
from manor_topics.domain import AccessLevel, Topic
from manor_topics.drafts import Draft
from manor_topics.events import TopicCreated
from manor_topics.payers import Plan
from manor_topics.publishing import Publisher, publish
from manor_topics.reading import Reading
from manor_topics.rights import can_manage, check_publish, check_read
from manor_topics.tables import messages

T = TypeVar("T")
NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
PLAN = Plan(SYSTEM_ID, 0, MONTH)
ANN = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
HERS = Principal("session", user_id=ANN)
HIS = Principal("session", user_id=UUID("01890a5d-ac96-774b-bcce-b302099a8058"))
ADMINS = Principal("session", user_id=UUID("01890a5d-ac96-774b-bcce-b302099a8059"), is_admin=True)


async def add(
    house: House,
    name: str,
    *,
    owner_id: UUID = SYSTEM_ID,
    access_level: AccessLevel = "public",
    is_discoverable: bool = False,
) -> Topic:
    topic = new_topic(name, owner_id=owner_id, access_level=access_level, is_discoverable=is_discoverable, now=NOON)
    await house.storage.write(lambda transaction: store.add_topic(transaction.connection, topic))
    return topic


async def put(house: House, topic: Topic, text: str) -> None:
    draft, publisher = Draft(text), Publisher("me")
    await house.storage.write(lambda transaction: publish(transaction, topic, draft, publisher, PLAN))


def reading(house: House, config: TopicsConfig | None = None) -> Reading:
    settings = config or TopicsConfig()
    return Reading(house.storage, Catalog(house.storage), Callers(house.storage), house.live, lambda: settings)


# --- Rights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("principals", "refusal"),
    [((), Unauthorized), ((HIS,), Forbidden), ((HERS,), None), ((HIS, HERS), None), ((ADMINS,), None)],
)
def test_a_private_topic_opens_for_its_owner_and_admins(
    principals: tuple[Principal, ...], refusal: type[Refused] | None
) -> None:
    topic = new_topic("mine", owner_id=ANN, access_level="private", now=NOON)
    for check in (check_read, check_publish):
        if refusal is None:
            check(topic, Caller(principals), TopicsConfig())
        else:
            with pytest.raises(refusal):
                check(topic, Caller(principals), TopicsConfig())
            with pytest.raises(NotFound):
                check(topic, Caller(principals), TopicsConfig(hide_private=True))


def test_a_public_topic_is_managed_by_its_owner_and_admins() -> None:
    topic = new_topic("open", owner_id=ANN, access_level="public", now=NOON)

    assert [can_manage(topic, Caller(who)) for who in ((), (HIS,), (HERS,), (ADMINS,))] == [False, False, True, True]


@pytest.mark.parametrize("path", ["/mine/json", "/mine/sse", "/api/topics/mine", "/api/topics/mine/stats"])
async def test_a_private_topic_is_401_without_a_credential(house: House, client: Client, path: str) -> None:
    await add(house, "mine", owner_id=ANN, access_level="private")

    answer = await client.get(path)

    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


async def test_publishing_to_a_private_topic_is_401_without_a_credential(house: House, client: Client) -> None:
    await add(house, "mine", owner_id=ANN, access_level="private")

    assert (await client.post("/mine", body=b"x")).status == 401


@pytest.mark.manor(config={"plugins": {"topics": {"hide_private": True}}})
async def test_a_hidden_topic_looks_like_one_that_is_missing(house: House, client: Client) -> None:
    await add(house, "mine", owner_id=ANN, access_level="private")

    hidden, missing = await client.get("/mine/json"), await client.get("/nope/json")

    assert hidden.status == missing.status == 404
    assert hidden.text.replace("mine", "nope") == missing.text


# --- Lists ---------------------------------------------------------------------------------------------------------


async def test_lists_have_the_newest_messages_first_then_go_by_name(
    house: House, client: Client, clock: SetClock
) -> None:
    for name in ("zebra", "apple", "quiet-b", "quiet-a"):
        topic = await add(house, name)
        if not name.startswith("quiet"):
            clock.set(clock.now() + timedelta(seconds=1))
            await put(house, topic, "x")

    async def names(query: str) -> list[str]:
        return [topic["name"] for topic in (await client.get(f"/api/topics?{query}")).json()]

    assert await names("") == ["apple", "zebra", "quiet-a", "quiet-b", "welcome"]
    assert await names("limit=2&offset=1") == ["zebra", "quiet-a"]
    assert await names("offset=5") == []


async def test_lists_show_what_the_caller_may_read(house: House) -> None:
    await add(house, "open")
    await add(house, "found", is_discoverable=True)
    await add(house, "hers", owner_id=ANN, access_level="private")

    async def names(*principals: Principal, listing: str = "public") -> set[str]:
        config = TopicsConfig(listing=listing)  # type: ignore[arg-type]  # one of the three, from this file
        found = await reading(house, config).list_topics(principals, limit=100, offset=0)
        return {topic.name for topic in found}

    assert await names() == {"welcome", "open", "found"}
    assert await names(HIS) == {"welcome", "open", "found"}
    assert await names(HERS) == await names(ADMINS) == {"welcome", "open", "found", "hers"}
    assert await names(listing="discoverable") == {"welcome", "found"}
    assert await names(HERS, listing="discoverable") == {"welcome", "found", "hers"}
    assert {topic.name for topic in await reading(house).list_public(limit=100, offset=0)} == {"welcome", "found"}
    assert await names(HIS, listing="authenticated") == {"welcome", "open", "found"}
    with pytest.raises(Unauthorized):
        await names(listing="authenticated")


async def test_the_owner_sees_that_a_topic_is_theirs(house: House) -> None:
    await add(house, "hers", owner_id=ANN)

    assert (await reading(house).show("hers", (HERS,))).can_manage
    assert not (await reading(house).show("hers", (HIS,))).can_manage


# --- History -------------------------------------------------------------------------------------------------------


async def test_what_has_expired_or_is_deleted_is_not_shown(house: House, client: Client, clock: SetClock) -> None:
    topic = await add(house, "open")
    for text in ("old", "deleted", "edited"):
        await put(house, topic, text)
        clock.set(clock.now() + timedelta(days=1))

    async def change(text: str, **values: object) -> None:
        statement = update(messages).where(messages.c.message == text).values(values)

        def work(transaction: Transaction) -> None:
            transaction.connection.execute(statement)

        await house.storage.write(work)

    await change("deleted", is_deleted=True)
    await change("edited", edited_at=NOON)

    async def read(query: str) -> list[str]:
        return [message["message"] for message in (await client.get(f"/open/json?{query}")).json()["messages"]]

    assert await read("") == ["edited", "old"]
    edited = (await client.get("/open/json?limit=1")).json()["messages"][0]
    assert (edited["is_edited"], edited["edited_at"]) == (True, "2030-01-02T12:00:00Z")
    clock.set(NOON + MONTH)
    assert await read("") == await read("since=all") == await read("since=latest") == ["edited"]


async def test_any_moment_of_a_topic_is_found_by_halving(house: House, clock: SetClock) -> None:
    topic, noise = await add(house, "open"), await add(house, "noise")
    for minute in range(40):
        clock.set(NOON + timedelta(minutes=minute))
        await put(house, topic, str(minute))
        for _ in range(minute % 4):
            await put(house, noise, "x")

    def read_after(transaction: Transaction, time: datetime) -> list[str]:
        position = message_store.position_at(transaction.connection, topic.id, time)
        rows = message_store.messages_after(transaction.connection, topic, position, now=NOON, limit=100)
        return [message.message for _, message in rows]

    for seconds in range(-60, 41 * 60, 30):
        time = NOON + timedelta(seconds=seconds)
        expected = [str(minute) for minute in range(40) if minute * 60 > seconds]
        assert await house.storage.read(partial(read_after, time=time)) == expected, time


async def test_a_moment_of_an_empty_topic_is_its_beginning(house: House) -> None:
    topic = await add(house, "open")
    await put(house, await add(house, "noise"), "x")

    assert (
        await house.storage.read(lambda transaction: message_store.position_at(transaction.connection, topic.id, NOON))
        == 0
    )


# --- Topics in memory ----------------------------------------------------------------------------------------------


async def test_a_topic_is_read_once_and_again_when_it_changed(house: House) -> None:
    catalog = Catalog(house.storage)
    topic = await add(house, "open")
    assert catalog.known("open") is None

    assert await catalog.find("open") == topic
    assert catalog.known("open") == catalog.known(str(topic.id)) == topic
    catalog.forget(TopicCreated(topic_id=topic.id, topic="open", owner_id=SYSTEM_ID, access_level="public"))

    assert catalog.known("open") is catalog.known(str(topic.id)) is None


async def test_what_is_missing_is_asked_for_each_time(house: House) -> None:
    catalog = Catalog(house.storage)
    assert await catalog.find("open") is None
    topic = await add(house, "open")

    assert await catalog.find("open") == topic


async def test_a_change_during_a_read_is_not_overwritten_by_what_was_read(house: House) -> None:
    topic = await add(house, "open")
    catalog: Catalog

    class Changing(Storage):
        """Storage in which a topic changes while it is read."""

        def __init__(self) -> None:
            """There is nothing to hold: it reads from the house's."""

        async def read(self, work: Work[T]) -> T:
            found = await house.storage.read(work)
            catalog.forget(TopicCreated(topic_id=topic.id, topic="open", owner_id=SYSTEM_ID, access_level="public"))
            return found

    catalog = Catalog(Changing())
    assert await catalog.find("open") == topic

    assert catalog.known("open") is None


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        ({"*"}, (200, 200, 200)),
        ({"publish"}, (200, 403, 403)),
        ({"subscribe"}, (403, 200, 403)),
        ({"topics:read"}, (403, 200, 200)),
        ({"keys"}, (403, 403, 403)),
    ],
)
async def test_a_key_does_what_its_scopes_say(client: Client, scopes: set[str], statuses: tuple[int, ...]) -> None:
    key = client(principals=[Principal("api_key", user_id=new_id(), scopes=frozenset(scopes))])

    answers = [
        await key.post("/welcome", body=b"x"),
        await key.get("/welcome/json"),
        await key.get("/api/topics"),
    ]

    assert tuple(answer.status for answer in answers) == statuses


async def test_of_two_credentials_either_may_allow_it(client: Client) -> None:
    first, second = (Principal("api_key", user_id=new_id(), scopes=frozenset({scope})) for scope in ("keys", "publish"))

    assert (await client(principals=[first, second]).post("/welcome", body=b"x")).status == 200
