"""Expo push: its API on loopback gets what its manual asks for, and dead tokens end devices at once or by receipt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from manor.testing import Client, SetClock
from tests.push_services import saying
from tests.pushing import Pushing, open_pushing, subscribe
from tests.topic_people import make_topic, refusal

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
TICKETS = "topics.push_receipts"


@pytest.fixture
async def pushing(tmp_path: Path, clock: SetClock) -> AsyncIterator[Pushing]:
    async with open_pushing(tmp_path / "house", clock) as opened:
        yield opened


@pytest.fixture
async def ann(pushing: Pushing) -> Client:
    """Somebody who has the topic `alarms`, and is subscribed to it."""
    client = await pushing.person("ann")
    await make_topic(client, "alarms")
    await subscribe(client)
    return client


async def publish(client: Client, text: str = "Disk full", **members: Any) -> dict[str, Any]:
    answer = await client.post("/alarms", json={"message": text, **members})
    assert answer.status == 200, answer.text
    sent: dict[str, Any] = answer.json()
    return sent


async def test_expo_is_told_all_that_the_app_needs(pushing: Pushing, ann: Client) -> None:
    await pushing.phone(ann)
    sent = await publish(ann, "Zażółć", title="Server down", priority=1, tags=["disk"], click="https://example.org")
    await pushing.settled()

    (message,) = pushing.expo.taken
    data = message.pop("data")
    assert message == {
        "to": "ExponentPushToken[ann]",
        "title": "Server down",
        "body": "Zażółć",
        "priority": "high",
        "badge": 1,
        "ttl": 86400,
        "sound": "default",
        "channelId": "default",
    }
    assert {name: data[name] for name in ("id", "topic", "priority", "tags", "unread_count")} == {
        "id": sent["id"],
        "topic": "alarms",
        "priority": 1,
        "tags": ["disk"],
        "unread_count": 1,
    }


@pytest.mark.parametrize(("priority", "said"), [(1, "high"), (2, "high"), (3, "default"), (4, "normal"), (5, "normal")])
async def test_the_most_important_is_high(pushing: Pushing, ann: Client, priority: int, said: str) -> None:
    await pushing.phone(ann)
    await publish(ann, priority=priority)
    await pushing.settled()

    assert [message["priority"] for message in pushing.expo.taken] == [said]


async def test_each_has_their_own_sound(pushing: Pushing, ann: Client) -> None:
    bob = await pushing.person("bob")
    topic = (await ann.get("/api/topics/alarms")).json()
    await ann.request("PATCH", f"/api/topics/{topic['id']}", json={"access_level": "public"})
    await subscribe(ann, sound_enabled=False)
    await subscribe(bob, notification_sound="bell")
    await pushing.phone(ann)
    await pushing.phone(bob, "bob")
    await publish(ann)
    await pushing.settled()

    assert {message["to"]: message.get("sound") for message in pushing.expo.taken} == {
        "ExponentPushToken[ann]": None,
        "ExponentPushToken[bob]": "bell",
    }


async def test_many_devices_are_reached_by_a_hundred_in_a_request(pushing: Pushing, ann: Client) -> None:
    for number in range(60):
        await pushing.phone(ann, str(number))
    await publish(ann, "first")
    await pushing.settled()
    assert [len(asked.json()) for asked in pushing.expo.asked] == [60]
    assert len({message["to"] for message in pushing.expo.taken}) == 60


async def test_a_message_that_is_long_is_shortened(pushing: Pushing, ann: Client) -> None:
    await pushing.phone(ann)
    await publish(ann, 'ż"\\' * 9000, tags=[f"{number:02}" + "ź" * 40 for number in range(20)])
    await pushing.settled()

    (message,) = pushing.expo.taken
    assert (message["body"][-1], message["data"]["is_shortened"]) == ("…", True)


# --- Dead tokens -----------------------------------------------------------------------------------------------------


async def test_a_device_that_expo_knows_no_more_is_inactive_and_the_others_are_not(
    pushing: Pushing, ann: Client
) -> None:
    await pushing.phone(ann, "old")
    await pushing.phone(ann, "new")
    pushing.expo.dead = {"ExponentPushToken[old]"}
    await publish(ann)
    await publish(ann)
    await pushing.settled()

    old, new = await pushing.device(ann, "phone-old"), await pushing.device(ann, "phone-new")
    assert (old["is_active"], old["delivered"], new["is_active"], new["delivered"]) == (False, 0, True, 2)
    assert "DeviceNotRegistered" in old["last_error"]
    assert await pushing.rows("dead") == []


async def test_a_receipt_ends_a_device_that_was_thought_alive(pushing: Pushing, ann: Client) -> None:
    await pushing.phone(ann)
    await publish(ann)
    (row,) = await pushing.settled()
    assert (row.name, row.due_at) == (TICKETS, NOON + timedelta(minutes=15))
    details = {"error": "DeviceNotRegistered"}
    pushing.expo.receipts = {"ticket-1": {"status": "error", "message": "gone", "details": details}}

    assert await pushing.retried() == []
    device = await pushing.device(ann, "phone-ann")
    assert (device["is_active"], device["last_error"]) == (False, "Expo: DeviceNotRegistered gone")


async def test_a_receipt_for_an_old_push_token_leaves_the_new_one_alive(pushing: Pushing, ann: Client) -> None:
    await pushing.phone(ann)
    await publish(ann)
    await pushing.settled()
    await ann.put("/api/devices/phone-ann", json={"push_token": "ExponentPushToken[new]"})
    details = {"error": "DeviceNotRegistered"}
    pushing.expo.receipts = {"ticket-1": {"status": "error", "message": "gone", "details": details}}
    await pushing.retried()

    assert (await pushing.device(ann, "phone-ann"))["is_active"] is True


async def test_receipts_that_are_good_end_it_and_those_that_are_missing_are_asked_for_again(
    pushing: Pushing, ann: Client
) -> None:
    await pushing.phone(ann)
    await publish(ann)
    await pushing.settled()
    (row,) = await pushing.retried()
    assert (row.name, row.due_at) == (TICKETS, NOON + timedelta(minutes=15))
    pushing.expo.receipts = {"ticket-1": {"status": "ok"}}

    assert await pushing.retried() == await pushing.rows("dead") == []
    assert (await pushing.device(ann, "phone-ann"))["failures"] == 0


async def test_receipts_that_never_come_are_given_up_quietly(pushing: Pushing, ann: Client) -> None:
    await pushing.phone(ann)
    await publish(ann)
    await pushing.settled()
    for _ in range(7):
        assert len(await pushing.retried()) == 1

    assert await pushing.retried() == await pushing.rows("dead") == []


# --- What is not taken -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 504])
async def test_a_busy_expo_is_asked_again_later(pushing: Pushing, ann: Client, status: int) -> None:
    pushing.expo.answers = [saying(status, Retry_After="120")]
    await pushing.phone(ann)
    await publish(ann)
    (row,) = await pushing.settled()

    assert (row.attempts, row.due_at) == (1, NOON + timedelta(seconds=120))
    assert (await pushing.device(ann, "phone-ann"))["delivered"] == 0
    await pushing.retried()
    assert (await pushing.device(ann, "phone-ann"))["delivered"] == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"data": []}', b'{"data": {"status": "ok"}}', b"\xff"])
async def test_an_answer_that_cannot_be_read_is_no_success(pushing: Pushing, ann: Client, body: bytes) -> None:
    pushing.expo.answers = [saying(200, body)]
    await pushing.phone(ann)
    await publish(ann)
    (row,) = await pushing.settled()

    device = await pushing.device(ann, "phone-ann")
    assert (row.attempts, device["delivered"], device["failures"], device["is_active"]) == (1, 0, 1, True)


async def test_only_what_was_not_taken_is_sent_again(pushing: Pushing, ann: Client) -> None:
    await pushing.phone(ann, "slow")
    await pushing.phone(ann, "quick")
    pushing.expo.errors = {"ExponentPushToken[slow]": "MessageRateExceeded"}
    await publish(ann)
    rows = await pushing.settled()
    assert {(row.name, row.due_at) for row in rows} == {
        ("topics.push_expo", NOON + timedelta(seconds=30)),
        (TICKETS, NOON + timedelta(minutes=15)),
    }
    pushing.expo.errors = {}
    await pushing.retried()

    assert [message["to"] for message in pushing.expo.taken] == ["ExponentPushToken[quick]", "ExponentPushToken[slow]"]


async def test_devices_of_two_apps_spoil_nothing_for_each_other(pushing: Pushing, ann: Client) -> None:
    for app in ("one", "two"):
        for number in range(3):
            await pushing.phone(ann, f"{app}{number}", push_token=f"Token[{number}]/{app}")
    await publish(ann)
    await pushing.settled()

    assert len({message["to"] for message in pushing.expo.taken}) == 6
    assert await pushing.rows("dead") == []


@pytest.mark.parametrize("error", ["InvalidCredentials", "MessageTooBig", "Odd"])
async def test_what_expo_refuses_for_good_is_a_dead_letter(pushing: Pushing, ann: Client, error: str) -> None:
    await pushing.phone(ann)
    pushing.expo.errors = {"ExponentPushToken[ann]": error}
    await publish(ann)
    assert await pushing.settled() == []

    device = await pushing.device(ann, "phone-ann")
    assert len(await pushing.rows("dead")) == 1
    assert (device["is_active"], device["last_error"]) == (True, f"Expo: {error} no")


async def test_a_dead_letter_is_sent_when_an_admin_says_so(pushing: Pushing, ann: Client) -> None:
    pushing.expo.answers = [saying(401)]
    await pushing.phone(ann)
    await publish(ann)
    await pushing.settled()
    await pushing.retried(state="dead")

    assert [message["body"] for message in pushing.expo.taken] == ["Disk full"]


# --- Trials ----------------------------------------------------------------------------------------------------------


async def test_a_trial_says_what_expo_says(pushing: Pushing, ann: Client) -> None:
    device = await pushing.phone(ann)
    answer = await ann.post(f"/api/devices/{device['id']}/test")
    assert (answer.status, answer.json()["device_id"]) == (200, device["id"])
    pushing.expo.errors = {"ExponentPushToken[ann]": "MessageRateExceeded"}
    assert refusal(await ann.post("/api/devices/phone-ann/test"))[0] == 503
    pushing.expo.dead = {"ExponentPushToken[ann]"}
    assert refusal(await ann.post("/api/devices/phone-ann/test"))[0] == 409

    assert (await pushing.device(ann, "phone-ann"))["is_active"] is False
    assert [message["title"] for message in pushing.expo.taken] == ["Test notification"]
