"""Web Push: a real push service on loopback takes what is signed for it, and the browser decrypts what it is sent."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from trio.testing import MockClock

from manor.errors import AdminFault
from manor.testing import Client, SetClock
from manor_topics.push.vapid import open_key
from tests.push_services import hanging, saying
from tests.pushing import Pushing, open_pushing, subscribe
from tests.topic_people import make_topic, refusal, send

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
async def pushing(tmp_path: Path, clock: SetClock) -> AsyncIterator[Pushing]:
    async with open_pushing(tmp_path / "house", clock, providers=("webpush",)) as opened:
        yield opened


@pytest.fixture
async def ann(pushing: Pushing) -> Client:
    """Somebody who has the topic `alarms`, is subscribed to it, and has a browser."""
    client = await pushing.person("ann")
    await make_topic(client, "alarms")
    await subscribe(client)
    return client


async def publish(client: Client, text: str = "Disk full", **members: Any) -> dict[str, Any]:
    answer = await client.post("/alarms", json={"message": text, **members})
    assert answer.status == 200, answer.text
    sent: dict[str, Any] = answer.json()
    return sent


# --- What arrives ----------------------------------------------------------------------------------------------------


async def test_a_browser_shows_the_message_and_its_service_knows_who_sent_it(pushing: Pushing, ann: Client) -> None:
    browser = await pushing.browser(ann)
    sent = await publish(ann, "Zażółć", title="Server down", priority=1, tags=["disk"], click="https://example.org")
    assert await pushing.settled() == []

    (shown,), (asked,) = browser.shown, pushing.web.taken
    assert {name: shown[name] for name in ("id", "topic", "title", "message", "priority", "tags", "sound")} == {
        "id": sent["id"],
        "topic": "alarms",
        "title": "Server down",
        "message": "Zażółć",
        "priority": 1,
        "tags": ["disk"],
        "sound": "default",
    }
    assert (shown["timestamp"], shown["unread_count"], shown["vibrate"]) == ("2030-01-02T12:00:00Z", 1, True)
    assert "Za" not in asked.body.decode("latin-1")
    assert pushing.web.claims == [
        {"aud": pushing.web.url, "exp": int(NOON.timestamp()) + 12 * 3600, "sub": "mailto:admin@example.org"}
    ]
    assert pushing.web.key == (await ann.get("/api/push/vapid-key")).json()["public_key"]
    assert asked.headers["ttl"] == "86400"
    assert asked.headers["topic"] == base64.urlsafe_b64encode(UUID(sent["id"]).bytes).decode().rstrip("=")


@pytest.mark.parametrize(
    ("priority", "urgency"), [(1, "high"), (2, "high"), (3, "normal"), (4, "low"), (5, "very-low")]
)
async def test_the_most_important_is_the_most_urgent(
    pushing: Pushing, ann: Client, priority: int, urgency: str
) -> None:
    await pushing.browser(ann)
    await publish(ann, priority=priority)
    await pushing.settled()

    assert [asked.headers["urgency"] for asked in pushing.web.taken] == [urgency]


async def test_delivering_is_told_of_the_device_and_of_the_subscription(pushing: Pushing, ann: Client) -> None:
    await pushing.browser(ann)
    await publish(ann)
    await publish(ann)
    await pushing.settled()

    device = await pushing.device(ann, "browser-ann")
    (subscription,) = (await ann.get("/api/subscriptions")).json()["subscriptions"]
    assert (device["last_success_at"], device["delivered"], device["failures"]) == ("2030-01-02T12:00:00Z", 2, 0)
    assert subscription["last_notified_at"] == "2030-01-02T12:00:00Z"


async def test_a_long_message_is_shortened_to_what_every_push_service_takes(pushing: Pushing, ann: Client) -> None:
    browser = await pushing.browser(ann)
    await publish(ann, 'ż"\n' * 9000, tags=[f"{number:02}" + "ź" * 40 for number in range(20)])
    await pushing.settled()

    (shown,), (asked,) = browser.shown, pushing.web.taken
    assert 3900 < len(asked.body) <= 4096
    assert shown["message"].startswith('ż"\n' * 100)
    assert (shown["message"][-1], shown["is_shortened"]) == ("…", True)


async def test_a_push_service_that_finds_it_too_large_is_sent_less(pushing: Pushing, ann: Client) -> None:
    pushing.web.most_bytes = 2200
    browser = await pushing.browser(ann)
    await publish(ann, "x" * 5000)
    await pushing.settled()

    (shown,) = browser.shown
    assert [len(asked.body) > 2200 for asked in pushing.web.asked] == [True, False]
    assert shown["message"].endswith("x…")


async def test_what_is_too_large_however_short_is_given_up_and_told(pushing: Pushing, ann: Client) -> None:
    pushing.web.most_bytes = 50
    await pushing.browser(ann)
    await publish(ann)
    assert await pushing.settled() == []

    device = await pushing.device(ann, "browser-ann")
    assert (len(pushing.web.asked), device["is_active"], device["failures"]) == (3, True, 1)
    assert device["last_error"] == f"{pushing.web.url}: 413"
    assert [row.attempts for row in await pushing.rows("dead")] == [1]


# --- What does not arrive --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_has_unsubscribed_is_sent_nothing_more(pushing: Pushing, ann: Client, status: int) -> None:
    pushing.web.answers = [saying(status, b"gone for good\r\n")]
    await pushing.browser(ann)
    await publish(ann)
    await publish(ann)
    assert await pushing.settled() == await pushing.rows("dead") == []

    device = await pushing.device(ann, "browser-ann")
    assert (len(pushing.web.asked), device["is_active"], device["delivered"]) == (1, False, 0)
    assert (device["last_error"], device["last_error_at"]) == (
        f"{pushing.web.url}: {status} gone for good",
        "2030-01-02T12:00:00Z",
    )


async def test_a_browser_that_registers_anew_is_sent_messages_again(pushing: Pushing, ann: Client) -> None:
    pushing.web.answers = [saying(410)]
    await pushing.browser(ann)
    await publish(ann, "first")
    await pushing.settled()
    browser = await pushing.browser(ann)
    await publish(ann, "second")
    await pushing.settled()

    assert [shown["message"] for shown in browser.shown] == ["second"]
    assert (await pushing.device(ann, "browser-ann"))["is_active"] is True


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_busy_push_service_is_asked_again_later(pushing: Pushing, ann: Client, status: int) -> None:
    pushing.web.answers = [saying(status)]
    browser = await pushing.browser(ann)
    await publish(ann)
    (row,) = await pushing.settled()

    assert (row.attempts, row.due_at) == (1, NOON + timedelta(seconds=10))
    device = await pushing.device(ann, "browser-ann")
    assert (device["failures"], device["is_active"], device["last_success_at"]) == (1, True, None)
    assert await pushing.retried() == []
    device = await pushing.device(ann, "browser-ann")
    assert (device["failures"], device["delivered"], len(browser.shown)) == (0, 1, 1)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("300", 300), ("Wed, 02 Jan 2030 12:10:00 GMT", 600), ("1", 10), ("soon", 10), ("-5", 10), ("9" * 30, 86400)],
)
async def test_a_push_service_says_when_it_is_asked_again(
    pushing: Pushing, ann: Client, said: str, seconds: int
) -> None:
    pushing.web.answers = [saying(429, Retry_After=said)]
    await pushing.browser(ann)
    await publish(ann)
    (row,) = await pushing.settled()

    assert row.due_at == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("status", [301, 400, 401, 403])
async def test_what_a_push_service_refuses_for_good_is_a_dead_letter(
    pushing: Pushing, ann: Client, status: int
) -> None:
    pushing.web.answers = [saying(status, b"\x1b[31m\xff no", Location="http://127.0.0.1:1/")]
    await pushing.browser(ann)
    await publish(ann)
    assert await pushing.settled() == []

    (row,) = await pushing.rows("dead")
    device = await pushing.device(ann, "browser-ann")
    assert (row.attempts, device["is_active"], device["failures"]) == (1, True, 1)
    assert device["last_error"] == f"{pushing.web.url}: {status} [31m\ufffd no"
    assert len(pushing.web.asked) == 1


async def test_a_push_service_that_does_not_answer_delays_nobody_and_is_asked_again(
    pushing: Pushing, ann: Client, mock_clock: MockClock
) -> None:
    pushing.web.answers = [hanging]
    await pushing.browser(ann)
    began = mock_clock.current_time()
    await publish(ann, "first")
    await pushing.web.until(1)
    await publish(ann, "second")

    assert mock_clock.current_time() == began
    mock_clock.jump(11)
    await pushing.settled()
    device = await pushing.device(ann, "browser-ann")
    assert (device["last_error"], device["failures"]) == ("127.0.0.1: no answer within 10 s", 1)
    assert await pushing.retried() == []
    assert (await pushing.device(ann, "browser-ann"))["delivered"] == 2


async def test_a_device_that_hangs_holds_up_no_other(pushing: Pushing, ann: Client, mock_clock: MockClock) -> None:
    async def hang_for_ann(asked: Any) -> Any:
        return await (hanging(asked) if asked.path == "/push/ann" else pushing.web.answer(asked))

    pushing.web.answers = [hang_for_ann] * 4
    await pushing.browser(ann)
    other = await pushing.browser(ann, "other")
    await publish(ann, "first")
    await publish(ann, "second")
    await pushing.web.until(3)

    assert [shown["message"] for shown in other.shown] == ["first", "second"]


async def test_messages_reach_a_browser_in_their_order(pushing: Pushing, ann: Client) -> None:
    pushing.web.answers = [saying(503)]
    browser = await pushing.browser(ann)
    for text in ("first", "second", "third"):
        await publish(ann, text)
    await pushing.settled()
    assert await pushing.retried() == []

    assert [shown["message"] for shown in browser.shown] == ["first", "second", "third"]


@pytest.mark.parametrize("endpoint", ["https://127.0.0.1:4443/x", "https://[::1]/x", "https://10.0.0.1/x"])
async def test_a_private_address_is_never_reached(pushing: Pushing, ann: Client, endpoint: str) -> None:
    browser = await pushing.browser(ann)
    token = browser.subscription.replace(browser.endpoint, endpoint)
    assert (await ann.put("/api/devices/browser-ann", json={"push_token": token})).status == 200
    await publish(ann)
    assert await pushing.settled() == []

    device = await pushing.device(ann, "browser-ann")
    assert (device["is_active"], "is not public" in device["last_error"]) == (False, True)
    assert refusal(await ann.post("/api/devices/browser-ann/test"))[0] == 409


async def test_a_port_of_this_machine_is_not_reached_through_the_one_that_is_allowed(
    pushing: Pushing, ann: Client
) -> None:
    """Expo's address is configured, and only for what goes to Expo."""
    browser = await pushing.browser(ann)
    token = browser.subscription.replace(pushing.web.url, pushing.expo.url)
    answer = await ann.put("/api/devices/browser-ann", json={"push_token": token})
    assert refusal(answer) == (422, "push_token has an endpoint that begins with https://")
    token = token.replace("http://", "https://")
    assert (await ann.put("/api/devices/browser-ann", json={"push_token": token})).status == 200

    assert refusal(await ann.post("/api/devices/browser-ann/test"))[0] == 409
    assert pushing.expo.asked == []


