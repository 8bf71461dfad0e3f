"""Teams: made, listed, shown, described, each for those who may."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import trio

from manor import Event, Principal, TeamChanged, new_id
from manor.testing import Client, House
from tests.people import actions
from tests.team_people import LEADS, OWNS, READS, Crew, make_team, statuses
from tests.topic_people import asking_as, person, refusal, session_of

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


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
        ({"name": "crew", "display_name": "x", "description": "a\x00b"}, "description"),
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
        {"description": "a\x1bb"},
        {"description": []},
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_changes(crew: Crew, body: dict[str, Any]) -> None:
    assert refusal(await crew.ann.patch(crew.path, json=body))[0] == 422

    assert (await crew.ann.get("/api/teams")).json()[0] == {**crew.team, "member_count": 3}
