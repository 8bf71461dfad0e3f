"""Messages with a delay: accepted at once, seen by nobody before their time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio.testing
from sqlalchemy import func, select

from manor import SYSTEM_ID, Event, NotFound, Transaction, Unprocessable
from manor.testing import Client, House, SetClock, open_test_house
from manor_topics import scheduled, store
from manor_topics.drafts import Draft
from manor_topics.events import MessagePublished
from manor_topics.payers import Plan
from manor_topics.publishing import Publisher, publish
from manor_topics.scheduled_tables import scheduled as table
from tests.topic_people import asking_as, make_topic, person, refusal, send, session_of, texts

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
MONTH = timedelta(days=30)


async def at_second(clock: SetClock, seconds: float) -> None:
    """Let time pass, and whoever waits for it do its work."""
    clock.set(NOON + timedelta(seconds=seconds))
    await trio.sleep(61)


async def delayed(
    house: House,
    text: str,
    delay: int,
    *,
    publisher: Publisher | None = None,
    topic: str = "alarms",
    plan: Plan | None = None,
) -> dict[str, Any]:
    """What is answered to a message with a delay."""

    def work(transaction: Transaction) -> MessagePublished:
        found = store.find_topic(transaction.connection, topic)
        assert found is not None
        to = publisher or Publisher("somebody")
        return publish(transaction, found, Draft(text, delay=delay), to, plan or Plan(SYSTEM_ID, 0, MONTH))

    published = await house.storage.write(work)
    answer: dict[str, Any] = msgspec.json.decode(published.encoded)
    return answer


async def waiting(house: House) -> int:
    def work(transaction: Transaction) -> int:
        return transaction.connection.execute(select(func.count()).select_from(table)).scalar_one()

    return await house.storage.read(work)


@pytest.fixture
async def ann(house: House) -> Client:
    """Somebody who has the public topic `alarms`."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client, access_level="public")
    return client


async def test_the_answer_has_the_time_to_come_and_no_sequence(house: House, ann: Client) -> None:
    answer = await delayed(house, "later", 3600)

    assert answer["timestamp"] == "2030-01-02T13:00:00Z"
    assert answer["expires_at"] == "2030-02-01T13:00:00Z"
    assert "sequence" not in answer
    assert {"id", "topic", "message", "title", "priority", "tags"} <= set(answer)


async def test_before_its_time_nobody_sees_it(house: House, ann: Client, heard: list[Event]) -> None:
    answer = await delayed(house, "later", 3600)

    assert await texts(ann) == []
    assert [event for event in heard if isinstance(event, MessagePublished)] == []
    assert (await ann.get("/api/topics/alarms/messages?q=later")).json()["total"] == 0
    assert (await ann.get("/api/topics/alarms")).json()["message_count"] == 0
    assert (await ann.patch(f"/api/alarms/messages/{answer['id']}", json={"message": "x"})).status == 404


