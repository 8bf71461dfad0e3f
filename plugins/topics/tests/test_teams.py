"""Teams: made, shown, described, counted, deactivated, deleted, each for those who may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
import trio

from manor import UNLIMITED, Event, Principal, TeamChanged, add_member, new_id
from manor.identity.commands import SetTier
from manor.testing import Client, House
from tests.people import actions
from tests.topic_people import asking_as, make_topic, person, refusal, send, session_of, texts

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
PLANS = {"tiers": {"FREE": {}, "NONE": {"teams": False}, "SMALL": {"base_members": 3}}}


async def make_team(client: Client, name: str = "crew", **members: Any) -> dict[str, Any]:
    """A team of whoever asks."""
    answer = await client.post("/api/teams", json={"name": name, "display_name": "Crew", **members})
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def joined(house: House, team: dict[str, Any], username: str, role: Any = "member") -> tuple[UUID, Client]:
    """Somebody who is in a team."""
    user_id = await person(house, username)
    await house.storage.write(lambda transaction: add_member(transaction, UUID(team["id"]), user_id, role))
    return user_id, asking_as(house, user_id)


class Crew:
    """A team with somebody of each role, and a stranger."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def gather(self) -> Crew:
        self.ann_id = await person(self.house, "ann")
        self.ann = asking_as(self.house, self.ann_id)
        self.team = await make_team(self.ann)
        self.path = f"/api/teams/{self.team['id']}"
        self.bea_id, self.bea = await joined(self.house, self.team, "bea", "admin")
        self.cid_id, self.cid = await joined(self.house, self.team, "cid")
        self.eve_id = await person(self.house, "eve")
        self.eve = asking_as(self.house, self.eve_id)
        return self

    async def deactivate(self) -> None:
        from manor_topics.teams.commands import SetTeamActive

        await self.house.run_command("teams.set_active", SetTeamActive("crew", False))


@pytest.fixture
async def crew(house: House) -> Crew:
    return await Crew(house).gather()


# --- Making, listing, showing ----------------------------------------------------------------------------------------


async def test_a_team_begins_with_its_owner(house: House) -> None:
    ann = asking_as(house, ann_id := await person(house, "ann"))

    made = await make_team(ann, "crew", display_name="The Crew", description="Nights")

    assert made == {
        "id": made["id"],
        "name": "crew",
        "display_name": "The Crew",
        "description": "Nights",
        "owner_id": str(ann_id),
        "member_count": 1,
        "my_role": "owner",
        "is_active": True,
        "created_at": "2030-01-02T12:00:00Z",
        "updated_at": "2030-01-02T12:00:00Z",
    }
    assert (await ann.get("/api/teams")).json() == [made]
    assert "topics.team_made" in await actions(house)


async def test_everybody_sees_their_own_role(crew: Crew) -> None:
    for client, role in ((crew.ann, "owner"), (crew.bea, "admin"), (crew.cid, "member")):
        (listed,) = (await client.get("/api/teams")).json()
        shown = (await client.get(crew.path)).json()
        assert (listed["my_role"], listed["member_count"]) == (role, 3)
        members = shown.pop("members")
        assert shown == listed
        assert [(member["username"], member["role"]) for member in members] == [
            ("ann", "owner"), ("bea", "admin"), ("cid", "member"),
        ]  # fmt: skip
        assert (await client.get(f"{crew.path}/members")).json() == members
    assert (await crew.eve.get("/api/teams")).json() == []


