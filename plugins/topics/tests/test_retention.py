"""Retention: what has expired goes in small batches, and topics count what is left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import structlog
import trio
from sqlalchemy import Table, func, select

from manor import Storage, Transaction
from manor.errors import StorageFull
from manor.testing import Client, House, SetClock
from manor_topics import store
from manor_topics.domain import Topic
from manor_topics.drafts import Draft
from manor_topics.payers import Plan
from manor_topics.publishing import Publisher, publish
from manor_topics.removing import BATCH
from manor_topics.retention import COUNTS_KEPT, Retention
from manor_topics.tables import daily, messages, publish_keys
from tests.topic_people import asking_as, make_topic, person, send, texts

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
T = TypeVar("T")


def sweeping(storage: Storage) -> Retention:
    return Retention(storage, structlog.get_logger("tests"))


async def count(house: House, table: Table) -> int:
    counted = select(func.count()).select_from(table)
    return await house.storage.read(lambda transaction: transaction.connection.execute(counted).scalar_one())


async def welcome(house: House) -> Topic:
    topic = await house.storage.read(lambda transaction: store.find_topic(transaction.connection, "welcome"))
    assert topic is not None
    return topic


async def fill(house: House, number: int, *, kept: timedelta | None) -> None:
    """Publish so many at once."""
    topic = await welcome(house)

    def work(transaction: Transaction) -> None:
        for _ in range(number):
            publish(transaction, topic, Draft("x"), Publisher("me"), Plan(topic.owner_id, 0, kept))

    await house.storage.write(work)


async def counters(client: Client, topic: str = "welcome") -> tuple[int, str | None]:
    shown = (await client.get(f"/api/topics/{topic}")).json()
    return shown["message_count"], shown["last_message_at"]


async def test_what_has_expired_is_out_of_sight_at_once_and_goes_with_the_sweep(
    house: House, client: Client, clock: SetClock
) -> None:
    await send(client, "old", "welcome")
    clock.set(NOON + timedelta(days=1))
    young = await send(client, "young", "welcome")
    clock.set(NOON + timedelta(days=30))

    assert await texts(client, "welcome") == ["young"]
    # It counts until its row goes.
    assert (await counters(client))[0] == 2
    await sweeping(house.storage).sweep()

    assert await counters(client) == (1, young["timestamp"])
    assert await count(house, messages) == 1
    clock.set(NOON + timedelta(days=31))
    await sweeping(house.storage).sweep()
    assert await counters(client) == (0, None)


async def test_a_message_lives_to_its_last_microsecond(house: House, client: Client, clock: SetClock) -> None:
    await send(client, "x", "welcome")
    clock.set(NOON + timedelta(days=30) - timedelta(microseconds=1))
    await sweeping(house.storage).sweep()
    assert await texts(client, "welcome") == ["x"]

    clock.set(NOON + timedelta(days=30))
    await sweeping(house.storage).sweep()

    assert await count(house, messages) == 0


async def test_what_is_kept_for_ever_stays(house: House, client: Client, clock: SetClock) -> None:
    await fill(house, 1, kept=None)
    clock.set(NOON + timedelta(days=10_000))

    await sweeping(house.storage).sweep()

    assert await texts(client, "welcome") == ["x"]


async def test_a_deleted_message_is_wiped_when_it_would_have_expired(house: House, clock: SetClock) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    sent, kept = await send(ann, "secret"), await send(ann, "kept")
    await ann.delete(f"/api/alarms/messages/{sent['id']}")
    await sweeping(house.storage).sweep()
    assert await count(house, messages) == 2

    clock.set(NOON + timedelta(days=30))
    await sweeping(house.storage).sweep()

    assert await count(house, messages) == 1
    # It was counted out when it was deleted.
    assert await counters(ann, "alarms") == (1, kept["timestamp"])


class Watched:
    """Storage that says how many messages each of its transactions removed."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.removed: list[int] = []

    async def write(self, work: Callable[[Transaction], T]) -> T:
        def watched(transaction: Transaction) -> T:
            counted = select(func.count()).select_from(messages)
            before = transaction.connection.execute(counted).scalar_one()
            result = work(transaction)
            self.removed.append(before - transaction.connection.execute(counted).scalar_one())
            return result

        return await self._storage.write(watched)


