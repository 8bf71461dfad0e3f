"""Webhooks whose receivers are slow, broken or gone: what is tried again, and what is given up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio.testing
from msgspec.structs import replace
from trio.testing import MockClock

from manor import Transaction, new_id
from manor.testing import Client, House, SetClock, open_test_house
from manor_topics.webhooks import store
from manor_topics.webhooks.delivering import MOST_ATTEMPTS, PATIENCE, PAUSES, Outcome, webhook_after
from tests.topic_people import asking_as, make_topic, person, send
from tests.webhook_receiver import answer, open_receiver

CONFIG = {"server": {"outgoing": {"allow": ["127.0.0.0/8"]}}}
pytestmark = pytest.mark.manor(config=CONFIG)

PATH = "/api/topics/alarms/webhooks"
BROKEN = answer("500 Oops", body=b"out of order")

PassTime = Callable[[float], Awaitable[None]]


@pytest.fixture
def pass_time(clock: SetClock, mock_clock: MockClock) -> PassTime:
    """Have all that is going on come to rest, let time pass, and again."""

    async def passing(seconds: float) -> None:
        await trio.testing.wait_all_tasks_blocked(0.05)
        clock.set(clock.now() + timedelta(seconds=seconds))
        mock_clock.jump(seconds)
        await trio.testing.wait_all_tasks_blocked(0.05)

    return passing


@pytest.fixture
async def ann(house: House, mock_clock: MockClock) -> Client:
    """Somebody who has the public topic `alarms`."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client, access_level="public")
    return client


async def make_webhook(client: Client, url: str, **members: Any) -> str:
    answered = await client.post(PATH, json={"url": url, **members})
    assert answered.status == 201, answered.text
    id_: str = answered.json()["id"]
    return id_


async def logged(client: Client, webhook: str) -> list[dict[str, Any]]:
    """A webhook's deliveries, the oldest first."""
    listed: list[dict[str, Any]] = (await client.get(f"{PATH}/{webhook}/deliveries")).json()
    return listed[::-1]


async def shown(client: Client, webhook: str) -> dict[str, Any]:
    (found,) = [each for each in (await client.get(PATH)).json() if each["id"] == webhook]
    assert isinstance(found, dict)
    return found


async def test_what_failed_is_tried_again_under_the_same_id(
    ann: Client, pass_time: PassTime, mock_clock: MockClock
) -> None:
    async with open_receiver(BROKEN) as receiver:
        webhook = await make_webhook(ann, receiver.url)
        await send(ann, "disk")
        first = await receiver.next()
        await pass_time(4)
        (failing,) = await logged(ann, webhook)
        assert (failing["state"], failing["attempts"], failing["status"]) == ("waiting", 1, 500)
        assert (failing["error"], failing["response"]) == ("The receiver answered 500", "out of order")
        assert (await shown(ann, webhook))["failing_since"] == "2030-01-02T12:00:00Z"
        await pass_time(1)
        second = await receiver.next()

        assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
        assert int(second.headers["webhook-timestamp"]) == int(first.headers["webhook-timestamp"]) + 5
        await pass_time(0)
        (delivery,) = await logged(ann, webhook)
        assert (delivery["state"], delivery["attempts"]) == ("delivered", 2)
        now = await shown(ann, webhook)
        assert (now["failing_since"], now["last_error"]) == (None, None)


async def test_what_comes_after_a_failure_waits_for_its_turn(
    ann: Client, pass_time: PassTime, mock_clock: MockClock
) -> None:
    async with open_receiver(BROKEN) as receiver:
        await make_webhook(ann, receiver.url)
        await send(ann, "one")
        assert (await receiver.next()).text == "one"
        await send(ann, "two")
        await send(ann, "three")
        await pass_time(4)
        assert receiver.came == 1
        await pass_time(1)

        assert [(await receiver.next()).text for _ in range(3)] == ["one", "two", "three"]


async def test_a_dead_receiver_delays_nobody_else(ann: Client, pass_time: PassTime, mock_clock: MockClock) -> None:
    async with open_receiver(*[None] * 10) as dead, open_receiver() as alive:
        webhook = await make_webhook(ann, dead.url)
        await make_webhook(ann, alive.url)
        for number in range(5):
            await send(ann, str(number))

        assert [(await alive.next()).text for _ in range(5)] == list("01234")
        await pass_time(10)
        assert dead.came == 1
        error = (await logged(ann, webhook))[0]["error"]
        assert "no answer within 10 s" in error


