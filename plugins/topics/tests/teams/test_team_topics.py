"""Topics of a team: who reads, publishes and manages, on whose plan; and what becomes of them with the team."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import trio

from manor import (
    Event,
    Transaction,
    UserErased,
    delete_team,
    find_team,
    list_teams,
)
from manor.commands import SetTier, Who
from manor.testing import Client, House, SetClock, open_test_house
from manor_topics.events import TopicDeleted, TopicUpdated
from manor_topics.teams.commands import SetTeamActive
from tests.team_people import Crew, make_team
from tests.topic_people import asking_as, make_topic, person, send, texts

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


async def settled() -> None:
    """Deferred work is done."""
    await trio.testing.wait_all_tasks_blocked()


async def reads(client: Client, topic: str = "alarms") -> bool:
    status = (await client.get(f"/{topic}/json")).status
    assert status in (200, 403)
    return status == 200


# --- Rights --------------------------------------------------------------------------------------------------------


async def test_topics_of_a_team_are_made_by_owner_and_admins_and_belong_to_the_owner(crew: Crew) -> None:
    made = await make_topic(crew.bea, "alarms", team_id=crew.team["id"])

    assert (made["owner_id"], made["team_id"], made["access_level"]) == (
        str(crew.ann_id), crew.team["id"], "private",
    )  # fmt: skip
    for client, status in ((crew.cid, 403), (crew.eve, 403)):
        answer = await client.post("/api/topics", json={"name": "more", "team_id": crew.team["id"]})
        assert answer.status == status
    for team_id, status in ((UNKNOWN, 404), ("crew", 422), (5, 422)):
        assert (await crew.ann.post("/api/topics", json={"name": "more", "team_id": team_id})).status == status


async def test_members_read_and_publish_and_strangers_do_neither(crew: Crew) -> None:
    await make_topic(crew.ann, "alarms", team_id=crew.team["id"])

    for client, text in ((crew.ann, "one"), (crew.bea, "two"), (crew.cid, "three")):
        await send(client, text)
    assert await texts(crew.cid) == ["one", "two", "three"]
    assert (await crew.eve.post("/alarms", body=b"x")).status == 403
    assert not await reads(crew.eve)
    assert (await Client(crew.house.dispatcher).get("/alarms/json")).status == 401
    assert [topic["name"] for topic in (await crew.cid.get("/api/topics")).json()] == ["alarms", "welcome"]


async def test_owner_and_admins_manage_them_and_members_do_not(crew: Crew) -> None:
    topic = await make_topic(crew.ann, "alarms", team_id=crew.team["id"])
    message = await send(crew.cid, "one")
    path, at = f"/api/topics/{topic['id']}", f"/api/alarms/messages/{message['id']}"

    for client, is_manager in ((crew.cid, False), (crew.bea, True), (crew.ann, True)):
        shown = (await client.get(path)).json()
        listed = (await client.get("/api/topics/my")).json()
        assert (shown["can_manage"], [each["name"] for each in listed]) == (
            is_manager, ["alarms"] if is_manager else [],
        )  # fmt: skip
        expected = 200 if is_manager else 403
        assert (await client.patch(path, json={"description": "x"})).status == expected
        assert (await client.patch(at, json={"message": "edited"})).status == expected
        assert (await client.get(f"{path}/access-tokens")).status == expected
    assert (await crew.cid.delete(at)).status == (await crew.cid.delete(path)).status == 403
    assert (await crew.bea.delete(at)).status == 200
    assert (await crew.bea.delete(path)).status == 204


async def test_rights_are_lost_with_the_role_the_membership_and_the_team(crew: Crew) -> None:
    topic = await make_topic(crew.ann, "alarms", team_id=crew.team["id"])
    path = f"/api/topics/{topic['id']}"
    assert (await crew.bea.get(path)).json()["can_manage"] is True

    await crew.ann.patch(f"{crew.path}/members/{crew.bea_id}", json={"role": "member"})
    assert (await crew.bea.get(path)).json()["can_manage"] is False
    await crew.ann.delete(f"{crew.path}/members/{crew.bea_id}")
    assert not await reads(crew.bea)
    assert await reads(crew.cid)
    await crew.house.run_command("teams.set_active", SetTeamActive("crew", False))
    assert not await reads(crew.cid)
    assert await reads(crew.ann)
    await crew.house.run_command("teams.set_active", SetTeamActive("crew", True))
    assert await reads(crew.cid)


# --- Whose plan ----------------------------------------------------------------------------------------------------

SMALL = {"tiers": {"FREE": {}, "TINY": {"daily_messages": 2, "max_topics": 1, "private_topics": False}}}


@pytest.mark.manor(config=SMALL)
async def test_publishing_draws_on_the_owners_plan_whoever_publishes(crew: Crew) -> None:
    await make_topic(crew.ann, "alarms", team_id=crew.team["id"])
    await make_topic(crew.cid, "mine")
    await crew.house.run_command("user.set_tier", SetTier("ann", "TINY"))

    for client in (crew.cid, crew.bea):
        await send(client, "x")

    assert (await crew.cid.post("/alarms", body=b"x")).status == 429
    assert (await crew.ann.post("/alarms", body=b"x")).status == 429
    await send(crew.cid, "x", "mine")


@pytest.mark.manor(config=SMALL)
async def test_so_does_making_topics(crew: Crew) -> None:
    await crew.house.run_command("user.set_tier", SetTier("ann", "TINY"))
    wanted = {"team_id": crew.team["id"], "access_level": "public"}

    assert (await crew.bea.post("/api/topics", json={**wanted, "name": "one", "access_level": "private"})).status == 403
    assert (await crew.bea.post("/api/topics", json={**wanted, "name": "one"})).status == 201
    assert (await crew.bea.post("/api/topics", json={**wanted, "name": "two"})).status == 403
    assert (await crew.bea.post("/api/topics", json={"name": "two"})).status == 201


# --- With the team ---------------------------------------------------------------------------------------------------


async def test_a_team_that_goes_in_another_way_leaves_its_topics_to_their_owner(crew: Crew, heard: list[Event]) -> None:
    await make_topic(crew.bea, "alarms", team_id=crew.team["id"], access_level="public")
    heard.clear()

    await crew.house.storage.write(lambda transaction: delete_team(transaction, UUID(crew.team["id"])))
    await settled()

    topic = (await crew.ann.get("/api/topics/alarms")).json()
    assert (topic["team_id"], topic["access_level"], topic["owner_id"]) == (None, "private", str(crew.ann_id))
    assert not await reads(crew.bea)
    assert [event.access_level for event in heard if isinstance(event, TopicUpdated)] == ["private"]


async def test_that_is_so_over_a_restart(tmp_path: Any, clock: SetClock) -> None:
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        crew = await Crew.gather(house)
        await make_topic(crew.ann, "alarms", team_id=crew.team["id"], access_level="public")
    async with open_test_house(tmp_path, plugins=[], clock=clock) as house:
        await house.storage.write(lambda transaction: delete_team(transaction, UUID(crew.team["id"])))
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        await settled()
        topic = (await asking_as(house, crew.ann_id).get("/api/topics/alarms")).json()

    assert (topic["team_id"], topic["access_level"]) == (None, "private")


async def test_with_its_owner_a_team_and_its_topics_go_to_the_admin(crew: Crew, heard: list[Event]) -> None:
    await make_topic(crew.ann, "alarms", team_id=crew.team["id"])
    await make_topic(crew.ann, "own")
    await send(crew.cid, "kept")
    await crew.house.run_command("user.delete", Who("ann"))
    await settled()

    assert (await crew.bea.get(crew.path)).json()["my_role"] == "owner"
    assert (await crew.bea.get("/api/topics/alarms")).json()["owner_id"] == str(crew.bea_id)
    assert await texts(crew.cid) == ["kept"]
    assert [event.topic for event in heard if isinstance(event, TopicDeleted)] == ["own"]
    assert [event.user_id for event in heard if isinstance(event, UserErased)] == [crew.ann_id]


async def test_without_an_admin_both_go_with_the_owner(crew: Crew) -> None:
    await make_topic(crew.ann, "alarms", team_id=crew.team["id"])
    await send(crew.cid, "gone")
    await crew.ann.delete(f"{crew.path}/members/{crew.bea_id}")

    await crew.house.run_command("user.delete", Who("ann"))
    await settled()

    assert (await crew.cid.get(crew.path)).status == 404
    assert (await crew.cid.get("/api/topics/alarms")).status == 404
    assert (await crew.cid.get("/api/teams")).json() == []


@pytest.mark.manor(config={"tiers": {"FREE": {}, "NONE": {"teams": False}}})
async def test_an_heir_without_teams_in_the_plan_gets_one_that_is_deactivated(crew: Crew) -> None:
    await crew.house.run_command("user.set_tier", SetTier("bea", "NONE"))

    await crew.house.run_command("user.delete", Who("ann"))
    await settled()

    assert (await crew.bea.get("/api/teams")).json() == []
    assert [team["name"] for team in (await crew.bea.get("/api/teams/deactivated")).json()] == ["crew"]
    assert (await crew.cid.get(crew.path)).status == 403


async def test_who_is_erased_leaves_the_teams_of_others(crew: Crew) -> None:
    await crew.house.run_command("user.delete", Who("cid"))
    await settled()

    members = (await crew.ann.get(f"{crew.path}/members")).json()
    assert [member["username"] for member in members] == ["ann", "bea"]
    assert (await crew.ann.get("/api/teams/stats")).json()["used_members"] == 2


# --- Plans that change while nobody looks --------------------------------------------------------------------------


async def test_plans_that_change_over_a_restart_or_a_reload_deactivate_teams(tmp_path: Any, clock: SetClock) -> None:
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock) as house:
        ann_id = await person(house, "ann")
        await make_team(asking_as(house, ann_id))
    config = {"tiers": {"FREE": {"teams": False}}}
    async with open_test_house(tmp_path, plugins=["topics"], clock=clock, config=config) as house:
        await settled()

        def work(transaction: Transaction) -> list[bool]:
            return [team.is_active for team in list_teams(transaction, ann_id)]

        assert await house.storage.read(work) == [False]


async def test_a_reload_deactivates_teams_within_a_minute(
    house: House, crew: Crew, autojump_clock: trio.testing.MockClock
) -> None:
    limits = {tier: {"teams": 0} for tier in house.services.tiers.names}
    house.services.tiers.replace(limits)

    await trio.sleep(61)

    team = await house.storage.read(lambda transaction: find_team(transaction, team_id=UUID(crew.team["id"])))
    assert team is not None
    assert not team.is_active
