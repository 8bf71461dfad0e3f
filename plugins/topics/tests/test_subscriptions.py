"""Subscribing, deciding how to hear of a topic, unsubscribing: what is taken, what is refused, what others see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from manor import Event
from manor.testing import Client, House, SetClock
from manor_topics.events import SubscriptionCreated, SubscriptionDeleted
from tests.topic_people import asking_as, make_topic, person, refusal, send, subscribed, subscriptions

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
PATH = "/api/subscriptions"
SMALL = {"tiers": {"FREE": {"max_subscriptions": 2}, "FULL": {"max_subscriptions": 0}}}


@pytest.fixture
async def ann(house: House) -> Client:
    """Who has the public topic `news`."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client, "news", access_level="public", description="What is new", is_discoverable=True)
    return client


@pytest.fixture
async def bob(house: House, ann: Client) -> Client:
    """Who has nothing."""
    return asking_as(house, await person(house, "bob"))


# --- Subscribing ---------------------------------------------------------------------------------------------------


async def test_a_subscription_says_all_there_is_to_know(house: House, ann: Client, heard: list[Event]) -> None:
    await send(ann, "old", "news")
    bob = await person(house, "bob")
    heard.clear()

    made = await subscribed(asking_as(house, bob))

    assert made == {
        "id": made["id"],
        "user_id": str(bob),
        "topic_id": made["topic_id"],
        "topic_name": "news",
        "topic_description": "What is new",
        "access_level": "PUBLIC",
        "team_id": None,
        "icon_name": "bell",
        "icon_color": "blue",
        "created_at": "2030-01-02T12:00:00Z",
        "last_viewed_at": None,
        "last_notified_at": None,
        "web_notifications_enabled": True,
        "mobile_notifications_enabled": True,
        "mobile_notification_settings": {
            "priority_threshold": 5,
            "sound_enabled": True,
            "vibrate_enabled": True,
            "tags_filter": [],
            "notification_sound": "default",
        },
        "is_pinned": False,
        "topic_last_message_at": "2030-01-02T12:00:00Z",
        "unread_count": 0,
        "message_count": 1,
        "subscriber_count": 2,
    }
    assert await subscriptions(asking_as(house, bob)) == [made]
    (told,) = [event for event in heard if isinstance(event, SubscriptionCreated)]
    assert (str(told.subscription_id), str(told.topic_id), told.user_id) == (made["id"], made["topic_id"], bob)


async def test_settings_may_come_with_it(bob: Client) -> None:
    settings = {"priority_threshold": 2, "tags_filter": [" disk ", "disk", "", "fire"]}

    made = await subscribed(bob, web_notifications_enabled=False, mobile_notification_settings=settings)

    assert (made["web_notifications_enabled"], made["mobile_notifications_enabled"]) == (False, True)
    assert made["mobile_notification_settings"] == {
        "priority_threshold": 2,
        "sound_enabled": True,
        "vibrate_enabled": True,
        "tags_filter": ["disk", "fire"],
        "notification_sound": "default",
    }


async def test_members_that_are_null_are_as_good_as_absent(bob: Client) -> None:
    made = await subscribed(
        bob,
        web_notifications_enabled=None,
        mobile_notifications_enabled=None,
        mobile_notification_settings={"priority_threshold": None, "tags_filter": None},
    )

    assert made["web_notifications_enabled"] is True
    assert made["mobile_notification_settings"]["priority_threshold"] == 5
    answer = await bob.patch(f"{PATH}/{made['id']}", json={"is_pinned": None, "last_viewed_at": None})
    assert answer.json() == made


async def test_the_access_level_is_in_upper_case(ann: Client) -> None:
    await make_topic(ann, "secret", access_level="private")

    assert {each["topic_name"]: each["access_level"] for each in await subscriptions(ann)} == {
        "news": "PUBLIC",
        "secret": "PRIVATE",
    }


async def test_a_topic_may_be_named_by_its_id(bob: Client) -> None:
    topic_id = (await bob.get("/api/topics/news")).json()["id"]

    made = await subscribed(bob, topic_id)

    assert made["topic_name"] == "news"
    assert (await bob.get(f"{PATH}/check/{topic_id}")).json() == {"subscribed": True, "topic_name": topic_id}
    assert (await bob.delete(f"{PATH}/by-topic/{topic_id}")).status == 204


async def test_nobody_subscribes_twice(bob: Client) -> None:
    await subscribed(bob)

    again = await bob.post(PATH, json={"topic_name": "news"})

    assert refusal(again) == (409, "There is a subscription to the topic 'news' already")
    assert (await bob.get("/api/topics/news")).json()["subscriber_count"] == 2


async def test_a_topic_that_one_may_not_read_is_refused(ann: Client, bob: Client) -> None:
    await make_topic(ann, "secret", access_level="private")

    assert (await bob.post(PATH, json={"topic_name": "secret"})).status == 403
    assert (await bob.post(PATH, json={"topic_name": "missing"})).status == 404
    assert await subscriptions(bob) == []


@pytest.mark.manor(config={"plugins": {"topics": {"hide_private": True}}})
async def test_a_hidden_topic_is_not_found(ann: Client, bob: Client) -> None:
    await make_topic(ann, "secret", access_level="private")

    hidden, missing = [await bob.post(PATH, json={"topic_name": name}) for name in ("secret", "missing")]

    assert (hidden.status, missing.status) == (404, 404)
    assert hidden.text.replace("secret", "missing") == missing.text


