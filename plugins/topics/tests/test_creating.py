"""Making topics: what is taken, what is refused, and what plans say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
import trio

from manor import Event, add_member, create_team, set_team_active
from manor.testing import Client, House
from manor_topics.events import TopicCreated
from tests.topic_people import asking_as, make_topic, person, refusal

SMALL = {"tiers": {"FREE": {"max_topics": 2}, "NONE": {"private_topics": False}}}
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


async def team_of(house: House, owner: UUID, **members: UUID) -> UUID:
    """A team, with these people in it by what they are."""

    def work(transaction: Any) -> UUID:
        team = create_team(transaction, owner, name="crew", display_name="Crew")
        for role, user_id in members.items():
            add_member(transaction, team.id, user_id, role)  # type: ignore[arg-type]  # as the keywords are called
        return team.id

    return await house.storage.write(work)


async def test_a_topic_is_private_when_nothing_is_said_of_it(house: House, heard: list[Event]) -> None:
    ann = await person(house, "ann")
    heard.clear()

    made = await make_topic(asking_as(house, ann), "alarms")

    assert made == {
        "id": made["id"],
        "name": "alarms",
        "owner_id": str(ann),
        "team_id": None,
        "access_level": "private",
        "description": None,
        "is_discoverable": False,
        "icon_name": "bell",
        "icon_color": "blue",
        "message_count": 0,
        "subscriber_count": 1,
        "created_at": "2030-01-02T12:00:00Z",
        "last_message_at": None,
        "subscription_warning": None,
    }
    (told,) = [event for event in heard if isinstance(event, TopicCreated)]
    assert (told.topic_id, told.topic, told.owner_id) == (UUID(made["id"]), "alarms", ann)


async def test_it_is_there_at_once(house: House, client: Client) -> None:
    ann = asking_as(house, await person(house, "ann"))
    assert (await ann.post("/alarms", body=b"x")).status == 404

    await make_topic(ann, "alarms")

    assert (await ann.post("/alarms", body=b"x")).status == 200
    assert [topic["name"] for topic in (await ann.get("/api/topics/my")).json()] == ["alarms"]
    assert (await client.get("/api/topics/alarms")).status == 401


async def test_what_is_private_is_not_found_by_everybody(house: House) -> None:
    """The command line says so of every topic that it makes."""
    ann = asking_as(house, await person(house, "ann"))

    made = await make_topic(ann, "alarms", access_level="private", is_discoverable=True)

    assert made["is_discoverable"] is False


async def test_a_public_topic_that_is_found_says_what_it_is(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    made = await make_topic(
        ann, "news", access_level="public", is_discoverable=True, description="What is new", icon_name="fire"
    )

    assert (made["is_discoverable"], made["description"], made["icon_name"]) == (True, "What is new", "fire")
    listed = (await ann.get("/api/topics/public")).json()
    assert "news" in [topic["name"] for topic in listed]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": 7}, "name"),
        ({"name": ""}, "name"),
        ({"name": "ab"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": "Alarms"}, "name"),
        ({"name": "-alarms"}, "name"),
        ({"name": "a b c"}, "name"),
        ({"name": "alärm"}, "name"),
        ({"name": "alarms\n"}, "name"),
        ({"name": "api"}, "name"),
        ({"name": "metrics"}, "name"),
        ({"name": "01890a5dac96774bbcceb302099a8057"}, "name"),
        ({"name": UNKNOWN}, "name"),
        ({"name": "alarms", "access_level": "protected"}, "access_level"),
        ({"name": "alarms", "access_level": None}, "access_level"),
        ({"name": "alarms", "access_level": "PUBLIC"}, "access_level"),
        ({"name": "alarms", "is_discoverable": "yes"}, "is_discoverable"),
        ({"name": "alarms", "description": "x" * 501}, "description"),
        ({"name": "alarms", "description": "a\x00b"}, "description"),
        ({"name": "alarms", "description": ["x"]}, "description"),
        ({"name": "alarms", "access_level": "public", "is_discoverable": True}, "description"),
        ({"name": "alarms", "access_level": "public", "is_discoverable": True, "description": " "}, "description"),
        ({"name": "alarms", "icon_name": "x" * 51}, "icon_name"),
        ({"name": "alarms", "icon_name": "<b>"}, "icon_name"),
        ({"name": "alarms", "icon_color": "Blue"}, "icon_color"),
        ({"name": "alarms", "icon_color": 1}, "icon_color"),
        ({"name": "alarms", "team_id": "crew"}, "team_id"),
        ([], ""),
        ("alarms", ""),
    ],
)
async def test_what_no_topic_can_be_is_refused(house: House, body: Any, field: str) -> None:
    ann = asking_as(house, await person(house, "ann"))

    status, detail = refusal(await ann.post("/api/topics", json=body))

    assert status == 422
    assert field in detail
    assert (await ann.get("/api/topics/my")).json() == []


@pytest.mark.parametrize("body", [b"", b"{", b"name=alarms", b"\xff", b'{"name": "\\ud800"}'])
async def test_what_is_not_json_is_a_bad_request(house: House, body: bytes) -> None:
    ann = asking_as(house, await person(house, "ann"))

    assert (await ann.post("/api/topics", body=body)).status in (400, 422)


async def test_the_longest_that_is_taken(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))

    made = await make_topic(ann, "x" * 64, description="ż\n" * 250, icon_name="a" * 50, unknown=["ignored"])

    assert len(made["description"]) == 500


async def test_a_name_is_given_once(house: House) -> None:
    ann, eve = asking_as(house, await person(house, "ann")), asking_as(house, await person(house, "eve"))
    await make_topic(ann, "alarms")

    assert refusal(await eve.post("/api/topics", json={"name": "alarms"})) == (409, "There is a topic 'alarms' already")
    assert (await eve.post("/api/topics", json={"name": "welcome"})).status == 409


async def test_of_many_who_want_a_name_at_once_one_gets_it(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    statuses: list[int] = []

    async def make() -> None:
        statuses.append((await ann.post("/api/topics", json={"name": "alarms"})).status)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(make)

    assert sorted(statuses) == [201] + [409] * 19


@pytest.mark.manor(config={"tiers": {"FREE": {"max_subscriptions": 1}}})
async def test_who_has_no_room_for_a_subscription_has_the_topic_all_the_same(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    first, second = await make_topic(ann, "one"), await make_topic(ann, "two")

    assert (first["subscriber_count"], first["subscription_warning"]) == (1, None)
    assert second["subscriber_count"] == 0
    assert "max_subscriptions" in second["subscription_warning"]
    assert (await ann.get("/api/topics/one")).json()["subscriber_count"] == 1
    assert (await ann.get("/api/topics/two")).json()["subscriber_count"] == 0


# --- Teams ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "status"), [("admin", 201), ("member", 403)])
async def test_a_teams_topic_is_its_owners_and_made_by_who_manages_it(house: House, role: str, status: int) -> None:
    ann, eve = await person(house, "ann"), await person(house, "eve")
    team_id = await team_of(house, ann, **{role: eve})

    answer = await asking_as(house, eve).post("/api/topics", json={"name": "alarms", "team_id": str(team_id)})

    assert answer.status == status
    if status == 201:
        assert (answer.json()["owner_id"], answer.json()["team_id"]) == (str(ann), str(team_id))


async def test_a_team_that_is_not_ones_own_gets_no_topic(house: House) -> None:
    ann, eve = await person(house, "ann"), await person(house, "eve")
    team_id = await team_of(house, ann)
    wanted = {"name": "alarms", "team_id": str(team_id)}

    assert (await asking_as(house, eve).post("/api/topics", json=wanted)).status == 403
    assert (await asking_as(house, ann).post("/api/topics", json=wanted | {"team_id": UNKNOWN})).status == 404
    await house.storage.write(lambda transaction: set_team_active(transaction, team_id, False))
    assert refusal(await asking_as(house, ann).post("/api/topics", json=wanted)) == (
        403,
        "The team 'crew' is deactivated",
    )


@pytest.mark.manor(config=SMALL)
async def test_a_teams_topics_count_for_its_owner(house: House) -> None:
    ann, eve = await person(house, "ann"), await person(house, "eve")
    team_id = str(await team_of(house, ann, admin=eve))
    await make_topic(asking_as(house, ann), "one")
    await make_topic(asking_as(house, eve), "two", team_id=team_id)

    assert (await asking_as(house, eve).post("/api/topics", json={"name": "three", "team_id": team_id})).status == 403
    await make_topic(asking_as(house, eve), "four")


# --- Plans ---------------------------------------------------------------------------------------------------------


@pytest.mark.manor(config=SMALL)
async def test_a_plan_has_room_for_so_many_topics(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    first = await make_topic(ann, "one")
    await make_topic(ann, "two")

    status, detail = refusal(await ann.post("/api/topics", json={"name": "three"}))
    assert (status, "max_topics" in detail) == (403, True)
    assert (await ann.delete(f"/api/topics/{first['id']}")).status == 204
    await make_topic(ann, "three")


@pytest.mark.manor(config=SMALL)
async def test_of_many_topics_at_once_as_many_are_made_as_there_is_room_for(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    statuses: list[int] = []

    async def make(name: str) -> None:
        statuses.append((await ann.post("/api/topics", json={"name": name})).status)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(make, f"topic{number}")

    assert sorted(statuses) == [201] * 2 + [403] * 8


@pytest.mark.manor(config={**SMALL, "plugins": {"topics": {"auto_create": "authenticated"}}})
async def test_publishing_makes_no_more_topics_than_there_is_room_for(house: House) -> None:
    ann, nick = asking_as(house, await person(house, "ann")), asking_as(house, await person(house, "nick", tier="NONE"))

    statuses = [(await ann.post(f"/topic{number}", body=b"x")).status for number in range(3)]
    refused = await nick.post("/his-own", body=b"x")

    assert statuses == [200, 200, 403]
    assert (await ann.get("/api/topics/topic2")).status == 404
    assert refusal(refused) == (403, "Private topics are not part of the plan NONE (private_topics)")


@pytest.mark.manor(config=SMALL)
async def test_a_plan_may_have_no_private_topics(house: House) -> None:
    nick = asking_as(house, await person(house, "nick", tier="NONE"))
    public: Mapping[str, Any] = {"name": "alarms", "access_level": "public"}

    assert (await nick.post("/api/topics", json={"name": "alarms"})).status == 403
    made = (await nick.post("/api/topics", json=public)).json()
    assert (await nick.patch(f"/api/topics/{made['id']}", json={"access_level": "private"})).status == 403
    assert (await nick.patch(f"/api/topics/{made['id']}", json={"description": "x"})).status == 200


# --- Who -----------------------------------------------------------------------------------------------------------


async def test_nobody_makes_no_topics(house: House, client: Client) -> None:
    ann = await person(house, "ann")
    lacking = asking_as(house, ann, scopes=frozenset({"topics:read"}))

    assert (await client.post("/api/topics", json={"name": "alarms"})).status == 401
    assert (await lacking.post("/api/topics", json={"name": "alarms"})).status == 403


async def test_who_is_gone_makes_no_topics(house: House) -> None:
    gone = asking_as(house, UUID(UNKNOWN))

    assert (await gone.post("/api/topics", json={"name": "alarms"})).status == 401
