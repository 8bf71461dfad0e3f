"""Webhooks: what comes to a receiver, and what becomes of what does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from trio.testing import MockClock

from manor import Principal
from manor.commands import ListOutbox, OutboxListed, OutboxRowListed, RetryOutbox
from manor.testing import Client, House, SetClock, open_test_house
from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN
from manor_stream.webhooks.delivering import DELIVER, MOST_WAITING, PAUSES, Deliver
from tests.stream_admin import shared_of
from tests.stream_webhooks import NOON, PAYLOADS, listed, make, message, started, stopped, tell
from tests.webhook_receiver import Received, Receiver, answer, open_receiver


@pytest.fixture
def house_config() -> Mapping[str, Any]:
    return {"server": {"outgoing": {"allow": ["127.0.0.0/8"]}}, "plugins": {"stream": {"rtmp_bind": ""}}}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as opened:
        yield opened


def admin_of(house: House) -> Client:
    """Asks a house as the user `admin`."""
    return Client(house.dispatcher, principals=(Principal(STREAM_ADMIN, credential_id=ADMIN_ID),))


# --- What comes ----------------------------------------------------------------------------------------------------


async def test_all_that_happens_is_posted_and_signed(admin: Client, house: House, receiver: Receiver) -> None:
    made = await make(admin, receiver.url)
    await tell(house, *(row[0] for row in PAYLOADS))

    came = {each.data["type"]: each for each in [await receiver.next() for _ in PAYLOADS]}

    for _, kind, data in PAYLOADS:
        told = came[kind].data
        number = {"id": told["eventData"]["id"]} if kind == "STREAM_TITLE_UPDATED" else {}
        assert told == {"type": kind, "eventData": {**data, **number}}
        assert came[kind].is_signed_with(made["token"])
        assert came[kind].headers["webhook-timestamp"] == str(int(NOON.timestamp()))
        assert came[kind].headers["content-type"] == "application/json"
    assert len({each.headers["webhook-id"] for each in came.values()}) == len(PAYLOADS)


async def test_messages_are_posted_in_their_order(admin: Client, house: House, receiver: Receiver) -> None:
    await make(admin, receiver.url, "CHAT")
    for number in range(10):
        await tell(house, message(str(number)))

    came = [await receiver.next() for _ in range(10)]

    assert [each.data["eventData"]["rawBody"] for each in came] == [str(number) for number in range(10)]


async def test_only_what_is_wanted_is_posted(admin: Client, house: House, receiver: Receiver) -> None:
    await make(admin, receiver.url, "STREAM_STOPPED")
    await tell(house, message(), started(), stopped())

    assert (await receiver.next()).data["type"] == "STREAM_STOPPED"


async def test_each_webhook_signs_with_its_own_secret(admin: Client, house: House, receiver: Receiver) -> None:
    first, second = await make(admin, receiver.url, "CHAT"), await make(admin, receiver.url, "CHAT")
    await tell(house, message())

    came = [await receiver.next(), await receiver.next()]

    for webhook in (first, second):
        assert [each.is_signed_with(webhook["token"]) for each in came].count(True) == 1


async def test_a_delivery_is_stamped(admin: Client, house: House, receiver: Receiver, clock: SetClock) -> None:
    await make(admin, receiver.url, "CHAT")
    clock.set(datetime(2030, 1, 2, 13, tzinfo=UTC))
    await tell(house, message())
    await tell(house, message("second"))
    await receiver.next()
    await receiver.next()

    # They are made one after the other: when the second came, the first was noted.
    assert (await listed(admin))[0]["lastUsed"] == "2030-01-02T13:00:00Z"


async def test_a_new_title_is_posted(admin: Client, receiver: Receiver) -> None:
    await make(admin, receiver.url, "STREAM_TITLE_UPDATED")
    await admin.post("/api/admin/config/streamtitle", json={"value": "Saturday"})

    assert (await receiver.next()).data["eventData"]["streamTitle"] == "Saturday"


async def test_nothing_is_posted_to_a_deleted_webhook(admin: Client, house: House, receiver: Receiver) -> None:
    first, _ = await make(admin, receiver.url, "CHAT"), await make(admin, receiver.url, "STREAM_STOPPED")
    await tell(house, message())
    await receiver.next()
    await admin.post("/api/admin/webhooks/delete", json={"id": first["id"]})
    await tell(house, message(), stopped())

    assert (await receiver.next()).data["type"] == "STREAM_STOPPED"


async def test_a_webhook_that_is_made_while_others_hear_hears_what_comes_next(
    admin: Client, house: House, receiver: Receiver
) -> None:
    await make(admin, receiver.url, "CHAT")
    await tell(house, message())
    await receiver.next()
    await make(admin, receiver.url, "STREAM_STARTED")
    await tell(house, started())

    assert (await receiver.next()).data["type"] == "STREAM_STARTED"


# --- What fails ----------------------------------------------------------------------------------------------------


NextLater = Callable[[Receiver], Awaitable[Received]]


@pytest.fixture
def next_later(clock: SetClock, mock_clock: MockClock) -> NextLater:
    """Let time pass until something comes; gives that."""

    async def passing(receiver: Receiver) -> Received:
        came = receiver.came
        while receiver.came == came:
            await trio.testing.wait_all_tasks_blocked(0.02)
            clock.set(clock.now() + timedelta(seconds=5))
            mock_clock.jump(5)
        return await receiver.next()

    return passing


@pytest.mark.parametrize(
    "failing",
    [
        answer("500 Oh"),
        answer("302 Found", "Location: /hook\r\n"),
        answer("307 Elsewhere", "Location: /\r\n"),
        b"?",
        b"",
        None,
    ],
)
async def test_a_failed_delivery_is_made_again_with_the_same_id(
    mock_clock: MockClock,
    admin: Client,
    house: House,
    receiver: Receiver,
    next_later: NextLater,
    failing: bytes,
) -> None:
    receiver.answers += [failing]
    await make(admin, receiver.url, "CHAT")
    await tell(house, message())
    first = await receiver.next()
    again = await next_later(receiver)

    assert receiver.came == 2
    assert again.body == first.body
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    assert again.headers["webhook-timestamp"] != first.headers["webhook-timestamp"]


async def dead(house: House) -> Sequence[OutboxRowListed]:
    """What `manor outbox list` shows of what was given up."""
    listed: OutboxListed = await house.run_command("outbox.list", ListOutbox("dead"))
    return listed.rows


async def test_what_fails_each_time_is_a_dead_letter_and_the_next_is_made(
    mock_clock: MockClock, admin: Client, house: House, receiver: Receiver, next_later: NextLater
) -> None:
    receiver.answers += [answer("500 Oh")] * (len(PAUSES) + 1)
    await make(admin, receiver.url, "CHAT")
    await tell(house, message("first"), message("second"))
    came = [await receiver.next(), *[await next_later(receiver) for _ in PAUSES], await receiver.next()]

    assert [each.data["eventData"]["rawBody"] for each in came] == ["first"] * 4 + ["second"]
    (line,) = shared_of(house).logbook.newest_first(only_warnings=True)
    assert "given up: it answered 500" in line.message
    (row,) = await dead(house)
    assert (row.name, row.attempts) == ("stream.deliver", 4)
    assert row.last_error == f"Kept: {receiver.url.split('/')[2]}: it answered 500"


async def test_a_dead_letter_is_posted_when_the_administrator_says_so(
    admin: Client, house: House, receiver: Receiver
) -> None:
    receiver.answers += [answer("410 Gone")]
    await make(admin, receiver.url, "CHAT")
    await tell(house, message("first"), message("second"))
    first = await receiver.next()
    await receiver.next()

    assert (await house.run_command("outbox.retry", RetryOutbox())).count == 1
    again = await receiver.next()

    assert (again.body, again.headers["webhook-id"]) == (first.body, first.headers["webhook-id"])
    assert await dead(house) == []


async def test_what_waits_and_how_often_it_was_tried_is_known_to_the_next_house(
    tmp_path: Path,
    mock_clock: MockClock,
    clock: SetClock,
    receiver: Receiver,
    next_later: NextLater,
    house_config: Mapping[str, Any],
) -> None:
    receiver.answers += [answer("500 Oh")] * (len(PAUSES) + 1)
    opened = partial(open_test_house, tmp_path, plugins=["stream"], config=house_config, clock=clock)
    async with opened() as house:
        await make(admin_of(house), receiver.url, "CHAT")
        await tell(house, message("first"), message("second"))
        came = [await receiver.next(), await next_later(receiver)]
        await trio.testing.wait_all_tasks_blocked(0.02)
    async with opened() as house:
        came += [await next_later(receiver), await next_later(receiver), await receiver.next()]
        (row,) = await dead(house)

    assert [each.data["eventData"]["rawBody"] for each in came] == ["first"] * 4 + ["second"]
    assert len({each.headers["webhook-id"] for each in came}) == 2
    assert row.attempts == 4


async def test_who_is_gone_is_asked_once(admin: Client, house: House, receiver: Receiver) -> None:
    receiver.answers += [answer("410 Gone")]
    await make(admin, receiver.url, "CHAT")
    await tell(house, message("first"), message("second"))

    assert (await receiver.next()).data["eventData"]["rawBody"] == "first"
    assert (await receiver.next()).data["eventData"]["rawBody"] == "second"
    (line,) = shared_of(house).logbook.newest_first(only_warnings=True)
    assert "given up: it answered 410" in line.message
    assert [row.attempts for row in await dead(house)] == [1]


async def test_where_the_server_may_not_go_any_more_nothing_is_posted(
    tmp_path: Path, receiver: Receiver, house_config: Mapping[str, Any]
) -> None:
    async with open_test_house(tmp_path, plugins=["stream"], config=house_config) as house:
        await make(admin_of(house), receiver.url, "CHAT")
    async with open_test_house(tmp_path, plugins=["stream"], config={"plugins": house_config["plugins"]}) as house:
        await tell(house, message())
        with trio.fail_after(20):
            while not (rows := await dead(house)):
                await trio.testing.wait_all_tasks_blocked()

    assert [row.attempts for row in rows] == [1]
    assert receiver.came == 0


async def test_what_comes_on_top_of_a_full_queue_is_not_posted_and_said_once(
    admin: Client, house: House, receiver: Receiver
) -> None:
    made = await make(admin, "http://127.0.0.1:9/hook", "CHAT")
    await make(admin, receiver.url, "CHAT", "STREAM_STARTED")

    def fill(transaction: Any) -> None:
        for number in range(MOST_WAITING):
            transaction.defer(DELIVER, Deliver(int(made["id"]), str(number), "{}"), key=made["id"])
        transaction.emit(message())

    await house.storage.write(fill)
    await receiver.next()
    for event in (message("second"), started(), message("third")):
        await tell(house, event)
        await receiver.next()

    (line,) = shared_of(house).logbook.newest_first(only_warnings=True)
    assert line.message == "CHAT was not posted to 127.0.0.1:9: 100 deliveries wait already"