async def test_a_member_is_shown_whole(crew: Crew) -> None:
    (_, bea, _) = (await crew.cid.get(f"{crew.path}/members")).json()

    assert bea == {
        "id": bea["id"],
        "team_id": crew.team["id"],
        "user_id": str(crew.bea_id),
        "username": "bea",
        "email": "bea@example.org",
        "role": "admin",
        "joined_at": "2030-01-02T12:00:00Z",
        "is_active": True,
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"display_name": "x"}, "name"),
        ({"name": "crew"}, "display_name"),
        ({"name": None, "display_name": "x"}, "name"),
        ({"name": 7, "display_name": "x"}, "name"),
        ({"name": "", "display_name": "x"}, "name"),
        ({"name": "a", "display_name": "x"}, "name"),
        ({"name": "x" * 65, "display_name": "x"}, "name"),
        ({"name": "Crew", "display_name": "x"}, "name"),
        ({"name": "my crew", "display_name": "x"}, "name"),
        ({"name": "crew\n", "display_name": "x"}, "name"),
        ({"name": "créw", "display_name": "x"}, "name"),
        ({"name": "crew", "display_name": ""}, "display_name"),
        ({"name": "crew", "display_name": "x" * 101}, "display_name"),
        ({"name": "crew", "display_name": "a\u0000b"}, "display_name"),
        ({"name": "crew", "display_name": ["x"]}, "display_name"),
        ({"name": "crew", "display_name": "x", "description": "x" * 501}, "description"),
        ({"name": "crew", "display_name": "x", "description": 5}, "description"),
    ],
)
async def test_what_cannot_be_a_team_is_refused_by_name(house: House, body: dict[str, Any], field: str) -> None:
    ann = asking_as(house, await person(house, "ann"))

    answer = await ann.post("/api/teams", json=body)

    assert answer.status == 422, answer.text
    assert field in answer.json()["detail"]
    assert (await ann.get("/api/teams")).json() == []


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"\xff", 400), (b"[]", 422), (b"", 422), (b"null", 422)])
async def test_what_is_no_object_is_refused(house: House, crew: Crew, body: bytes, status: int) -> None:
    for method, path in (
        ("POST", "/api/teams"),
        ("PATCH", crew.path),
        ("PATCH", f"{crew.path}/members/{crew.cid_id}"),
        ("POST", f"{crew.path}/invites"),
        ("POST", "/api/teams/invites/accept"),
    ):
        answer = await crew.ann.request(method, path, body=body, headers={"Content-Type": "application/json"})
        assert answer.status in (400, status), (method, path, answer.text)
        assert isinstance(answer.json()["detail"], str)


async def test_a_name_is_taken_once_on_the_server(crew: Crew) -> None:
    answer = await crew.eve.post("/api/teams", json={"name": "crew", "display_name": "Mine"})

    assert answer.status == 409
    assert (await crew.eve.get("/api/teams")).json() == []


async def test_of_two_who_want_a_name_at_once_one_gets_it(house: House) -> None:
    clients = [asking_as(house, await person(house, name)) for name in ("ann", "bea")]
    statuses: list[int] = []

    async def ask(client: Client) -> None:
        statuses.append((await client.post("/api/teams", json={"name": "crew", "display_name": "x"})).status)

    async with trio.open_nursery() as nursery:
        for client in clients:
            nursery.start_soon(ask, client)

    assert sorted(statuses) == [201, 409]


# --- Who may what --------------------------------------------------------------------------------------------------

Ask = tuple[str, str, Any]

READS: Sequence[Ask] = [("GET", "", None), ("GET", "/members", None)]
LEADS: Sequence[Ask] = [
    ("PATCH", "", {"description": "x"}),
    ("PATCH", "/members/{cid}", {"role": "member"}),
    ("GET", "/invites", None),
    ("POST", "/invites", {"email": "new@example.org"}),
    ("DELETE", "/members/{bea}", None),
]
OWNS: Sequence[Ask] = [("POST", "/reactivate", None), ("DELETE", "", None)]


async def statuses(crew: Crew, client: Client, asks: Sequence[Ask], path: str = "") -> set[int]:
    found = set()
    for method, tail, body in asks:
        tail = tail.format(cid=crew.cid_id, bea=crew.bea_id)
        answer = await client.request(method, (path or crew.path) + tail, json=body)
        assert isinstance(answer.json()["detail"], str)
        found.add(answer.status)
    return found


async def test_strangers_may_nothing(crew: Crew) -> None:
    assert await statuses(crew, crew.eve, [*READS, *LEADS, *OWNS]) == {403}
    assert await statuses(crew, asking_as(crew.house, crew.eve_id, is_admin=True), [*READS, *LEADS, *OWNS]) == {403}


async def test_nobody_is_asked_to_sign_in(crew: Crew) -> None:
    everything = [*READS, *LEADS, *OWNS]
    assert await statuses(crew, Client(crew.house.dispatcher), everything) == {401}
    for path in ("/api/teams", "/api/teams/stats", "/api/teams/deactivated"):
        assert (await Client(crew.house.dispatcher).get(path)).status == 401


