"""Messages of many topics in one order, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert

from manor import SYSTEM_ID, Transaction, new_id
from manor.house import House
from manor_topics import store
from manor_topics.creating import add, new_topic
from manor_topics.streams.merging import WINDOW, Start, merged_after
from manor_topics.tables import messages

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
FAR = 3 * WINDOW


@pytest.fixture
async def topics(house: House) -> list[UUID]:
    """Two topics with few messages, far apart, and a third with many between them."""

    def work(transaction: Transaction) -> list[UUID]:
        made = [new_topic(name, owner_id=SYSTEM_ID, access_level="public", now=NOON) for name in ("one", "two", "busy")]
        for topic in made:
            add(transaction, topic)
        one, two, busy = (topic.id for topic in made)
        rows = [_row(one, 1), _row(two, 2), _row(one, 3, is_deleted=True), _row(two, 4, expires_at=NOON)]
        rows += [_row(busy, position) for position in range(5, FAR)]
        rows += [_row(two, FAR, is_deleted=True), _row(one, FAR + 1), _row(two, 2 * FAR), _row(one, 2 * FAR + 1)]
        transaction.connection.execute(insert(messages), rows)
        return [one, two, busy]

    return await house.storage.write(work)


def _row(
    topic_id: UUID, position: int, *, is_deleted: bool = False, expires_at: datetime | None = None
) -> dict[str, Any]:
    return {
        "position": position,
        "id": new_id(),
        "topic_id": topic_id,
        "sequence": position,
        "message": str(position),
        "title": None,
        "priority": 3,
        "tags": "[]",
        "timestamp": NOON,
        "expires_at": expires_at,
        "is_deleted": is_deleted,
        "edited_at": None,
        "publisher_id": None,
        "extras": None,
    }


async def _pages(house: House, places: dict[UUID, int], after: int, limit: int = 100) -> list[int]:
    """What a replay tells: pages until one is empty."""
    found = [after]

    def work(transaction: Transaction) -> list[int]:
        page = merged_after(transaction.connection, places, found[-1], now=NOON + timedelta(1), limit=limit)
        return [position for position, _ in page]

    while page := await house.storage.read(work):
        assert len(page) <= limit
        found += page
    return found[1:]


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_topics_come_in_the_order_of_positions_however_far_apart(
    house: House, topics: list[UUID], limit: int
) -> None:
    one, two, _ = topics
    assert await _pages(house, {one: 0, two: 0}, 0, limit) == [1, 2, FAR + 1, 2 * FAR, 2 * FAR + 1]


async def test_each_topic_begins_at_its_own_place(house: House, topics: list[UUID]) -> None:
    one, two, _ = topics
    assert await _pages(house, {one: 1, two: 2 * FAR}, 0) == [FAR + 1, 2 * FAR + 1]
    assert await _pages(house, {one: FAR + 1, two: 0}, 0, 1) == [2, 2 * FAR, 2 * FAR + 1]
    assert await _pages(house, {one: 0, two: 0}, 2 * FAR + 1) == []


async def test_a_busy_topic_is_told_whole(house: House, topics: list[UUID]) -> None:
    one, _, busy = topics
    assert await _pages(house, {one: 0, busy: 0}, 0) == [1, *range(5, FAR), FAR + 1, 2 * FAR + 1]


def test_a_position_takes_no_topic_back_behind_what_was_had() -> None:
    one, two, three = new_id(), new_id(), new_id()
    start = Start({one: 10, two: 30, three: 40}, had=frozenset({one, two}))

    assert start.behind(20).places == {one: 20, two: 30, three: 20}
    assert start.not_before(35).places == {one: 35, two: 35, three: 40}


async def test_a_topic_that_is_gone_has_nothing(house: House, topics: list[UUID]) -> None:
    one, two, _ = topics
    await house.storage.write(lambda transaction: store.remove_topic(transaction.connection, two))

    assert await _pages(house, {one: 0, two: 0}, 0) == [1, FAR + 1, 2 * FAR + 1]
