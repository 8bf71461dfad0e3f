"""Editing and deleting messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import trio

from manor import Event
from manor.testing import Client, House, SetClock
from manor_topics.events import MessageDeleted, MessageEdited
from tests.topic_people import asking_as, make_topic, person, refusal, send, texts

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
METHODS = pytest.mark.parametrize("method", ["PATCH", "DELETE"])
EDIT = {"message": "edited"}


def path(message: dict[str, Any], topic: str = "alarms") -> str:
    return f"/api/{topic}/messages/{message['id']}"


async def counters(client: Client, topic: str = "alarms") -> tuple[int, str | None]:
    shown = (await client.get(f"/api/topics/{topic}")).json()
    return shown["message_count"], shown["last_message_at"]


@pytest.fixture
async def ann(house: House) -> Client:
    """Somebody who has the topic `alarms`."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client, "alarms")
    return client


# --- Editing -------------------------------------------------------------------------------------------------------


async def test_an_edited_message_keeps_its_id_its_time_and_its_place(
    ann: Client, clock: SetClock, heard: list[Event]
) -> None:
    sent = (await ann.post("/alarms", json={"message": "disk", "title": "db1", "priority": 1, "tags": ["a"]})).json()
    last = await send(ann, "later")
    clock.set(NOON + timedelta(minutes=5))
    heard.clear()

    answer = await ann.patch(path(sent), json={"message": "disk is full\n"})

    assert (answer.status, answer.json()) == (
        200,
        {"id": sent["id"], "message": "disk is full\n", "title": "db1", "edited_at": "2030-01-02T12:05:00Z"},
    )
    first = (await ann.get("/alarms/json?since=all")).json()["messages"][0]
    changed = {"message": "disk is full\n", "is_edited": True, "edited_at": "2030-01-02T12:05:00Z"}
    assert first == sent | changed
    (told,) = heard
    assert isinstance(told, MessageEdited)
    assert (told.content.id, told.content.message) == (UUID(sent["id"]), "disk is full\n")
    assert told.position > last["sequence"]


@pytest.mark.parametrize(("more", "title"), [({}, "db1"), ({"title": None}, None), ({"title": "db2"}, "db2")])
async def test_a_title_stays_goes_or_changes(ann: Client, more: dict[str, Any], title: str | None) -> None:
    sent = (await ann.post("/alarms", json={"message": "disk", "title": "db1"})).json()

    assert (await ann.patch(path(sent), json={"message": "x", **more})).json()["title"] == title
    assert (await ann.get("/alarms/json")).json()["messages"][0]["title"] == title


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"title": "only"}, 422),
        ({"message": None}, 422),
        ({"message": 7}, 422),
        ({"message": ""}, 422),
        ({"message": " \n"}, 422),
        ({"message": "x" * 65_537}, 413),
        ({"message": "ż" * 32_769}, 413),
        ({"message": "x", "title": ""}, 422),
        ({"message": "x", "title": "x" * 251}, 422),
        ({"message": "x", "title": "a\nb"}, 422),
        ({"message": "x", "title": 1}, 422),
        ([], 422),
        ("x", 422),
    ],
)
async def test_what_no_message_can_say_is_refused(ann: Client, body: Any, status: int) -> None:
    sent = await send(ann, "x")

    assert refusal(await ann.patch(path(sent), json=body))[0] == status
    assert await texts(ann) == ["x"]


@pytest.mark.parametrize("body", [b"", b"message=x", b"\xff", b'{"message": "\\ud800"}'])
async def test_what_is_not_json_is_refused(ann: Client, body: bytes) -> None:
    sent = await send(ann, "x")

    assert (await ann.patch(path(sent), body=body)).status in (400, 422)


# --- Deleting ------------------------------------------------------------------------------------------------------


async def test_a_deleted_message_is_hidden_at_once(ann: Client, clock: SetClock, heard: list[Event]) -> None:
    first, second = await send(ann, "one"), await send(ann, "two")
    clock.set(NOON + timedelta(minutes=5))
    heard.clear()

    answer = await ann.delete(path(second))

    assert answer.status == 200
    assert answer.json() == {
        "id": second["id"],
        "deleted_at": "2030-01-02T12:05:00Z",
        "message": "Message deleted successfully",
    }
    assert await texts(ann) == ["one"]
    assert await counters(ann) == (1, first["timestamp"])
    (told,) = heard
    assert isinstance(told, MessageDeleted)
    assert (told.id, told.topic, told.timestamp) == (UUID(second["id"]), "alarms", NOON + timedelta(minutes=5))


async def test_the_newest_that_is_left_says_when_the_last_message_came(ann: Client) -> None:
    first, second, third = [await send(ann, text) for text in ("one", "two", "three")]

    await ann.delete(path(second))
    assert await counters(ann) == (2, third["timestamp"])
    await ann.delete(path(third))
    assert await counters(ann) == (1, first["timestamp"])
    await ann.delete(path(first))
    assert await counters(ann) == (0, None)