@pytest.mark.parametrize(("status", "value"), [("503 Busy", "120"), ("429 Wait", "Wed, 02 Jan 2030 12:02:00 GMT")])
async def test_a_receiver_says_when_to_come_back(
    ann: Client, pass_time: PassTime, mock_clock: MockClock, status: str, value: str
) -> None:
    async with open_receiver(answer(status, f"Retry-After: {value}\r\n")) as receiver:
        await make_webhook(ann, receiver.url)
        await send(ann, "disk")
        await receiver.next()
        await pass_time(119)
        assert receiver.came == 1
        await pass_time(2)
        await receiver.next()


@pytest.mark.parametrize("value", ["soon", "99999999999999999999"])
async def test_a_receiver_that_says_nonsense_is_asked_again(
    ann: Client, pass_time: PassTime, mock_clock: MockClock, value: str
) -> None:
    async with open_receiver(answer("503 Busy", f"Retry-After: {value}\r\n")) as receiver:
        await make_webhook(ann, receiver.url)
        await send(ann, "disk")
        await receiver.next()
        await pass_time(86_401)
        await receiver.next()


async def test_after_so_many_attempts_it_is_given_up_and_the_next_one_comes(
    ann: Client, pass_time: PassTime, mock_clock: MockClock
) -> None:
    async with open_receiver(*[BROKEN] * MOST_ATTEMPTS) as receiver:
        webhook = await make_webhook(ann, receiver.url)
        await send(ann, "one")
        await send(ann, "two")
        for pause in PAUSES:
            assert (await receiver.next()).text == "one"
            await pass_time(pause)
        assert (await receiver.next()).text == "one"
        assert (await receiver.next()).text == "two"
        await pass_time(0)
        states = [(each["state"], each["attempts"]) for each in await logged(ann, webhook)]
        assert states == [("failed", MOST_ATTEMPTS), ("delivered", 1)]


async def test_one_that_is_gone_is_switched_off(ann: Client, pass_time: PassTime, mock_clock: MockClock) -> None:
    async with open_receiver(answer("410 Gone")) as receiver:
        webhook = await make_webhook(ann, receiver.url)
        await send(ann, "one")
        await receiver.next()
        await pass_time(3600)
        await send(ann, "two")
        now = await shown(ann, webhook)
        assert (now["is_active"], now["disabled_reason"]) == (
            False,
            "The receiver answered 410: it is gone for good",
        )
        assert [each["state"] for each in await logged(ann, webhook)] == ["failed"]
        again = (await ann.patch(f"{PATH}/{webhook}", json={"is_active": True})).json()
        assert (again["is_active"], again["disabled_reason"], again["last_error"]) == (True, None, None)
        await send(ann, "three")

        assert (await receiver.next()).text == "three"


async def test_what_waits_for_one_that_is_switched_off_is_not_posted(
    ann: Client, pass_time: PassTime, mock_clock: MockClock
) -> None:
    async with open_receiver(BROKEN) as receiver:
        webhook = await make_webhook(ann, receiver.url)
        await send(ann, "one")
        await receiver.next()
        await pass_time(0)
        await ann.patch(f"{PATH}/{webhook}", json={"is_active": False})
        await pass_time(3600)

        assert receiver.came == 1
        (delivery,) = await logged(ann, webhook)
        assert (delivery["state"], delivery["error"]) == ("skipped", "The webhook is switched off")


async def test_what_is_deleted_meanwhile_is_not_posted(ann: Client, pass_time: PassTime, mock_clock: MockClock) -> None:
    async with open_receiver(BROKEN) as receiver:
        webhook = await make_webhook(ann, receiver.url)
        one = await send(ann, "one")
        await receiver.next()
        two = await send(ann, "two")
        await send(ann, "three")
        await pass_time(0)
        for sent in (one, two):
            await ann.delete(f"/api/alarms/messages/{sent['id']}")
        await pass_time(5)

        assert (await receiver.next()).text == "three"
        await pass_time(0)
        assert [each["state"] for each in await logged(ann, webhook)] == ["skipped", "skipped", "delivered"]


async def test_redirects_are_not_followed(ann: Client, pass_time: PassTime, mock_clock: MockClock) -> None:
    async with (
        open_receiver() as elsewhere,
        open_receiver(answer("302 Found", f"Location: {elsewhere.url}\r\n")) as receiver,
    ):
        webhook = await make_webhook(ann, receiver.url)
        await send(ann, "disk")
        await receiver.next()
        await pass_time(0)

        assert (await logged(ann, webhook))[0]["error"] == "The receiver answered 302"
        assert elsewhere.came == 0


