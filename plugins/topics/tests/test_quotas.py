"""Quotas of publishing: exactly as many as the plan says, by the day and by the minute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio

from manor import Transaction, add_member, create_team
from manor.commands import SetTier
from manor.testing import Answer, Client, House, SetClock, open_test_house
from tests.topic_people import asking_as, make_topic, person, refusal, texts

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
MIDNIGHT = datetime(2030, 1, 3, tzinfo=UTC)
DAILY: Mapping[str, Any] = {"tiers": {"FREE": {"daily_messages": 3}, "MORE": {"daily_messages": 5}}}
daily = pytest.mark.manor(config=DAILY)
minutely = pytest.mark.manor(config={"tiers": {"FREE": {"publish_per_minute": 3}}})


async def statuses(client: Client, number: int, topic: str = "alarms") -> list[int]:
    return [(await client.post(f"/{topic}", body=b"x")).status for _ in range(number)]


def rates(answer: Answer) -> list[str]:
    """What an answer says of a rate."""
    return [answer.headers[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset")]


@daily
async def test_the_last_message_of_the_day_is_taken_and_the_next_is_not(house: House, clock: SetClock) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)

    assert await statuses(ann, 4) == [200, 200, 200, 429]
    refused = await ann.post("/alarms", body=b"x")
    assert refusal(refused) == (429, "The plan's 3 messages of today are used up (daily_messages)")
    assert refused.headers["Retry-After"] == str(12 * 3600)
    assert rates(refused) == ["3", "0", str(int(MIDNIGHT.timestamp()))], "of the limit that was hit, not of another"
    assert len(await texts(ann)) == 3


@daily
async def test_the_day_begins_at_midnight_in_utc(house: House, clock: SetClock) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    clock.set(MIDNIGHT - timedelta(microseconds=1))
    assert await statuses(ann, 4) == [200, 200, 200, 429]
    assert (await ann.post("/alarms", body=b"x")).headers["Retry-After"] == "1"

    clock.set(MIDNIGHT)

    assert await statuses(ann, 4) == [200, 200, 200, 429]


async def test_a_restart_gives_no_messages_back(tmp_path: Path, clock: SetClock) -> None:
    async with open_test_house(tmp_path, plugins=["topics"], config=DAILY, clock=clock) as house:
        user_id = await person(house, "ann")
        await make_topic(asking_as(house, user_id))
        assert await statuses(asking_as(house, user_id), 2) == [200, 200]

    async with open_test_house(tmp_path, plugins=["topics"], config=DAILY, clock=clock) as house:
        assert await statuses(asking_as(house, user_id), 2) == [200, 429]
        clock.set(MIDNIGHT)
        assert await statuses(asking_as(house, user_id), 1) == [200]


@daily
async def test_of_many_at_once_as_many_are_taken_as_are_left(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    answered: list[int] = []

    async def one() -> None:
        answered.extend(await statuses(ann, 1))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(one)

    assert sorted(answered) == [200] * 3 + [429] * 7


@daily
async def test_all_topics_of_a_person_draw_on_one_quota(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann, "one")
    await make_topic(ann, "two", access_level="public")
    eve = asking_as(house, await person(house, "eve"))

    assert await statuses(ann, 2, "one") == [200, 200]
    # Whoever publishes: the topic is Ann's.
    assert await statuses(eve, 2, "two") == [200, 429]
    await make_topic(eve, "hers")
    assert await statuses(eve, 1, "hers") == [200]
    # The server's own topics have no quota.
    assert await statuses(eve, 5, "welcome") == [200] * 5


@daily
async def test_a_team_topic_draws_on_its_owners_quota(house: House) -> None:
    ann, eve = await person(house, "ann"), await person(house, "eve", tier="MORE")

    def work(transaction: Transaction) -> UUID:
        team = create_team(transaction, ann, name="crew", display_name="Crew")
        add_member(transaction, team.id, eve, "admin")
        return team.id

    team_id = await house.storage.write(work)
    await make_topic(asking_as(house, eve), "crew-alarms", team_id=str(team_id))
    await make_topic(asking_as(house, ann), "hers")

    assert await statuses(asking_as(house, eve), 2, "crew-alarms") == [200, 200]
    assert await statuses(asking_as(house, ann), 2, "hers") == [200, 429]
    assert await statuses(asking_as(house, eve), 1, "crew-alarms") == [429]


@daily
async def test_a_repeated_request_is_counted_once(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    key = {"Idempotency-Key": "k"}

    first = [await ann.post("/alarms", body=b"x", headers=key) for _ in range(5)]
    assert {answer.status for answer in first} == {200}
    assert await statuses(ann, 3) == [200, 200, 429]
    # What was answered before is answered still.
    assert (await ann.post("/alarms", body=b"x", headers=key)).body == first[0].body


@daily
async def test_what_is_refused_is_not_counted(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    key = {"Idempotency-Key": "k"}

    assert (await ann.post("/alarms", body=b"")).status == 422
    assert (await ann.post("/alarms", body=b"x", headers=key)).status == 200
    assert (await ann.post("/alarms", body=b"other", headers=key)).status == 422
    assert await statuses(ann, 3) == [200, 200, 429]


@daily
async def test_deleting_messages_gives_none_back(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    sent = [(await ann.post("/alarms", body=b"x")).json() for _ in range(3)]

    assert (await ann.delete(f"/api/alarms/messages/{sent[0]['id']}")).status == 200

    assert await statuses(ann, 1) == [429]


@daily
async def test_another_plan_counts_at_once(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    await make_topic(ann)
    assert await statuses(ann, 4) == [200, 200, 200, 429]

    await house.run_command("user.set_tier", SetTier("ann", "MORE"))

    assert await statuses(ann, 3) == [200, 200, 429]


# --- By the minute -------------------------------------------------------------------------------------------------


@minutely
async def test_a_credential_has_its_messages_of_a_minute(house: House, autojump_clock: Any) -> None:
    user_id = await person(house, "ann")
    ann = asking_as(house, user_id, credential_id=UUID(int=1))
    await make_topic(ann)

    assert await statuses(ann, 4) == [200, 200, 200, 429]
    refused = await ann.post("/alarms", body=b"x")
    assert refusal(refused) == (429, "Too many messages: 3 a minute are allowed (publish_per_minute)")
    assert rates(refused) == ["3", "0", str(int(NOON.timestamp()) + 60)], "of the limit that was hit, not of another"
    # Another credential of the same person has its own.
    assert await statuses(asking_as(house, user_id, credential_id=UUID(int=2)), 1) == [200]
    await trio.sleep(int(refused.headers["Retry-After"]))
    assert await statuses(ann, 1) == [200]


@minutely
async def test_the_minute_says_nothing_to_the_server_itself(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))

    assert await statuses(ann, 10, "welcome") == [200] * 10


@pytest.mark.manor(
    config={"tiers": {"FREE": {"publish_per_minute": 3}}, "plugins": {"topics": {"auto_create": "authenticated"}}}
)
async def test_messages_that_make_their_topics_count_as_others_do(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))

    answers = [await ann.post(f"/new-{number}", body=b"x") for number in range(4)]

    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    assert (await ann.get("/api/topics/new-3")).status == 404