# --- Trials ----------------------------------------------------------------------------------------------------------


async def test_a_trial_is_taken_before_it_is_said_to_be_sent(pushing: Pushing, ann: Client) -> None:
    browser = await pushing.browser(ann)
    answer = await ann.post("/api/devices/browser-ann/test")

    device = await pushing.device(ann, "browser-ann")
    assert (answer.status, answer.json()) == (200, {"message": "Test notification sent", "device_id": device["id"]})
    assert [shown["title"] for shown in browser.shown] == ["Test notification"]
    assert (device["delivered"], device["last_success_at"]) == (1, "2030-01-02T12:00:00Z")


async def test_a_trial_with_a_dead_token_is_a_conflict_and_the_device_inactive(pushing: Pushing, ann: Client) -> None:
    browser = await pushing.browser(ann)
    pushing.web.dead = {"ann"}

    status, detail = refusal(await ann.post("/api/devices/browser-ann/test"))
    assert (status, "The push token is dead" in detail) == (409, True)
    assert (await pushing.device(ann, "browser-ann"))["is_active"] is False
    assert browser.shown == []


@pytest.mark.parametrize("status", [429, 500, 403])
async def test_a_trial_that_is_not_taken_is_not_said_to_be_sent(pushing: Pushing, ann: Client, status: int) -> None:
    pushing.web.answers = [saying(status)]
    await pushing.browser(ann)

    answered, detail = refusal(await ann.post("/api/devices/browser-ann/test"))
    device = await pushing.device(ann, "browser-ann")
    assert (answered, detail) == (
        503,
        f"The push service did not take the notification: {pushing.web.url}: {status}",
    )
    assert (device["is_active"], device["failures"], device["delivered"]) == (True, 1, 0)
    assert await pushing.settled() == []