async def test_of_an_answer_the_beginning_is_kept(ann: Client, pass_time: PassTime, mock_clock: MockClock) -> None:
    async with open_receiver(answer("200 OK", body=b"\xff" + b"x" * 100_000)) as receiver:
        webhook = await make_webhook(ann, receiver.url)
        await send(ann, "disk")
        await receiver.next()
        await pass_time(0)

        (delivery,) = await logged(ann, webhook)
        assert (delivery["state"], len(delivery["response"])) == ("delivered", 500)


@pytest.mark.manor(config={})
async def test_what_may_not_be_reached_is_not_tried_again(
    ann: Client, pass_time: PassTime, mock_clock: MockClock
) -> None:
    async with open_receiver() as receiver:
        # The system's resolver reads it as 127.0.0.1.
        webhook = await make_webhook(ann, receiver.url.replace("127.0.0.1", "127.1"))
        await send(ann, "disk")
        await pass_time(0)
        (delivery,) = await logged(ann, webhook)
        assert (delivery["state"], delivery["attempts"], receiver.came) == ("failed", 1, 0)
        assert "is not public" in delivery["error"]


async def test_what_waits_comes_after_a_restart(
    tmp_path: Path, clock: SetClock, mock_clock: MockClock, pass_time: PassTime
) -> None:
    async with open_receiver(BROKEN) as receiver:
        async with open_test_house(tmp_path / "h", plugins=["topics"], config=CONFIG, clock=clock) as house:
            ann = await person(house, "ann")
            client = asking_as(house, ann)
            await make_topic(client)
            webhook = await make_webhook(client, receiver.url)
            await send(client, "one")
            await receiver.next()
            await pass_time(0)
            await send(client, "two")
        clock.set(clock.now() + timedelta(seconds=5))
        async with open_test_house(tmp_path / "h", plugins=["topics"], config=CONFIG, clock=clock) as house:
            assert [(await receiver.next()).text for _ in range(2)] == ["one", "two"]
            await pass_time(0)
            client = asking_as(house, ann)
            assert [each["state"] for each in await logged(client, webhook)] == ["delivered", "delivered"]
            assert receiver.came == 3


# --- Bounds --------------------------------------------------------------------------------------------------------


async def test_only_so_many_wait_and_only_so_many_are_kept(
    house: House, ann: Client, pass_time: PassTime, mock_clock: MockClock
) -> None:
    webhook_id = UUID(await make_webhook(ann, "https://example.org", is_active=False))

    def wait(transaction: Transaction) -> list[bool]:
        webhook = store.find(transaction.connection, webhook_id)
        assert webhook is not None
        return [
            store.put_off(
                transaction.connection, webhook, "published", position=each, message_id=new_id(), now=transaction.now
            )
            is not None
            for each in range(store.MOST_WAITING + store.KEPT + 5)
        ]

    def count(transaction: Transaction) -> int:
        found = store.deliveries_of(transaction.connection, webhook_id, limit=10_000, offset=0)
        assert all(each.error for each in found if each.state == "skipped")
        return len(found)

    assert sum(await house.storage.write(wait)) == store.MOST_WAITING
    assert await house.storage.read(count) == store.MOST_WAITING + store.KEPT
    assert sum(await house.storage.write(wait)) == 0


# --- Days ----------------------------------------------------------------------------------------------------------

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
FAILED = Outcome(500, "The receiver answered 500")


def failing(failures: int, since: datetime | None) -> store.Webhook:
    return store.Webhook(
        id=new_id(),
        topic_id=new_id(),
        user_id=None,
        name="",
        url="https://example.org",
        events=("published",),
        priority_max=None,
        tags=(),
        secret="whsec_",
        old_secret=None,
        old_secret_until=None,
        is_active=True,
        disabled_reason=None,
        created_at=NOON,
        after_position=0,
        failures=failures,
        failing_since=since,
        last_success_at=None,
        last_error=None,
    )


@pytest.mark.parametrize(
    ("failures", "for_", "is_active"),
    [(50, PATIENCE, False), (50, PATIENCE - timedelta(seconds=1), True), (3, PATIENCE * 2, True)],
)
def test_one_that_fails_for_days_is_switched_off(failures: int, for_: timedelta, is_active: bool) -> None:
    after = webhook_after(failing(failures, NOON), FAILED, NOON + for_)

    assert (after.is_active, after.failures) == (is_active, failures + 1)
    if not is_active:
        assert after.disabled_reason == (
            "Nothing could be delivered since 2030-01-02 12:00 UTC: The receiver answered 500"
        )


def test_a_success_ends_the_counting() -> None:
    after = webhook_after(failing(50, NOON), Outcome(200), NOON + PATIENCE)

    assert after == replace(failing(0, None), id=after.id, topic_id=after.topic_id, last_success_at=NOON + PATIENCE)
