"""Followers: every message is taken once, in order, over restarts."""

from __future__ import annotations

from collections.abc import Sequence

import trio
import trio.testing
from sqlalchemy import Connection

from manor import SYSTEM_ID, Transaction
from manor.testing import Client, House
from manor_topics import store
from manor_topics.drafts import Draft
from manor_topics.following import BATCH, Follower, Placed
from manor_topics.payers import Plan
from manor_topics.publishing import Publisher, publish


class Taken:
    """A follower that takes messages which do not begin with '-'."""

    def __init__(self, house: House) -> None:
        self.texts: list[str] = []
        self.writes = 0
        self.follower = Follower("taken", house.storage, wanted=self._wanted, take=self._take)

    def _wanted(self, connection: Connection, rows: Sequence[Placed]) -> Sequence[Placed]:
        return [row for row in rows if not row[1].message.startswith("-")]

    def _take(self, transaction: Transaction, rows: Sequence[Placed]) -> None:
        self.writes += 1
        self.texts += [message.message for _, message in rows]


async def send(client: Client, *texts: str) -> None:
    for text in texts:
        assert (await client.post("/welcome", body=text.encode())).status == 200


async def test_a_follower_begins_with_what_comes(house: House, client: Client, nursery: trio.Nursery) -> None:
    await send(client, "before")
    taken = Taken(house)
    nursery.start_soon(taken.follower.run)
    await trio.testing.wait_all_tasks_blocked()
    await send(client, "one", "-two", "three")
    taken.follower.ring()
    await trio.testing.wait_all_tasks_blocked()

    assert taken.texts == ["one", "three"]


async def test_what_came_while_it_was_away_is_taken_once(house: House) -> None:
    async def follow() -> list[str]:
        taken = Taken(house)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(taken.follower.run)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        return taken.texts

    texts = [str(number) for number in range(2 * BATCH + 1)]

    def put_all(transaction: Transaction) -> None:
        topic = store.find_topic(transaction.connection, "welcome")
        assert topic is not None
        for text in texts:
            publish(transaction, topic, Draft(text), Publisher("me"), Plan(SYSTEM_ID, 0, None))

    assert await follow() == []
    await house.storage.write(put_all)
    assert await follow() == texts
    assert await follow() == []


async def test_what_nobody_wants_is_not_written(house: House, client: Client, nursery: trio.Nursery) -> None:
    taken = Taken(house)
    nursery.start_soon(taken.follower.run)
    await trio.testing.wait_all_tasks_blocked()
    await send(client, "-one", "-two")
    taken.follower.ring()
    await trio.testing.wait_all_tasks_blocked()

    assert taken.writes == 0