async def test_a_phone_is_not_reached_where_only_browsers_are(pushing: Pushing, ann: Client) -> None:
    await pushing.phone(ann)
    await send(ann, "x")

    assert await pushing.settled() == []
    assert refusal(await ann.post("/api/devices/phone-ann/test"))[0] == 503


# --- The key ---------------------------------------------------------------------------------------------------------


async def test_the_key_is_made_at_the_first_start_and_stays(tmp_path: Path, clock: SetClock) -> None:
    keys: list[dict[str, str]] = []
    for _ in range(2):
        async with open_pushing(tmp_path / "house", clock, providers=("webpush",)) as pushing:
            answer = await (await pushing.person(f"ann{len(keys)}"))(principals=[]).get("/api/push/vapid-key")
            assert answer.status == 200
            keys.append(answer.json())
            file = pushing.house.loaded.data_dir / "topics" / "vapid.pem"
    assert keys[0] == keys[1]
    assert (set(keys[0]), len(keys[0]["public_key"]), file.stat().st_mode & 0o777) == ({"public_key"}, 87, 0o600)


async def test_a_key_of_ones_own_is_used(tmp_path: Path, clock: SetClock) -> None:
    own = open_key(tmp_path / "own.pem")
    async with open_pushing(tmp_path / "house", clock, vapid_key_file=str(tmp_path / "own.pem")) as pushing:
        answer = await (await pushing.person("ann")).get("/api/push/vapid-key")
        assert answer.json() == {"public_key": own.public}
        assert not (pushing.house.loaded.data_dir / "topics" / "vapid.pem").exists()


@pytest.mark.parametrize(
    "push",
    [
        {"providers": ["apns"]},
        {"expo_url": "exp.host"},
        {"web_origins": ["10.0.0.5"]},
        {"vapid_subject": "admin@example.org"},
        {"vapid_key_file": "/nowhere/push.pem"},
        {"ttl_seconds": 5},
        {"relay": "x"},
    ],
)
async def test_a_wrong_configuration_stops_the_start(tmp_path: Path, clock: SetClock, push: dict[str, Any]) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with open_pushing(tmp_path / "house", clock, **push):
            pass

    faults = raised.value.split(AdminFault)[0]
    assert f"plugins.topics.push.{next(iter(push))}" in str(_leaf(faults))


def _leaf(error: BaseException | None) -> BaseException | None:
    return _leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
