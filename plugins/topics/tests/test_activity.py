"""Activity: how many messages came, by hour or day and by priority."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from manor import SYSTEM_ID, Principal, Unprocessable
from manor.house import House
from manor.testing import SetClock
from manor_topics import removing, store
from manor_topics.callers import Callers
from manor_topics.catalog import Catalog
from manor_topics.config import TopicsConfig
from manor_topics.creating import new_topic
from manor_topics.domain import Topic
from manor_topics.drafts import Draft
from manor_topics.payers import Plan
from manor_topics.publishing import Publisher, publish
from manor_topics.reading import Reading
from manor_topics.search.activity import Bucket
from manor_topics.search.answers import ActivityShown
from manor_topics.search.finding import Criteria
from manor_topics.search.indexing import Indexer
from manor_topics.search.searching import Searching
from manor_topics.search.words import read_query
from manor_topics.tables import messages

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
ANN = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
HERS = Principal("session", user_id=ANN)
HIS = Principal("session", user_id=UUID("01890a5d-ac96-774b-bcce-b302099a8058"))


async def add(house: House, name: str) -> Topic:
    topic = new_topic(name, owner_id=ANN, access_level="private", is_discoverable=False, now=NOON)
    await house.storage.write(lambda transaction: store.add_topic(transaction.connection, topic))
    return topic


async def put(house: House, topic: Topic, text: str, *, priority: int = 3, tags: Sequence[str] = ()) -> None:
    draft, plan = Draft(text, priority=priority, tags=tuple(tags)), Plan(SYSTEM_ID, 0, timedelta(days=30))
    await house.storage.write(lambda transaction: publish(transaction, topic, draft, Publisher("me"), plan))


async def activity(
    house: House,
    who: Principal = HERS,
    *,
    topics: Sequence[str] = (),
    bucket: Bucket | None = None,
    now: datetime = NOON,
    start: datetime | None = None,
    end: datetime | None = None,
    criteria: Criteria | None = None,
) -> ActivityShown:
    storage, callers = house.storage, Callers(house.storage)
    reading = Reading(storage, Catalog(storage), callers, house.live, TopicsConfig)
    wanted = criteria or Criteria()
    asked = Criteria(wanted.wanted, wanted.tags, wanted.priority_min, wanted.priority_max, start, end)
    return await Searching(storage, reading, callers, Indexer(storage)).activity(topics, [who], asked, bucket, now)


def cells(shown: ActivityShown) -> dict[str, list[int]]:
    """The buckets that are not empty."""
    assert shown.total == sum(
        bucket.priority_1 + bucket.priority_2 + bucket.priority_3 + bucket.priority_4 + bucket.priority_5
        for bucket in shown.buckets
    )
    found = {
        f"{bucket.timestamp:%d %H:%M}": [
            bucket.priority_1,
            bucket.priority_2,
            bucket.priority_3,
            bucket.priority_4,
            bucket.priority_5,
        ]
        for bucket in shown.buckets
    }
    return {time: counts for time, counts in found.items() if any(counts)}


async def test_the_last_day_by_hours_with_the_empty_ones(house: House, clock: SetClock) -> None:
    topic = await add(house, "mine")
    yesterday = NOON - timedelta(days=1)
    for time, minutes, priority in (
        (yesterday, 29, 1),
        (yesterday, 31, 1),
        (yesterday, 50, 5),
        (NOON, -50, 2),
        (NOON, -1, 2),
        (NOON, -1, 4),
        (NOON, 29, 3),
        (NOON, 31, 3),
    ):
        clock.set(time + timedelta(minutes=minutes))
        await put(house, topic, "x", priority=priority)

    shown = await activity(house, now=NOON + timedelta(minutes=30))

    assert len(shown.buckets) == 25
    assert (shown.bucket_size, shown.start_date, shown.end_date) == (
        "hour",
        NOON - timedelta(hours=23.5),
        NOON + timedelta(minutes=30),
    )
    assert [shown.buckets[0].timestamp, shown.buckets[-1].timestamp] == [NOON - timedelta(hours=24), NOON]
    assert cells(shown) == {"01 12:00": [1, 0, 0, 0, 1], "02 11:00": [0, 2, 0, 1, 0], "02 12:00": [0, 0, 1, 0, 0]}


@pytest.mark.parametrize("bucket", ["hour", "day"])
@pytest.mark.parametrize("words", [None, "x"])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 100),
        (0.2, 0.3),
        (0.25, 2),
        (1, 1),
        (0.5, 30.5),
        (11.99, 36.01),
        (12, 36),
        (20, 70.3),
        (12.5, 13.5),
        (99.9, 100),
    ],
)
async def test_any_time_has_what_came_in_it(
    house: House, clock: SetClock, bucket: Bucket, words: str | None, start: float, end: float
) -> None:
    topic = await add(house, "mine")
    times = [NOON + timedelta(minutes=minutes) for minutes in range(0, 6000, 190)]
    for time in times:
        clock.set(time)
        await put(house, topic, "x", priority=1 + time.hour % 5)
    first, last = NOON + timedelta(hours=start), NOON + timedelta(hours=end)
    clock.set(NOON + timedelta(days=5))

    criteria = Criteria(None if words is None else read_query(words))
    shown = await activity(house, start=first, end=last, bucket=bucket, criteria=criteria)

    expected: dict[str, list[int]] = {}
    for time in times:
        if first <= time <= last:
            began = time.replace(minute=0) if bucket == "hour" else time.replace(minute=0, hour=0)
            expected.setdefault(f"{began:%d %H:%M}", [0] * 5)[time.hour % 5] += 1
    assert cells(shown) == expected


async def test_what_is_counted_can_be_narrowed(house: House) -> None:
    mine, other = await add(house, "mine"), await add(house, "other")
    await put(house, mine, "backup", priority=1, tags=["a"])
    await put(house, mine, "restore", priority=2, tags=["b"])
    await put(house, other, "backup", priority=5)
    end = NOON + timedelta(hours=1)

    async def total(who: Principal = HERS, topics: Sequence[str] = (), **narrowed: object) -> int:
        criteria = Criteria(**narrowed)  # type: ignore[arg-type]  # from this test alone
        return (await activity(house, who, topics=topics, end=end, criteria=criteria)).total

    assert await total() == 3
    assert await total(HIS) == 0
    assert await total(topics=["mine", "nope"]) == 2
    assert await total(topics=["nope"]) == 0
    assert await total(HIS, topics=["mine"]) == 0
    assert await total(priority_max=2) == 2
    assert await total(priority_min=2, priority_max=1) == 0
    assert await total(tags=["a", "b"]) == 2
    assert await total(wanted=read_query("back")) == 2
    assert await total(wanted=read_query("back"), priority_min=2) == 1
    assert await total(wanted=read_query("..")) == 0


@pytest.mark.parametrize("words", [None, "x"])
async def test_what_is_gone_does_not_count(house: House, clock: SetClock, words: str | None) -> None:
    topic = await add(house, "mine")
    for text in ("x kept", "x expired", "x removed"):
        await put(house, topic, text)
    criteria = Criteria(None if words is None else read_query(words))
    span = {"start": NOON - timedelta(days=8), "end": NOON + timedelta(days=8)}
    assert (await activity(house, criteria=criteria, **span)).total == 3  # type: ignore[arg-type]

    await house.storage.write(lambda unit: removing.remove(unit, messages.c.message == "x removed"))
    await house.storage.write(
        lambda unit: unit.connection.execute(
            update(messages).where(messages.c.message == "x expired").values(expires_at=NOON + timedelta(seconds=1))
        ).close()
    )
    clock.set(NOON + timedelta(seconds=2))

    assert cells(await activity(house, criteria=criteria, **span)) == {"02 00:00": [0, 0, 1, 0, 0]}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("hours", "size"), [(0, "hour"), (72, "hour"), (72.01, "day"), (24 * 30, "day"), (24 * 999, "day")]
)
async def test_long_times_are_shown_by_days(house: House, hours: float, size: str) -> None:
    shown = await activity(house, start=NOON - timedelta(hours=hours), end=NOON)

    assert (shown.bucket_size, shown.total) == (size, 0)


@pytest.mark.parametrize(
    ("start", "end", "bucket"),
    [
        (NOON + timedelta(seconds=1), NOON, None),
        (NOON - timedelta(days=1000), NOON, None),
        (NOON - timedelta(hours=1000), NOON, "hour"),
        (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), None),
    ],
)
async def test_a_time_that_ends_before_it_begins_or_is_too_long_is_refused(
    house: House, start: datetime, end: datetime, bucket: Bucket | None
) -> None:
    with pytest.raises(Unprocessable):
        await activity(house, start=start, end=end, bucket=bucket)


async def test_the_first_day_of_all_has_no_day_before_it(house: House) -> None:
    shown = await activity(house, end=datetime.min.replace(tzinfo=UTC))

    assert shown.total == 0
