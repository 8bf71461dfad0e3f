"""How teams live: on a plan, deactivated and on again, deleted with their topics or without."""

from __future__ import annotations

from uuid import UUID

import pytest
import trio

from manor import UNLIMITED, add_member
from manor.commands import SetTier
from manor.testing import House
from manor_topics.teams.commands import SetTeamActive
from tests.people import actions
from tests.team_people import LEADS, OWNS, READS, Crew, joined, make_team, statuses
from tests.topic_people import asking_as, make_topic, person, refusal, send, texts

PLANS = {"tiers": {"FREE": {}, "NONE": {"teams": False}, "SMALL": {"base_members": 3}}}


async def deactivate(crew: Crew) -> None:
    await crew.house.run_command("teams.set_active", SetTeamActive("crew", False))


# --- Plans ---------------------------------------------------------------------------------------------------------


async def test_the_numbers_of_a_plan(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    first, second = await make_team(ann, "one"), await make_team(ann, "two")
    bea_id, _ = await joined(house, first, "bea")
    await joined(house, second, "cid")
    await house.storage.write(lambda transaction: add_member(transaction, UUID(second["id"]), bea_id))

    assert (await ann.get("/api/teams/stats")).json() == {
        "base_members": 50,
        "additional_members": 0,
        "used_members": 3,
        "total_members": 50,
        "available_members": 47,
        "percentage_used": 6.0,
        "daily_message_limit": 10_000,
        "message_retention_days": 30,
    }
    await house.run_command("user.set_tier", SetTier("ann", "BUSINESS"))
    assert (await ann.get("/api/teams/stats")).json() == {
        "base_members": UNLIMITED,
        "additional_members": 0,
        "used_members": 3,
        "total_members": UNLIMITED,
        "available_members": UNLIMITED,
        "percentage_used": 0.0,
        "daily_message_limit": UNLIMITED,
        "message_retention_days": 365,
    }


@pytest.mark.manor(config={"tiers": {"FREE": {"base_members": 3}}})
async def test_what_is_used_is_said_with_one_decimal_and_never_less_than_nothing_is_free(house: House) -> None:
    ann = asking_as(house, await person(house, "ann"))
    assert (await ann.get("/api/teams/stats")).json()["used_members"] == 0
    team = await make_team(ann)
    assert (await ann.get("/api/teams/stats")).json()["percentage_used"] == 33.3
    for name in ("bea", "cid", "dan"):
        await joined(house, team, name)

    stats = (await ann.get("/api/teams/stats")).json()

    assert (stats["used_members"], stats["available_members"], stats["percentage_used"]) == (4, 0, 133.3)


@pytest.mark.manor(config=PLANS)
async def test_without_teams_in_the_plan_nobody_makes_one_but_is_in_others(crew: Crew) -> None:
    await crew.house.run_command("user.set_tier", SetTier("cid", "NONE"))

    answer = await crew.cid.post("/api/teams", json={"name": "mine", "display_name": "x"})

    assert refusal(answer) == (403, "Teams are not part of the plan NONE (teams)")
    assert len((await crew.cid.get("/api/teams")).json()) == 1
    assert (await crew.cid.get("/api/teams/stats")).status == 200


@pytest.mark.manor(config=PLANS)
async def test_with_the_plan_teams_are_deactivated_and_come_back_by_hand(crew: Crew) -> None:
    await make_topic(crew.ann, "alarms", team_id=crew.team["id"])
    await send(crew.cid, "one")

    await crew.house.run_command("user.set_tier", SetTier("ann", "NONE"))
    await trio.testing.wait_all_tasks_blocked()

    assert (await crew.ann.get("/api/teams")).json() == []
    (team,) = (await crew.ann.get("/api/teams/deactivated")).json()
    assert (team["id"], team["is_active"], team["member_count"]) == (crew.team["id"], False, 3)
    for client in (crew.bea, crew.cid):
        assert (await client.get("/api/teams")).json() == (await client.get("/api/teams/deactivated")).json() == []
        assert (await client.post("/alarms", body=b"two")).status == 403
        assert (await client.get("/alarms/json")).status == 403
    assert await texts(crew.ann) == ["one"]
    assert (await crew.ann.post(f"{crew.path}/reactivate")).status == 403

    await crew.house.run_command("user.set_tier", SetTier("ann", "FREE"))
    assert (await crew.ann.post(f"{crew.path}/reactivate")).json()["is_active"] is True
    await trio.testing.wait_all_tasks_blocked()
    assert await texts(crew.cid) == ["one"]
    assert "topics.team_deactivated" in await actions(crew.house)


# --- Deactivated ---------------------------------------------------------------------------------------------------


async def test_a_deactivated_team_is_there_for_its_owner_alone(crew: Crew) -> None:
    await deactivate(crew)

    assert (await crew.ann.get(crew.path)).json()["is_active"] is False
    assert refusal(await crew.ann.post(f"{crew.path}/invites", json={"email": "new@example.org"}))[0] == 403
    everything = [*READS, *LEADS, *OWNS]
    assert await statuses(crew, crew.bea, [ask for ask in everything if "{bea}" not in ask[1]]) == {403}
    assert await statuses(crew, crew.cid, everything) == {403}
    assert (await crew.cid.delete(f"{crew.path}/members/{crew.cid_id}")).status == 204
    answer = await crew.ann.post("/api/topics", json={"name": "alarms", "team_id": crew.team["id"]})
    assert refusal(answer)[0] == 403


async def test_it_is_reactivated_by_its_owner_and_once(crew: Crew) -> None:
    assert (await crew.ann.post(f"{crew.path}/reactivate")).status == 409
    await deactivate(crew)

    shown = await crew.ann.post(f"{crew.path}/reactivate")

    assert (shown.status, shown.json()["is_active"], shown.json()["my_role"]) == (200, True, "owner")
    assert (await crew.ann.post(f"{crew.path}/reactivate")).status == 409
    assert (await crew.cid.get(crew.path)).status == 200


# --- Deleting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?delete_topics=false", "?delete_topics=0", "?delete_topics=No"])
async def test_topics_of_a_team_that_goes_are_private_ones_of_its_owner(crew: Crew, query: str) -> None:
    one = await make_topic(crew.bea, "one", team_id=crew.team["id"])
    listed = {"access_level": "public", "is_discoverable": True, "description": "x"}
    await make_topic(crew.ann, "two", team_id=crew.team["id"], **listed)
    await send(crew.cid, "kept", "one")

    assert (await crew.ann.delete(crew.path + query)).status == 204

    for name in ("one", "two"):
        topic = (await crew.ann.get(f"/api/topics/{name}")).json()
        shown = (topic["owner_id"], topic["team_id"], topic["access_level"], topic["is_discoverable"])
        assert shown == (str(crew.ann_id), None, "private", False)
        for client in (crew.bea, crew.cid):
            assert (await client.get(f"/{name}/json")).status == 403
    assert await texts(crew.ann, "one") == ["kept"]
    assert (await crew.ann.get(crew.path)).status == 404
    assert (await crew.ann.get("/api/teams/stats")).json()["used_members"] == 0
    assert (await crew.eve.post("/api/teams", json={"name": "crew", "display_name": "x"})).status == 201
    assert one["owner_id"] == str(crew.ann_id)


@pytest.mark.parametrize("query", ["?delete_topics=true", "?delete_topics=1", "?delete_topics=YES"])
async def test_or_they_are_deleted_too(crew: Crew, query: str) -> None:
    await make_topic(crew.ann, "one", team_id=crew.team["id"])
    await make_topic(crew.ann, "mine")

    assert (await crew.ann.delete(crew.path + query)).status == 204

    assert (await crew.ann.get("/api/topics/one")).status == 404
    assert [topic["name"] for topic in (await crew.ann.get("/api/topics/my")).json()] == ["mine"]
    assert "topics.team_deleted" in await actions(crew.house)


@pytest.mark.parametrize("value", ["", "maybe", "2", "null", "true,false"])
async def test_whether_they_are_is_said_clearly_or_nothing_is_done(crew: Crew, value: str) -> None:
    assert (await crew.ann.delete(f"{crew.path}?delete_topics={value}")).status == 422

    assert (await crew.ann.get(crew.path)).status == 200


@pytest.mark.parametrize(("deletes", "left"), [("false", 121), ("true", 1)])
async def test_a_team_of_many_topics_goes_whole(crew: Crew, deletes: str, left: int) -> None:
    for number in range(120):
        await make_topic(crew.ann, f"topic-{number}", team_id=crew.team["id"])
    await make_topic(crew.ann, "mine")

    assert (await crew.ann.delete(f"{crew.path}?delete_topics={deletes}")).status == 204

    mine = [*(await crew.ann.get("/api/topics/my?limit=100")).json()]
    mine += (await crew.ann.get("/api/topics/my?limit=100&offset=100")).json()
    assert (len(mine), {topic["team_id"] for topic in mine}) == (left, {None})


async def test_it_is_deleted_once(crew: Crew) -> None:
    answers: list[int] = []

    async def delete() -> None:
        answers.append((await crew.ann.delete(crew.path)).status)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(delete)

    assert sorted(answers) == [204, 404, 404]