async def test_the_time_of_a_deleted_message_is_not_given_again(ann: Client) -> None:
    """Who polls by time has seen it, and asks for what came later."""
    first, second = await send(ann, "one"), await send(ann, "two")

    await ann.delete(path(second))
    third = await send(ann, "three")

    times = [datetime.fromisoformat(message["timestamp"]) for message in (first, second, third)]
    assert times == sorted(set(times))
    assert third["sequence"] == 3


async def test_a_stream_that_goes_on_behind_a_deleted_message_loses_nothing(ann: Client) -> None:
    _, second, _ = [await send(ann, text) for text in ("one", "two", "three")]
    await ann.delete(path(second))

    answer = await ann.get(f"/alarms/json?since={second['id']}")

    assert [message["message"] for message in answer.json()["messages"]] == ["one", "three"]


# --- Both ----------------------------------------------------------------------------------------------------------


@METHODS
async def test_a_deleted_message_is_neither_edited_nor_deleted_again(ann: Client, method: str) -> None:
    sent = await send(ann, "x")
    assert (await ann.delete(path(sent))).status == 200

    assert refusal(await ann.request(method, path(sent), json=EDIT)) == (404, "There is no such message in this topic")
    assert await counters(ann) == (0, None)


@METHODS
async def test_an_expired_message_is_gone(ann: Client, clock: SetClock, method: str) -> None:
    sent = await send(ann, "x")
    clock.set(NOON + timedelta(days=30))

    assert (await ann.request(method, path(sent), json=EDIT)).status == 404


@METHODS
@pytest.mark.parametrize("message_id", [UNKNOWN, "x", "{upper}", "{hex}", "0", "%00", "x" * 300])
async def test_an_unknown_message_is_not_found(ann: Client, method: str, message_id: str) -> None:
    sent = await send(ann, "x")
    message_id = message_id.replace("{upper}", sent["id"].upper()).replace("{hex}", UUID(sent["id"]).hex)

    assert (await ann.request(method, f"/api/alarms/messages/{message_id}", json=EDIT)).status == 404


@METHODS
async def test_a_message_of_another_topic_is_not_found(ann: Client, method: str) -> None:
    await make_topic(ann, "sirens")
    sent = await send(ann, "x", "sirens")

    assert (await ann.request(method, path(sent), json=EDIT)).status == 404
    assert (await ann.request(method, path(sent, "nothing"), json=EDIT)).status == 404
    assert await texts(ann, "sirens") == ["x"]


@METHODS
async def test_those_who_do_not_manage_the_topic_leave_its_messages_as_they_are(
    house: House, client: Client, method: str
) -> None:
    """Not even who published one changes it."""
    ann, eve = await person(house, "ann"), asking_as(house, await person(house, "eve"))
    await make_topic(asking_as(house, ann), "news", access_level="public")
    sent = await send(eve, "x", "news")
    lacking = asking_as(house, ann, scopes=frozenset({"topics:write", "publish"}))

    for asker, status in ((client, 401), (eve, 403), (lacking, 403), (asking_as(house, ann), 200)):
        assert (await asker.request(method, path(sent, "news"), json=EDIT)).status == status


@METHODS
@pytest.mark.manor(config={"plugins": {"topics": {"hide_private": True}}})
async def test_a_hidden_topic_is_missing_to_those_who_may_not_read_it(house: House, ann: Client, method: str) -> None:
    sent, eve = await send(ann, "x"), asking_as(house, await person(house, "eve"))

    assert (await eve.request(method, path(sent), json=EDIT)).status == 404
    assert (await ann.request(method, path(sent), json=EDIT)).status == 200


@METHODS
@pytest.mark.manor(config={"tiers": {"NONE": {"message_edit": False}}})
async def test_a_plan_may_do_without_edited_messages(house: House, method: str) -> None:
    nick = asking_as(house, await person(house, "nick", tier="NONE"))
    await make_topic(nick, "alarms")
    sent = await send(nick, "x")

    status, detail = refusal(await nick.request(method, path(sent), json=EDIT))

    assert (status, "message_edit" in detail) == (403, True)


@METHODS
async def test_the_topic_may_be_named_by_its_id(ann: Client, method: str) -> None:
    sent = await send(ann, "x")

    assert (await ann.request(method, path(sent, sent["topic_id"]), json=EDIT)).status == 200


async def test_of_an_edit_and_a_deletion_at_once_the_deletion_stays(ann: Client) -> None:
    sent = await send(ann, "x")
    statuses: dict[str, list[int]] = {"PATCH": [], "DELETE": []}

    async def ask(method: str) -> None:
        statuses[method].append((await ann.request(method, path(sent), json=EDIT)).status)

    async with trio.open_nursery() as nursery:
        for method in ("PATCH", "DELETE", "PATCH", "DELETE"):
            nursery.start_soon(ask, method)

    assert sorted(statuses["DELETE"]) == [200, 404]
    assert set(statuses["PATCH"]) <= {200, 404}
    assert (await texts(ann), await counters(ann)) == ([], (0, None))