async def test_members_read_admins_lead_and_only_the_owner_ends_it(crew: Crew) -> None:
    assert await statuses(crew, crew.cid, [*LEADS, *OWNS]) == {403}
    assert await statuses(crew, crew.bea, OWNS) == {403}
    assert (await crew.bea.patch(crew.path, json={"description": "Days"})).json()["description"] == "Days"
    assert (await crew.ann.get("/api/teams")).json()[0]["name"] == "crew"


@pytest.mark.parametrize(
    "team_id", [UNKNOWN, "crew", "x", UNKNOWN.upper(), UNKNOWN.replace("-", ""), "%00", "%FF", "1"]
)
async def test_a_team_that_is_not_there_is_not_found(crew: Crew, team_id: str) -> None:
    assert await statuses(crew, crew.ann, [*READS, *LEADS, *OWNS], f"/api/teams/{team_id}") == {404}


@pytest.mark.parametrize("path", ["/api/teams/stats/members", "/api/teams/deactivated/invites", "/api/teams/invites/x"])
async def test_words_of_the_api_are_no_teams(crew: Crew, path: str) -> None:
    assert (await crew.ann.get(path)).status in (404, 405)


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/api/teams"), ("POST", "/api/teams/stats"), ("DELETE", "/api/teams/deactivated")]
)
async def test_a_wrong_method_is_said(crew: Crew, method: str, path: str) -> None:
    answer = await crew.ann.request(method, path)

    assert answer.status == 405
    assert "GET" in (answer.headers.get("allow") or "")


async def test_a_key_needs_the_scope(crew: Crew) -> None:
    def key(*scopes: str) -> Client:
        principal = Principal("api_key", user_id=crew.ann_id, credential_id=new_id(), scopes=frozenset(scopes))
        return Client(crew.house.dispatcher, principals=(principal,))

    for path in ("/api/teams", "/api/teams/stats", "/api/teams/deactivated", crew.path):
        assert (await key("teams").get(path)).status == 200
        assert (await key("*").get(path)).status == 200
        assert refusal(await key("topics:write").get(path)) == (403, "This credential lacks the scope 'teams'")
    assert (await key("topics:write").post("/api/teams", json={"name": "two", "display_name": "x"})).status == 403


async def test_of_two_credentials_the_one_acts_that_may(crew: Crew) -> None:
    key = Principal("api_key", user_id=crew.eve_id, credential_id=new_id(), scopes=frozenset({"teams"}))
    both = Client(crew.house.dispatcher, principals=(key, session_of(crew.bea_id)))

    assert (await both.get(crew.path)).json()["my_role"] == "admin"
    assert [team["my_role"] for team in (await both.get("/api/teams")).json()] == ["admin"]
    assert (await both.patch(crew.path, json={"display_name": "Ours"})).status == 200


# --- Changing ------------------------------------------------------------------------------------------------------


async def test_what_is_left_out_stays_and_the_name_always(crew: Crew, heard: list[Event]) -> None:
    heard.clear()
    changed = (await crew.ann.patch(crew.path, json={"description": "Nights", "name": "other"})).json()
    again = (await crew.ann.patch(crew.path, json={"display_name": "Ours"})).json()
    cleared = (await crew.ann.patch(crew.path, json={"description": None})).json()

    assert (changed["name"], changed["display_name"], changed["description"]) == ("crew", "Crew", "Nights")
    assert (again["display_name"], again["description"]) == ("Ours", "Nights")
    assert (cleared["display_name"], cleared["description"], len(cleared["members"])) == ("Ours", None, 3)
    assert (await crew.ann.patch(crew.path, json={})).json() == cleared
    assert heard == [TeamChanged(team_id=UUID(crew.team["id"]))] * 3


@pytest.mark.parametrize(
    "body",
    [
        {"display_name": ""},
        {"display_name": None},
        {"display_name": "x" * 101},
        {"display_name": "a\nb"},
        {"display_name": 1},
        {"description": "x" * 501},
        {"description": []},
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_changes(crew: Crew, body: dict[str, Any]) -> None:
    assert refusal(await crew.ann.patch(crew.path, json=body))[0] == 422

    assert (await crew.ann.get("/api/teams")).json()[0] == {**crew.team, "member_count": 3}


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
    await crew.deactivate()

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
    await crew.deactivate()

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
