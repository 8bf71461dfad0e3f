"""Changing topics, and deleting them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import trio
import trio.testing
from sqlalchemy import func, select

from manor import Event, Principal, Transaction
from manor.testing import Client, House, SetClock
from manor_topics import deleting, store
from manor_topics.clearing_tables import clearings
from manor_topics.creating import new_topic
from manor_topics.drafts import Draft
from manor_topics.events import TopicDeleted, TopicUpdated
from manor_topics.payers import Plan
from manor_topics.publishing import Publisher, publish
from manor_topics.removing import BATCH
from manor_topics.tables import messages, publish_keys
from tests.topic_people import asking_as, make_topic, person, refusal, send, texts

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
HIDDEN = pytest.mark.manor(config={"plugins": {"topics": {"hide_private": True}}})


async def rows(house: House, topic_id: str) -> int:
    """How many messages storage has of a topic, whoever may see them."""
    count = select(func.count()).where(messages.c.topic_id == UUID(topic_id))
    return await house.storage.read(lambda transaction: transaction.connection.execute(count).scalar_one())


# --- Changing ------------------------------------------------------------------------------------------------------


async def test_what_is_left_out_stays(house: House, heard: list[Event]) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms", description="Alarms", icon_color="red")
    await send(ann, "x")
    heard.clear()

    answer = await ann.patch(f"/api/topics/{made['id']}", json={"icon_name": "fire"})

    expected = {name: value for name, value in made.items() if name != "subscription_warning"}
    assert answer.status == 200
    assert answer.json() == expected | {
        "icon_name": "fire",
        "message_count": 1,
        "last_message_at": answer.json()["last_message_at"],
        "connection_count": 0,
        "can_manage": True,
    }
    assert [type(event) for event in heard] == [TopicUpdated]


async def test_nothing_changed_tells_nobody(house: House, heard: list[Event]) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms", description="Alarms")
    heard.clear()

    assert (await ann.patch(f"/api/topics/{made['id']}", json={})).status == 200
    assert (await ann.patch(f"/api/topics/{made['id']}", json={"name": "alarms"})).status == 200
    assert heard == []


async def test_null_removes_what_may_be_missing(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms", description="Alarms")

    changes = {"description": None, "icon_name": None, "icon_color": None}
    changed = (await ann.patch(f"/api/topics/{made['id']}", json=changes)).json()

    assert {name: changed[name] for name in changes} == changes


async def test_a_renamed_topic_keeps_its_id_its_messages_and_its_listeners(
    house: House, client: Client, heard: list[Event]
) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms", access_level="public")
    await send(ann, "before")
    async with client.sse("/alarms/sse") as events:
        await anext(events)

        assert (await ann.patch(f"/api/topics/{made['id']}", json={"name": "sirens"})).status == 200
        await send(ann, "after", "sirens")
        event = await anext(events)

    told = next(event for event in heard if isinstance(event, TopicUpdated))
    assert (told.topic_id, told.old_name, told.topic) == (UUID(made["id"]), "alarms", "sirens")
    assert (event.json()["message"], event.json()["topic"]) == ("after", "sirens")
    assert await texts(ann, "sirens") == ["before", "after"]
    assert (await ann.post("/alarms", body=b"x")).status == 404
    await make_topic(ann, "alarms")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "x"}, "name"),
        ({"name": "api"}, "name"),
        ({"name": UNKNOWN}, "name"),
        ({"access_level": None}, "access_level"),
        ({"access_level": "protected"}, "access_level"),
        ({"is_discoverable": None}, "is_discoverable"),
        ({"is_discoverable": 1}, "is_discoverable"),
        ({"description": "x" * 501}, "description"),
        ({"description": "a\x1bb"}, "description"),
        ({"description": 1}, "description"),
        ({"access_level": "public", "is_discoverable": True, "description": ""}, "description"),
        ({"access_level": "public", "is_discoverable": True, "description": None}, "description"),
        ({"icon_name": ""}, "icon_name"),
        ({"icon_name": "BELL"}, "icon_name"),
        ({"icon_color": "a b"}, "icon_color"),
        ([], ""),
    ],
)
async def test_what_no_topic_can_become_is_refused(house: House, changes: Any, field: str) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms", description="Alarms")

    status, detail = refusal(await ann.patch(f"/api/topics/{made['id']}", json=changes))

    assert (status, field in detail) == (422, True)
    assert (await ann.get("/api/topics/alarms")).json()["description"] == "Alarms"


async def test_a_taken_name_stays_whose_it_is(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms")

    answer = await ann.patch(f"/api/topics/{made['id']}", json={"name": "welcome"})

    assert refusal(answer) == (409, "There is a topic 'welcome' already")


async def test_what_becomes_private_is_found_by_nobody_any_more(house: House, client: Client) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "news", access_level="public", is_discoverable=True, description="News")
    assert (await client.get("/news/json")).status == 200

    changed = await ann.patch(f"/api/topics/{made['id']}", json={"access_level": "private", "is_discoverable": True})

    assert (changed.json()["access_level"], changed.json()["is_discoverable"]) == ("private", False)
    assert (await client.get("/news/json")).status == 401


async def test_a_route_that_hides_a_topic_does_not_keep_it_as_it_is(house: House, clock: SetClock) -> None:
    """Its name is reserved by now; nobody wants to change that."""
    ann = await person(house, "ann")
    topic = new_topic("metrics", owner_id=ann, access_level="private", now=clock.now())
    await house.storage.write(lambda transaction: store.add_topic(transaction.connection, topic))

    assert (await asking_as(house, ann).patch(f"/api/topics/{topic.id}", json={"description": "x"})).status == 200


# --- Who -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_those_who_do_not_manage_a_topic_leave_it_as_it_is(house: House, client: Client, method: str) -> None:
    ann, eve = await person(house, "ann"), await person(house, "eve")
    made = await make_topic(asking_as(house, ann), "alarms")
    path = f"/api/topics/{made['id']}"
    token = Client(house.dispatcher, principals=(Principal("topic_token", resource=UUID(made["id"])),))
    lacking = asking_as(house, ann, scopes=frozenset({"topics:read"}))

    assert (await client.request(method, path, json={})).status == 401
    assert (await asking_as(house, eve).request(method, path, json={})).status == 403
    assert (await token.request(method, path, json={})).status == 403
    assert (await lacking.request(method, path, json={})).status == 403
    assert (await asking_as(house, eve, is_admin=True).request(method, path, json={})).status in (200, 204)


@HIDDEN
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_hidden_topic_is_missing_to_those_who_may_not_read_it(house: House, method: str) -> None:
    ann, eve = asking_as(house, await person(house, "ann")), asking_as(house, await person(house, "eve"))
    made, seen = await make_topic(ann, "alarms"), await make_topic(ann, "news", access_level="public")

    assert (await eve.request(method, f"/api/topics/{made['id']}", json={})).status == 404
    assert (await eve.request(method, f"/api/topics/{seen['id']}", json={})).status == 403
    assert (await ann.request(method, f"/api/topics/{made['id']}", json={})).status in (200, 204)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("reference", ["alarms", UNKNOWN, "{upper}", "%00", "x" * 300])
async def test_a_topic_is_changed_by_its_id_alone(house: House, method: str, reference: str) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms")
    reference = reference.replace("{upper}", made["id"].upper())

    assert (await ann.request(method, f"/api/topics/{reference}", json={})).status == 404


# --- Deleting ------------------------------------------------------------------------------------------------------


async def test_a_deleted_topic_is_gone_at_once_and_its_name_free(house: House, heard: list[Event]) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms")
    await send(ann, "x")

    answer = await ann.delete(f"/api/topics/{made['id']}")

    assert (answer.status, answer.body) == (204, b"")
    assert TopicDeleted(topic_id=UUID(made["id"]), topic="alarms") in heard
    for path in ("/alarms/json", "/api/topics/alarms", f"/{made['id']}/json"):
        assert (await ann.get(path)).status == 404
    assert (await ann.delete(f"/api/topics/{made['id']}")).status == 404
    again = await make_topic(ann, "alarms")
    assert (again["id"] != made["id"], await texts(ann)) == (True, [])


async def test_a_large_topic_goes_in_small_batches_over_a_restart(house: House, autojump_clock: Any) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms")
    topic = await house.storage.read(lambda transaction: store.find_topic(transaction.connection, "alarms"))
    assert topic is not None

    def fill(transaction: Transaction) -> None:
        for number in range(2 * BATCH + 1):
            publisher = Publisher("me", key="k" if number == 0 else None)
            publish(transaction, topic, Draft("x"), publisher, Plan(topic.owner_id, 0, timedelta(days=1)))

    await house.storage.write(fill)
    assert await rows(house, made["id"]) == 2 * BATCH + 1

    def delete(transaction: Transaction) -> int:
        deleting.delete_topic(transaction, topic, ())
        return deleting.clear(transaction, topic.id)

    assert await house.storage.write(delete) == BATCH
    assert await rows(house, made["id"]) == BATCH + 1
    await trio.sleep(5)

    assert await rows(house, made["id"]) == 0
    assert await house.storage.read(nothing_is_known)


def nothing_is_known(transaction: Transaction) -> bool:
    """Whether neither the topic nor a key that something was published under is known any more."""
    return not any(transaction.connection.execute(select(table)).all() for table in (clearings, publish_keys))


async def test_publishing_to_a_topic_that_is_being_deleted_is_refused_or_gone(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(ann, "alarms")
    statuses: list[int] = []

    async def publish_some() -> None:
        statuses.extend([(await ann.post("/alarms", body=b"x")).status for _ in range(20)])

    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(publish_some)
        await trio.lowlevel.checkpoint()
        assert (await ann.delete(f"/api/topics/{made['id']}")).status == 204
    await trio.testing.wait_all_tasks_blocked()

    assert set(statuses) <= {200, 404}
    assert 404 in statuses
    assert await rows(house, made["id"]) == 0


async def test_deletion_is_written_into_the_audit_log(house: House) -> None:
    ann = await person(house, "ann")
    made = await make_topic(asking_as(house, ann), "alarms")

    await asking_as(house, ann).delete(f"/api/topics/{made['id']}")

    lines = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    assert [(line.action, line.actor, line.target) for line in lines] == [
        ("topics.topic_deleted", str(ann), made["id"])
    ]