async def test_publishers_get_their_turn_between_small_batches(
    house: House, client: Client, clock: SetClock, autojump_clock: Any
) -> None:
    await fill(house, 3 * BATCH + 7, kept=timedelta(days=1))
    clock.set(NOON + timedelta(days=2))
    watched: Any = Watched(house.storage)
    left_at_publishing: list[int] = []

    async def publish_meanwhile() -> None:
        for _ in range(3):
            await trio.sleep(0.015)
            await send(client, "meanwhile", "welcome")
            left_at_publishing.append(await count(house, messages))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(publish_meanwhile)
        await sweeping(watched).sweep()

    assert [removed for removed in watched.removed if removed] == [BATCH, BATCH, BATCH, 7]
    assert left_at_publishing == sorted(left_at_publishing, reverse=True)
    assert left_at_publishing[0] > BATCH
    assert await texts(client, "welcome") == ["meanwhile"] * 3
    assert (await counters(client))[0] == 3


async def test_a_sweep_goes_on_by_itself(house: House, client: Client, clock: SetClock, autojump_clock: Any) -> None:
    await send(client, "x", "welcome")
    clock.set(NOON + timedelta(days=30))

    await trio.sleep(61)

    assert await count(house, messages) == 0


class Full:
    """Storage whose disk is full for a while."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.tries = 0

    async def write(self, work: Callable[[Transaction], T]) -> T:
        self.tries += 1
        if self.tries <= 20:
            raise StorageFull("The disk is full")
        return await self._storage.write(work)


async def test_a_full_disk_is_waited_for(house: House, autojump_clock: Any, nursery: trio.Nursery) -> None:
    full: Any = Full(house.storage)

    nursery.start_soon(sweeping(full).run)
    await trio.sleep(10 * 60 + 1)
    assert full.tries == 11
    await trio.sleep(10 * 60)

    assert full.tries > 22


async def test_keys_are_forgotten_after_a_day(house: House, client: Client, clock: SetClock) -> None:
    await client.post("/welcome", body=b"x", headers={"Idempotency-Key": "k"})
    clock.set(NOON + timedelta(hours=23))
    await client.post("/welcome", body=b"y", headers={"Idempotency-Key": "l"})
    await sweeping(house.storage).sweep()
    assert await count(house, publish_keys) == 2

    clock.set(NOON + timedelta(hours=24))
    await sweeping(house.storage).sweep()

    assert await count(house, publish_keys) == 1


async def test_counts_of_days_gone_by_are_forgotten(house: House, clock: SetClock) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    for day in range(10):
        clock.set(NOON + timedelta(days=day))
        await send(ann, "x")

    await sweeping(house.storage).sweep()

    assert await count(house, daily) == COUNTS_KEPT.days + 1


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_key_whose_message_is_gone_publishes_again(
    house: House, client: Client, clock: SetClock, is_kept: bool
) -> None:
    key = {"Idempotency-Key": "k"}
    first = await client.post("/welcome", body=b"x", headers=key)
    if not is_kept:
        topic = await welcome(house)

        def expire(transaction: Transaction) -> None:
            transaction.connection.execute(
                messages.update().where(messages.c.topic_id == topic.id).values(expires_at=transaction.now)
            )

        await house.storage.write(expire)
        await sweeping(house.storage).sweep()

    again = await client.post("/welcome", body=b"x", headers=key)

    assert (again.json()["id"] == first.json()["id"]) is is_kept
    assert (await counters(client))[0] == 1