@pytest.mark.manor(config=SMALL)
async def test_a_plan_has_room_for_so_many(house: House, ann: Client) -> None:
    await make_topic(ann, "second", access_level="public")
    third = await make_topic(ann, "third", access_level="public")
    bob = asking_as(house, await person(house, "bob"))
    rich = asking_as(house, await person(house, "rich", tier="FULL"))
    for name in ("news", "second"):
        await subscribed(bob, name)

    refused = await bob.post(PATH, json={"topic_name": "third"})

    assert refusal(refused)[0] == 403
    assert "max_subscriptions" in refusal(refused)[1]
    assert "max_subscriptions" in third["subscription_warning"]
    for name in ("news", "second", "third"):
        await subscribed(rich, name)
    assert (await bob.delete(f"{PATH}/by-topic/news")).status == 204
    await subscribed(bob, "third")


async def test_who_makes_a_topic_is_subscribed_to_it(ann: Client) -> None:
    made = await make_topic(ann, "alarms")

    assert (made["subscription_warning"], made["subscriber_count"]) == (None, 1)
    assert [each["topic_name"] for each in await subscriptions(ann)] == ["alarms", "news"]


# --- Changing ------------------------------------------------------------------------------------------------------


async def test_what_is_left_out_stays_as_it_is(bob: Client) -> None:
    made = await subscribed(bob, mobile_notification_settings={"notification_sound": "chime", "sound_enabled": False})

    changed = await bob.patch(
        f"{PATH}/{made['id']}",
        json={"is_pinned": True, "mobile_notification_settings": {"priority_threshold": 1, "vibrate_enabled": False}},
    )

    assert changed.status == 200, changed.text
    settings = {
        "priority_threshold": 1,
        "sound_enabled": False,
        "vibrate_enabled": False,
        "tags_filter": [],
        "notification_sound": "chime",
    }
    assert changed.json() == made | {"is_pinned": True, "mobile_notification_settings": settings}
    assert await subscriptions(bob) == [changed.json()]
    assert (await bob.patch(f"{PATH}/{made['id']}", json={})).json() == changed.json()


async def test_pinned_ones_come_first_then_those_with_the_newest_messages(
    ann: Client, bob: Client, clock: SetClock
) -> None:
    for name in ("bees", "ants", "cats", "dogs"):
        await make_topic(ann, name, access_level="public")
        await subscribed(bob, name)
    for name in ("dogs", "cats"):
        clock.set(clock.now() + timedelta(seconds=1))
        await send(ann, "x", name)
    pinned = (await subscriptions(bob))[-1]
    assert [each["topic_name"] for each in await subscriptions(bob)] == ["cats", "dogs", "ants", "bees"]

    await bob.patch(f"{PATH}/{pinned['id']}", json={"is_pinned": True})

    assert [each["topic_name"] for each in await subscriptions(bob)] == ["bees", "cats", "dogs", "ants"]


# --- Ending --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["by id", "by topic"])
async def test_an_ended_subscription_is_gone(house: House, ann: Client, heard: list[Event], way: str) -> None:
    bob_id = await person(house, "bob")
    bob = asking_as(house, bob_id)
    made = await subscribed(bob)
    path = f"{PATH}/{made['id']}" if way == "by id" else f"{PATH}/by-topic/news"
    heard.clear()

    ended = await bob.delete(path)

    assert (ended.status, ended.body) == (204, b"")
    assert await subscriptions(bob) == []
    assert (await bob.get("/api/topics/news")).json()["subscriber_count"] == 1
    (told,) = [event for event in heard if isinstance(event, SubscriptionDeleted)]
    assert (str(told.subscription_id), str(told.topic_id), told.user_id) == (made["id"], made["topic_id"], bob_id)
    assert (await bob.delete(path)).status == 404
    assert (await bob.get("/api/topics/news")).json()["subscriber_count"] == 1


async def test_a_deleted_topic_has_no_subscribers_left(ann: Client, bob: Client) -> None:
    made = await subscribed(bob)

    assert (await ann.delete(f"/api/topics/{made['topic_id']}")).status == 204

    assert await subscriptions(bob) == []
    assert (await bob.delete(f"{PATH}/{made['id']}")).status == 404
    await make_topic(ann, "news", access_level="public")
    assert (await bob.get(f"{PATH}/check/news")).json()["subscribed"] is False
    assert (await subscribed(bob))["subscriber_count"] == 2


# --- Asking --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["missing", "Not a name", "%00", "x" * 300, UNKNOWN, "news"])
async def test_whoever_is_not_subscribed_is_told_so(bob: Client, name: str) -> None:
    answer = await bob.get(f"{PATH}/check/{name.replace(' ', '%20')}")

    assert (answer.status, answer.json()["subscribed"]) == (200, False)


async def test_whoever_is_subscribed_is_told_so(bob: Client) -> None:
    await subscribed(bob)

    assert (await bob.get(f"{PATH}/check/news")).json() == {"subscribed": True, "topic_name": "news"}


@contextmanager
def asked() -> Iterator[list[str]]:
    """All that is asked of the database meanwhile."""
    statements: list[str] = []

    def note(*given: Any) -> None:
        statements.append(given[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


# --- Many ----------------------------------------------------------------------------------------------------------


async def test_a_list_takes_the_same_few_questions_however_long_it_is(house: House, ann: Client, bob: Client) -> None:
    await subscribed(bob)
    with asked() as few:
        await subscriptions(bob)
    for number in range(20):
        await make_topic(ann, f"topic-{number}", access_level="public")
        await subscribed(bob, f"topic-{number}")

    with asked() as many:
        assert len(await subscriptions(bob)) == 21

    assert len(many) == len(few)
