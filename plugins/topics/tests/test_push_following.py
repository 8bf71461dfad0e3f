"""Whom a message is pushed to: decided by settings and rights, when it is published and again when it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from manor import NewUser, add_member, add_user, create_team, remove_member, set_active
from manor.testing import Client, SetClock
from tests.push_services import saying
from tests.pushing import Pushing, open_pushing, subscribe
from tests.topic_people import asking_as, make_topic, send

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
async def pushing(tmp_path: Path, clock: SetClock) -> AsyncIterator[Pushing]:
    async with open_pushing(tmp_path / "house", clock) as opened:
        yield opened


@pytest.fixture
async def ann(pushing: Pushing) -> Client:
    """Somebody who has the public topic `alarms` and is not reached."""
    client = await pushing.person("ann")
    await make_topic(client, "alarms", access_level="public")
    return client


@pytest.fixture
async def bob(pushing: Pushing, ann: Client) -> Client:
    """Somebody who has a browser and a phone, and is subscribed to `alarms`."""
    client = await pushing.person("bob")
    await subscribe(client)
    await pushing.browser(client, "bob")
    await pushing.phone(client, "bob")
    return client


def reached(pushing: Pushing) -> tuple[int, int]:
    """How many messages browsers were sent, and phones."""
    return len(pushing.web.taken), len(pushing.expo.taken)


async def publish(client: Client, text: str = "Disk full", **members: Any) -> dict[str, Any]:
    answer = await client.post("/alarms", json={"message": text, **members})
    assert answer.status == 200, answer.text
    sent: dict[str, Any] = answer.json()
    return sent


async def test_subscribers_are_reached_and_nobody_else(pushing: Pushing, ann: Client, bob: Client) -> None:
    carol = await pushing.person("carol")
    await pushing.browser(carol, "carol")
    await publish(ann)
    await pushing.settled()

    assert [asked.path for asked in pushing.web.taken] == ["/push/bob"]
    assert [message["to"] for message in pushing.expo.taken] == ["ExponentPushToken[bob]"]


@pytest.mark.parametrize(
    ("settings", "members", "expected"),
    [
        ({"web_notifications_enabled": False}, {}, (0, 1)),
        ({"mobile_notifications_enabled": False}, {}, (1, 0)),
        ({"priority_threshold": 2}, {"priority": 3}, (0, 0)),
        ({"priority_threshold": 2}, {"priority": 2}, (1, 1)),
        ({"priority_threshold": 1}, {"priority": 1}, (1, 1)),
        ({"tags_filter": ["disk"]}, {}, (0, 0)),
        ({"tags_filter": ["disk"]}, {"tags": ["cpu"]}, (0, 0)),
        ({"tags_filter": ["disk", "cpu"]}, {"tags": ["cpu", "x"]}, (1, 1)),
        ({"tags_filter": []}, {"tags": ["cpu"]}, (1, 1)),
    ],
)
async def test_settings_decide(
    pushing: Pushing,
    ann: Client,
    bob: Client,
    settings: dict[str, Any],
    members: dict[str, Any],
    expected: tuple[int, int],
) -> None:
    await subscribe(bob, **settings)
    await publish(ann, **members)
    await pushing.settled()

    assert reached(pushing) == expected


async def test_one_persons_settings_are_nobody_elses(pushing: Pushing, ann: Client, bob: Client) -> None:
    await subscribe(ann, priority_threshold=1, web_notifications_enabled=False)
    await pushing.browser(ann)
    await publish(ann, priority=5)
    await pushing.settled()

    assert [asked.path for asked in pushing.web.taken] == ["/push/bob"]


# --- Between publishing and sending ----------------------------------------------------------------------------------


async def test_a_message_that_is_deleted_meanwhile_is_not_sent(pushing: Pushing, ann: Client, bob: Client) -> None:
    pushing.web.answers, pushing.expo.answers = [saying(503)], [saying(503)]
    sent = await publish(ann)
    await pushing.settled()
    assert (await ann.delete(f"/api/alarms/messages/{sent['id']}")).status == 200
    assert await pushing.retried() == await pushing.rows("dead") == []

    assert reached(pushing) == (0, 0)


async def test_a_message_that_is_edited_meanwhile_is_sent_as_it_is(pushing: Pushing, ann: Client, bob: Client) -> None:
    pushing.web.answers, pushing.expo.answers = [saying(503)], [saying(503)]
    sent = await publish(ann)
    await pushing.settled()
    answer = await ann.request("PATCH", f"/api/alarms/messages/{sent['id']}", json={"message": "Disk is fine"})
    assert answer.status == 200
    await pushing.retried()

    assert [message["body"] for message in pushing.expo.taken] == ["Disk is fine"]


async def test_a_subscription_that_is_muted_or_ended_meanwhile_counts(
    pushing: Pushing, ann: Client, bob: Client
) -> None:
    pushing.web.answers, pushing.expo.answers = [saying(503)], [saying(503)]
    await publish(ann)
    await pushing.settled()
    await subscribe(bob, web_notifications_enabled=False)
    await pushing.retried()
    assert reached(pushing) == (0, 1)
    pushing.expo.answers = [saying(503)]
    await publish(ann)
    await pushing.settled()
    assert (await bob.delete("/api/subscriptions/by-topic/alarms")).status == 204
    await pushing.retried()

    assert reached(pushing) == (0, 1)


async def test_a_device_that_is_removed_meanwhile_is_sent_nothing(pushing: Pushing, ann: Client, bob: Client) -> None:
    pushing.web.answers, pushing.expo.answers = [saying(503)], [saying(503)]
    await publish(ann)
    await pushing.settled()
    for device in ("browser-bob", "phone-bob"):
        assert (await bob.delete(f"/api/devices/{device}")).status == 204
    assert await pushing.retried() == await pushing.rows("dead") == []

    assert reached(pushing) == (0, 0)


async def test_what_waits_holds_nobodys_words(pushing: Pushing, ann: Client, bob: Client) -> None:
    pushing.web.answers, pushing.expo.answers = [saying(503)], [saying(503)]
    await publish(ann, "Heliotrope")
    rows = await pushing.settled()

    assert len(rows) == 2
    assert not any("eliotrope" in row.payload or "push/bob" in row.payload for row in rows)


async def test_an_old_message_is_not_pushed(pushing: Pushing, ann: Client, bob: Client, clock: SetClock) -> None:
    pushing.web.answers, pushing.expo.answers = [saying(503)], [saying(503)]
    await publish(ann)
    await pushing.settled()
    clock.set(NOON + timedelta(days=1, seconds=1))
    assert await pushing.retried() == await pushing.rows("dead") == []

    assert reached(pushing) == (0, 0)


async def test_a_topic_that_is_deleted_meanwhile_is_silent(pushing: Pushing, ann: Client, bob: Client) -> None:
    pushing.web.answers, pushing.expo.answers = [saying(503)], [saying(503)]
    await publish(ann)
    await pushing.settled()
    topic = (await ann.get("/api/topics/alarms")).json()
    assert (await ann.delete(f"/api/topics/{topic['id']}")).status == 204
    assert await pushing.retried() == await pushing.rows("dead") == []

    assert reached(pushing) == (0, 0)


# --- Rights ----------------------------------------------------------------------------------------------------------


async def test_who_may_not_read_the_topic_any_more_is_not_told(pushing: Pushing, ann: Client, bob: Client) -> None:
    topic = (await ann.get("/api/topics/alarms")).json()
    pushing.web.answers, pushing.expo.answers = [saying(503)], [saying(503)]
    await publish(ann, "first")
    await pushing.settled()
    await ann.request("PATCH", f"/api/topics/{topic['id']}", json={"access_level": "private"})
    await publish(ann, "second")
    assert await pushing.retried() == await pushing.settled() == []

    assert reached(pushing) == (0, 0)


async def test_a_team_hears_its_topic_until_they_leave(pushing: Pushing) -> None:
    house = pushing.house

    async def added(name: str) -> UUID:
        new = NewUser(username=name, email=f"{name}@example.org", tier="FREE", is_verified=True)
        return (await house.storage.write(lambda transaction: add_user(transaction, new))).id

    ann_id, bob_id = await added("ann"), await added("bob")
    team = await house.storage.write(
        lambda transaction: create_team(transaction, name="ops", display_name="Ops", owner_id=ann_id)
    )
    await house.storage.write(lambda transaction: add_member(transaction, team.id, bob_id, "member"))
    ann, bob = asking_as(house, ann_id), asking_as(house, bob_id)
    await make_topic(ann, "alarms", team_id=str(team.id))
    await subscribe(bob)
    browser = await pushing.browser(bob, "bob")
    await publish(ann, "first")
    await pushing.settled()
    await house.storage.write(lambda transaction: remove_member(transaction, team.id, bob_id))
    await publish(ann, "second")
    await pushing.settled()

    assert [shown["message"] for shown in browser.shown] == ["first"]


async def test_an_account_that_is_switched_off_is_told_nothing(pushing: Pushing, ann: Client, bob: Client) -> None:
    user_id = UUID((await pushing.device(bob, "phone-bob"))["user_id"])
    await pushing.house.storage.write(lambda transaction: set_active(transaction, user_id, is_active=False))
    await publish(ann)
    await pushing.settled()

    assert reached(pushing) == (0, 0)


# --- Over time -------------------------------------------------------------------------------------------------------


async def test_messages_are_pushed_once_over_a_restart(tmp_path: Path, clock: SetClock) -> None:
    async with open_pushing(tmp_path / "house", clock) as pushing:
        ann = await pushing.person("ann")
        await make_topic(ann, "alarms")
        await subscribe(ann)
        await pushing.phone(ann)
        await publish(ann, "first")
        await pushing.settled()
        assert reached(pushing) == (0, 1)
        principals = ann.principals
    async with open_pushing(tmp_path / "house", clock) as pushing:
        ann = Client(pushing.house.dispatcher, principals=principals)
        await publish(ann, "second")
        await pushing.settled()

        assert [message["body"] for message in pushing.expo.taken] == ["second"]


async def test_what_was_published_while_nothing_was_pushed_is_pushed_if_it_is_young(
    tmp_path: Path, clock: SetClock
) -> None:
    async with open_pushing(tmp_path / "house", clock) as pushing:
        ann = await pushing.person("ann")
        await make_topic(ann, "alarms")
        await subscribe(ann)
        await pushing.phone(ann)
        principals = ann.principals
    async with open_pushing(tmp_path / "house", clock, providers=()) as pushing:
        ann = Client(pushing.house.dispatcher, principals=principals)
        await publish(ann, "old")
        clock.set(NOON + timedelta(days=3))
        await publish(ann, "young")
        await pushing.settled()
        assert reached(pushing) == (0, 0)
    async with open_pushing(tmp_path / "house", clock) as pushing:
        await pushing.settled()

        assert [message["body"] for message in pushing.expo.taken] == ["young"]


async def test_the_badge_counts_all_topics_and_the_message_its_own(pushing: Pushing, ann: Client, bob: Client) -> None:
    await make_topic(bob, "other")
    await subscribe(bob, "other")
    await send(bob, "x", "other")
    await pushing.settled()
    await publish(ann)
    await pushing.settled()

    last = pushing.expo.taken[-1]
    assert (last["badge"], last["data"]["unread_count"]) == (2, 1)
