"""Messages that are published at the same time: as if they came one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio

from manor.testing import Answer, Client, House, SetClock
from tests.topic_people import asking_as, make_topic, person, texts

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
DAILY: Mapping[str, Any] = {"tiers": {"FREE": {"daily_messages": 3}}}


async def all_at_once(client: Client, *asked: tuple[str, str] | tuple[str, str, dict[str, str]]) -> Sequence[Answer]:
    """What came of messages, each with its topic, and headers perhaps, that were sent at the same time."""
    answers: dict[int, Answer] = {}

    async def send(number: int, topic: str, text: str, headers: dict[str, str] | None = None) -> None:
        answers[number] = await client.post(f"/{topic}", body=text.encode(), headers=headers)

    async with trio.open_nursery() as nursery:
        for number, each in enumerate(asked):
            nursery.start_soon(send, number, *each)
    return [answers[number] for number in range(len(asked))]


async def test_they_share_a_commit_and_each_has_a_place_of_its_own(house: House, clock: SetClock) -> None:
    ann = asking_as(house, await person(house, "ann"))
    for name in ("one", "two"):
        await make_topic(ann, name)
        await all_at_once(ann, (name, "first"))
    commits, position = house.storage.commits, house.storage.position

    answers = await all_at_once(ann, *((("one", "two")[number % 2], f"text {number}") for number in range(9)))

    assert [answer.status for answer in answers] == [200] * 9
    assert (house.storage.commits, house.storage.position) == (commits + 1, position + 9)
    for name in ("one", "two"):
        told = (await ann.get(f"/{name}/json?since=all")).json()["messages"]
        assert [message["sequence"] for message in told] == list(range(1, len(told) + 1))
        times = [datetime.fromisoformat(message["timestamp"]) for message in told]
        assert times == sorted(set(times)), "each is later than the one before, in a microsecond too"
        shown = (await ann.get(f"/api/topics/{name}")).json()
        assert (shown["message_count"], shown["last_message_at"]) == (len(told), told[-1]["timestamp"])
        own = [answer.json() for answer in answers if answer.json()["topic"] == name]
        assert sorted(own, key=lambda message: int(message["sequence"])) == told[1:], "as it was answered"


async def test_what_some_have_and_others_have_not_is_kept_for_each(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    all_of_it = {"X-Title": "t", "X-Priority": "1", "X-Tags": "a,b", "X-Click": "https://example.org/"}

    await all_at_once(ann, ("alarms", "bare"), ("alarms", "titled", all_of_it), ("alarms", "tagged", {"X-Tags": "a"}))

    told = {message["message"]: message for message in (await ann.get("/alarms/json?since=all")).json()["messages"]}
    members = ("title", "priority", "tags", "click")
    assert {text: [message.get(name) for name in members] for text, message in told.items()} == {
        "bare": [None, 3, [], None],
        "titled": ["t", 1, ["a", "b"], "https://example.org/"],
        "tagged": [None, 3, ["a"], None],
    }


@pytest.mark.manor(config=DAILY)
async def test_those_that_a_plan_has_no_room_for_are_refused_and_the_others_are_not(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)

    answers = await all_at_once(ann, *(("alarms", f"{number}") for number in range(5)), *(("welcome", "x"),) * 3)

    statuses = [answer.status for answer in answers]
    assert (sorted(statuses[:5]), statuses[5:]) == ([200] * 3 + [429] * 2, [200] * 3)
    assert len(await texts(ann)) == 3
    shown = (await ann.get("/api/topics/alarms")).json()
    assert shown["message_count"] == 3


async def test_a_topic_that_goes_in_the_same_commit_takes_no_other_with_it(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann, "stays")
    await make_topic(ann, "goes")
    await all_at_once(ann, ("stays", "first"), ("goes", "first"))
    # Told to nobody, so that the topic is still in memory when its messages are sent.
    house.storage.submit(
        lambda transaction: transaction.connection.exec_driver_sql("DELETE FROM topics_topics WHERE name = 'goes'")
    )

    answers = await all_at_once(ann, ("stays", "a"), ("goes", "b"), ("stays", "c"))

    assert [answer.status for answer in answers] == [200, 404, 200]
    assert sorted(await texts(ann, "stays")) == ["a", "c", "first"]


async def test_a_clock_that_is_set_back_takes_timestamps_back_only_by_a_large_step(
    house: House, clock: SetClock
) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    seen: list[list[timedelta]] = []

    for now in (NOON, NOON - timedelta(seconds=59), NOON - timedelta(minutes=3)):
        clock.set(now)
        answers = await all_at_once(ann, ("alarms", "a"), ("alarms", "b"))
        seen.append(sorted(datetime.fromisoformat(answer.json()["timestamp"]) - NOON for answer in answers))

    step, back = timedelta(microseconds=1), timedelta(minutes=-3)
    assert seen == [[0 * step, step], [2 * step, 3 * step], [back, back + step]]