async def test_at_its_time_it_gets_its_place_and_is_told(
    house: House, ann: Client, heard: list[Event], clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    answer = await delayed(house, "later", 3600)
    first = await send(ann, "first")
    heard.clear()
    await at_second(clock, 3600)

    (told,) = (event for event in heard if isinstance(event, MessagePublished))
    assert (told.id, told.sequence) == (UUID(answer["id"]), first["sequence"] + 1)
    (_, listed) = (await ann.get("/alarms/json?since=all")).json()["messages"]
    assert listed == answer | {"sequence": 2}
    assert (await ann.get("/api/topics/alarms")).json()["message_count"] == 2
    assert (await ann.get("/api/topics/alarms/messages?q=later")).json()["total"] == 1
    assert await waiting(house) == 0


async def test_what_is_late_says_when_it_came(
    house: House, ann: Client, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    await delayed(house, "later", 60)
    await at_second(clock, 7200)

    (listed,) = (await ann.get("/alarms/json?since=all")).json()["messages"]
    assert listed["timestamp"] == "2030-01-02T14:00:00Z"
    assert listed["expires_at"] == "2030-02-01T14:00:00Z"


async def test_what_is_due_at_once_appears_in_the_order_of_its_time(
    house: House, ann: Client, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    wanted = [str(number) for number in range(120)]
    for text in wanted:
        await delayed(house, text, 4000 if int(text) else 10)
    await delayed(house, "last", 5000)
    await at_second(clock, 9000)

    first = await texts(ann)
    last = (await ann.get("/alarms/json?limit=21")).json()["messages"][::-1]
    assert first + [message["message"] for message in last] == [*wanted, "last"]


async def test_a_clock_that_went_back_makes_it_wait(
    house: House, ann: Client, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    await delayed(house, "later", 600)
    await at_second(clock, -3600)
    assert await texts(ann) == []
    await at_second(clock, 599)
    assert await texts(ann) == []
    await at_second(clock, 601)
    assert await texts(ann) == ["later"]


async def test_a_job_that_is_tried_too_early_waits_again(
    house: House, ann: Client, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    await delayed(house, "later", 600)
    (plugin,) = (plugin for plugin in house.plugins if plugin.name == "topics")
    assert plugin.context is not None
    outbox = plugin.context.outbox
    ids = [row.id for row in await house.storage.read(outbox.list) if row.name == "topics.appear"]
    assert await house.storage.write(lambda transaction: outbox.retry(transaction, ids)) == 1
    outbox.ring()
    await at_second(clock, 1)
    assert await texts(ann) == []
    await at_second(clock, 601)
    assert await texts(ann) == ["later"]


async def test_it_appears_after_a_restart(
    tmp_path: Path, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_test_house(tmp_path / "h", plugins=["topics"], config={}, clock=clock) as house:
        await delayed(house, "later", 600, topic="welcome")
    clock.set(NOON + timedelta(days=1))
    async with open_test_house(tmp_path / "h", plugins=["topics"], config={}, clock=clock) as house:
        await trio.sleep(61)
        assert await texts(Client(house.dispatcher), "welcome") == ["later"]


async def test_it_counts_on_the_day_on_which_it_is_accepted(
    house: House, ann: Client, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    plan = Plan(SYSTEM_ID, 1, MONTH)
    await delayed(house, "later", 60, plan=plan)
    with pytest.raises(Exception, match="daily_messages"):
        await delayed(house, "another", 60, plan=plan)
    await at_second(clock, 61)

    assert await texts(ann) == ["later"]


# --- Keys ----------------------------------------------------------------------------------------------------------


async def test_a_repeated_request_has_one_message(
    house: House, ann: Client, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    publisher = Publisher("ann", key="k")
    first = await delayed(house, "later", 600, publisher=publisher)
    clock.set(NOON + timedelta(seconds=5))
    assert await delayed(house, "later", 600, publisher=publisher) == first
    with pytest.raises(Unprocessable):
        await delayed(house, "later", 601, publisher=publisher)
    await at_second(clock, 600)
    again = await delayed(house, "later", 600, publisher=publisher)

    assert again == first | {"sequence": 1}
    assert await texts(ann) == ["later"]
    assert await waiting(house) == 0


async def test_a_key_counts_for_a_day(house: House, ann: Client, clock: SetClock) -> None:
    publisher = Publisher("ann", key="k")
    first = await delayed(house, "later", 5 * 86_400, publisher=publisher)
    clock.set(NOON + timedelta(days=1))

    assert (await delayed(house, "later", 5 * 86_400, publisher=publisher))["id"] != first["id"]


async def test_keys_of_two_publishers_are_two(house: House, ann: Client) -> None:
    first = await delayed(house, "later", 600, publisher=Publisher("ann", key="k"))
    other = await delayed(house, "later", 600, publisher=Publisher("bob", key="k"))

    assert first["id"] != other["id"]


# --- Cancelling ----------------------------------------------------------------------------------------------------


async def test_a_manager_cancels(
    house: House, ann: Client, heard: list[Event], clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    sent = await delayed(house, "later", 600)
    heard.clear()
    answer = await ann.delete(f"/api/alarms/messages/{sent['id']}")

    assert (answer.status, answer.json()) == (
        200,
        {"id": sent["id"], "deleted_at": "2030-01-02T12:00:00Z", "message": "Message deleted successfully"},
    )
    assert (await ann.delete(f"/api/alarms/messages/{sent['id']}")).status == 404
    await at_second(clock, 601)
    assert await texts(ann) == []
    assert heard == []


async def test_its_publisher_cancels_it_and_nobody_else(house: House, ann: Client) -> None:
    bob, eve = await person(house, "bob"), await person(house, "eve")
    sent = await delayed(house, "later", 600, publisher=Publisher("bob", session_of(bob)))
    path = f"/api/alarms/messages/{sent['id']}"

    assert refusal(await asking_as(house, eve).delete(path))[0] == 403
    assert (await asking_as(house, eve, scopes=frozenset()).delete(path)).status == 403
    assert (await Client(house.dispatcher).delete(path)).status == 401
    assert await waiting(house) == 1
    assert (await asking_as(house, bob).delete(path)).status == 200
    assert await waiting(house) == 0


async def test_what_nobody_known_sent_is_nobodys_to_cancel(house: House, ann: Client) -> None:
    sent = await delayed(house, "later", 600)
    eve = asking_as(house, await person(house, "eve"))

    assert (await eve.delete(f"/api/alarms/messages/{sent['id']}")).status == 403


async def test_it_is_not_cancelled_by_way_of_another_topic(house: House, ann: Client) -> None:
    await make_topic(ann, "other")
    sent = await delayed(house, "later", 600)

    assert (await ann.delete(f"/api/other/messages/{sent['id']}")).status == 404
    assert await waiting(house) == 1


# --- Gone meanwhile ------------------------------------------------------------------------------------------------


async def test_it_goes_with_its_topic(
    house: House, ann: Client, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    await delayed(house, "later", 600)
    topic = (await ann.get("/api/topics/alarms")).json()
    assert (await ann.delete(f"/api/topics/{topic['id']}")).status == 204
    await make_topic(ann, "alarms")
    await at_second(clock, 601)

    assert await waiting(house) == 0
    assert await texts(ann) == []


async def test_it_follows_its_topic_to_another_name(
    house: House, ann: Client, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    await delayed(house, "later", 600)
    topic = (await ann.get("/api/topics/alarms")).json()
    assert (await ann.patch(f"/api/topics/{topic['id']}", json={"name": "alerts"})).status == 200
    await at_second(clock, 601)

    assert await texts(ann, "alerts") == ["later"]


async def test_a_topic_that_is_gone_takes_none(house: House, ann: Client) -> None:
    topic = (await ann.get("/api/topics/alarms")).json()
    found = await house.storage.read(lambda transaction: store.find_topic(transaction.connection, UUID(topic["id"])))
    assert found is not None
    await ann.delete(f"/api/topics/{topic['id']}")

    def work(transaction: Transaction) -> MessagePublished:
        return publish(transaction, found, Draft("late", delay=60), Publisher("x"), Plan(SYSTEM_ID, 0, None))

    with pytest.raises(NotFound):
        await house.storage.write(work)


async def test_people_get_and_take_along_what_waits(
    house: House, ann: Client, clock: SetClock, autojump_clock: trio.testing.MockClock
) -> None:
    bob = await person(house, "bob")
    await delayed(house, "bob's", 600, publisher=Publisher("bob", session_of(bob)))
    await delayed(house, "nobody's", 600)
    (plugin,) = (plugin for plugin in house.plugins if plugin.name == "topics")
    personal = plugin.brought.personal_data
    assert personal is not None
    exported = [item async for section, item in personal.export(bob) if section == "scheduled_messages"]
    assert [(item.topic, item.message) for item in exported] == [("alarms", "bob's")]

    def erase(transaction: Transaction) -> int:
        gone: int = personal.erase(transaction, bob, 100)
        return gone

    while await house.storage.write(erase):
        pass
    await at_second(clock, 601)
    assert await texts(ann) == ["nobody's"]


async def test_what_waits_is_listed_in_its_order(house: House, ann: Client) -> None:
    await delayed(house, "second", 700)
    await delayed(house, "first", 600)

    def work(transaction: Transaction) -> list[str]:
        topic = store.find_topic(transaction.connection, "alarms")
        assert topic is not None
        return [each.message for each in scheduled.waiting_of(transaction.connection, topic, MONTH, limit=10)]

    assert await house.storage.read(work) == ["first", "second"]
