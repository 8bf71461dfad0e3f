"""Teams: making and finding them, who is in them, and what is unread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import trio.testing

from manor import Event, Principal, Transaction, find_member, set_team_active
from manor.testing import Client, House
from manor_chat.events import Told
from manor_chat.rights import Rights
from manor_chat.store.teams import ChatTeam, teams_of
from manor_chat.teams.managing import several_shown_to
from tests.chat_people import API, Crew, chatter, said

TEAM_KEYS = {
    "id", "create_at", "update_at", "delete_at", "display_name", "name", "description", "email", "type",
    "company_name", "allowed_domains", "invite_id", "allow_open_invite", "last_team_icon_update", "scheme_id",
    "group_constrained", "policy_id", "cloud_limits_archived",
}  # fmt: skip
MEMBER_KEYS = {
    "team_id", "user_id", "roles", "delete_at", "scheme_guest", "scheme_user", "scheme_admin", "explicit_roles",
    "create_at",
}  # fmt: skip
UNKNOWN = "y" * 26


def told(heard: list[Event], name: str) -> list[tuple[Told, Any]]:
    """The events of that name, with their data."""
    found = [event for event in heard if isinstance(event, Told) and event.event == name]
    return [(event, msgspec.json.decode(event.data)) for event in found]


async def make(client: Client, name: str = "choir", **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}/teams", json={"name": name, "display_name": "Choir", "type": "I", **more})
    assert answer.status == 201, answer.text
    team: dict[str, Any] = answer.json()
    return team


# --- Making and finding --------------------------------------------------------------------------------------------


async def test_whoever_makes_a_team_leads_it_and_is_in_its_channels(crew: Crew) -> None:
    team = await make(crew.eve.client, description="We sing")

    assert set(team) == TEAM_KEYS
    assert (team["type"], team["description"], team["allow_open_invite"]) == ("I", "We sing", False)
    assert len(team["invite_id"]) == 26
    member = (await crew.eve.client.get(f"{API}/teams/{team['id']}/members/me")).json()
    assert set(member) == MEMBER_KEYS
    assert (member["roles"], member["scheme_admin"]) == ("team_user team_admin", True)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": "Choir"}, "model.team.is_valid.url.app_error"),
        ({"name": "c"}, "model.team.is_valid.url.app_error"),
        ({"name": "a" * 65}, "model.team.is_valid.url.app_error"),
        ({"name": "choir\n"}, "model.team.is_valid.url.app_error"),
        ({"name": "admin"}, "model.team.is_valid.reserved.app_error"),
        ({"name": "crew"}, "app.team.save.existing.app_error"),
        ({"type": "X"}, "model.team.is_valid.type.app_error"),
        ({"display_name": ""}, "model.team.is_valid.name.app_error"),
        ({"display_name": "d" * 65}, "model.team.is_valid.name.app_error"),
        ({"description": "d" * 256}, "model.team.is_valid.description.app_error"),
        ({"company_name": "c" * 65}, "model.team.is_valid.company.app_error"),
        ({"allowed_domains": "d" * 501}, "model.team.is_valid.domains.app_error"),
        ({"email": "e" * 129}, "model.team.is_valid.email.app_error"),
        ({"name": 7}, "api.context.invalid_body_param.app_error"),
    ],
)
async def test_a_team_that_cannot_be_is_refused(crew: Crew, changed: dict[str, Any], code: str) -> None:
    body = {"name": "choir", "display_name": "Choir", "type": "I", **changed}
    answer = await crew.bob.client.post(f"{API}/teams", json=body)

    assert (answer.status, answer.json()["id"]) == (400, code)


async def test_a_team_is_for_its_members_and_an_open_one_for_everybody(crew: Crew) -> None:
    path = f"{API}/teams/{crew.team}"

    assert (await crew.bob.client.get(path)).status == 200
    assert (await crew.ada.client.get(path)).status == 200
    refused = await crew.eve.client.get(path)
    assert (refused.status, refused.json()["id"]) == (403, "api.context.permissions.app_error")
    assert (await crew.eve.client.get(f"{API}/teams/name/crew/exists")).json() == {"exists": False}
    assert (await crew.bob.client.get(f"{API}/teams/name/crew/exists")).json() == {"exists": True}

    patched = await crew.ann.client.put(f"{path}/patch", json={"allow_open_invite": True})
    assert (patched.status, patched.json()["type"]) == (200, "O")
    assert (await crew.eve.client.get(f"{API}/teams/name/crew")).json()["invite_id"] == ""
    assert [team["name"] for team in (await crew.eve.client.get(f"{API}/teams")).json()] == ["crew"]


@pytest.mark.parametrize(("team_id", "status"), [(UNKNOWN, 404), ("short", 400), ("Ü" * 26, 400), ("a" * 26, 404)])
async def test_a_team_that_is_not_there_is_missing(crew: Crew, team_id: str, status: int) -> None:
    assert (await crew.ann.client.get(f"{API}/teams/{team_id}")).status == status


async def test_teams_are_found_by_a_part_of_their_name(crew: Crew) -> None:
    await make(crew.ann.client, "choir", type="O")
    await make(crew.ann.client, "club", display_name="100% Club", type="O")

    async def search(client: Client, **body: Any) -> Any:
        return (await client.post(f"{API}/teams/search", json=body)).json()

    assert [team["name"] for team in await search(crew.eve.client, term="cho")] == ["choir"]
    assert [team["name"] for team in await search(crew.eve.client, term="%")] == ["club"]
    paged = await search(crew.ada.client, term="c", page=0, per_page=2)
    assert (len(paged["teams"]), paged["total_count"]) == (2, 3)
    assert (await crew.eve.client.post(f"{API}/teams/search", json={"page": 0, "per_page": 1})).status == 501
    counted = (await crew.ada.client.get(f"{API}/teams?include_total_count=true&per_page=1")).json()
    assert (len(counted["teams"]), counted["total_count"]) == (1, 3)


async def test_only_who_leads_a_team_changes_it_and_its_members_are_told(crew: Crew, heard: list[Event]) -> None:
    path, patch = f"{API}/teams/{crew.team}/patch", {"display_name": "The Crew", "company_name": "ACME"}

    assert (await crew.bob.client.put(path, json=patch)).status == 403
    changed = (await crew.ann.client.put(path, json=patch)).json()

    assert (changed["display_name"], changed["company_name"]) == ("The Crew", "ACME")
    ((event, data),) = told(heard, "update_team")
    assert event.team_id == crew.team_id
    team = msgspec.json.decode(data["team"])
    assert (team["display_name"], team["invite_id"]) == ("The Crew", "")


# --- Members -------------------------------------------------------------------------------------------------------


async def test_an_open_team_lets_everybody_in_and_another_only_by_its_members(crew: Crew, heard: list[Event]) -> None:
    path, eve = f"{API}/teams/{crew.team}/members", {"team_id": crew.team, "user_id": crew.eve.chat_id}

    assert (await crew.eve.client.post(path, json=eve)).status == 403
    added = await crew.bob.client.post(path, json=eve)

    assert (added.status, set(added.json())) == (201, MEMBER_KEYS)
    assert added.json()["roles"] == "team_user"
    (joined,) = [each for each in told(heard, "added_to_team") if each[0].user_id == crew.eve.id]
    assert joined[1] == {"team_id": crew.team, "user_id": crew.eve.chat_id}
    assert len([each for each in told(heard, "user_added") if each[1]["user_id"] == crew.eve.chat_id]) == 2
    assert (await crew.bob.client.post(path, json=eve)).status == 201
    assert (await crew.bob.client.post(path, json={"user_id": UNKNOWN})).status == 404
    assert (await crew.bob.client.post(path, json={"user_id": "x"})).status == 400


async def test_a_team_of_some_domains_is_for_addresses_of_theirs(crew: Crew) -> None:
    ann, eve, path = crew.ann.client, crew.eve, f"{API}/teams/{crew.team}"
    too_long = await ann.request("PUT", f"{path}/patch", json={"allowed_domains": "d" * 501})
    assert (too_long.status, too_long.json()["id"]) == (400, "model.team.is_valid.domains.app_error")
    settings = {"allowed_domains": "@Example.com, example.net", "allow_open_invite": True}
    team = (await ann.request("PUT", f"{path}/patch", json=settings)).json()
    robot = await chatter(crew.house, "robot", is_bot=True)

    other = "api.team.join_user_to_team.allowed_domains.app_error"
    for refused in (
        await eve.client.post(f"{path}/members", json={"user_id": eve.chat_id}),
        await eve.client.post(f"{API}/teams/members/invite?invite_id={team['invite_id']}"),
        await ann.post(f"{path}/members", json={"user_id": eve.chat_id}),
        await ann.post(f"{path}/members/batch", json=[{"user_id": robot.chat_id}, {"user_id": eve.chat_id}]),
    ):
        assert (refused.status, refused.json()["id"]) == (400, other)
    both = [{"user_id": eve.chat_id}, {"user_id": robot.chat_id}]
    told_ = (await ann.post(f"{path}/members/batch?graceful=true", json=both)).json()
    assert [(each["member"] is None, (each["error"] or {}).get("id")) for each in told_] == [
        (True, other),
        (False, None),
    ]
    # Who is in it already stays.
    assert (await ann.post(f"{path}/members", json={"user_id": crew.bob.chat_id})).status == 201
    asked = (await ann.post(f"{path}/invite/email?graceful=true", json=["a@example.org", "a@EXAMPLE.net"])).json()
    assert [each["error"] is None for each in asked] == [False, True]
    await ann.request("PUT", f"{path}/patch", json={"allowed_domains": "example.org"})
    assert (await eve.client.post(f"{path}/members", json={"user_id": eve.chat_id})).status == 201


async def test_several_are_added_at_once_and_graceful_tells_of_each(crew: Crew) -> None:
    new = await chatter(crew.house, "gus")
    path = f"{API}/teams/{crew.team}/members/batch"
    wanted = [{"team_id": crew.team, "user_id": each} for each in (new.chat_id, UNKNOWN)]

    refused = await crew.ann.client.post(path, json=wanted)
    assert refused.status == 404
    assert (await crew.ann.client.get(f"{API}/teams/{crew.team}/members/{new.chat_id}")).status == 404

    added = (await crew.ann.client.post(f"{path}?graceful=true", json=wanted)).json()
    assert [(each["user_id"], each["member"] is not None) for each in added] == [(new.chat_id, True), (UNKNOWN, False)]
    assert added[1]["error"]["status_code"] == 404


async def test_who_leaves_a_team_leaves_its_channels(crew: Crew, heard: list[Event]) -> None:
    path = f"{API}/teams/{crew.team}/members"

    assert (await crew.bob.client.delete(f"{path}/{crew.ann.chat_id}")).status == 403
    assert (await crew.ada.client.delete(f"{path}/{crew.ann.chat_id}")).status == 403
    assert (await crew.bob.client.delete(f"{path}/{crew.bob.chat_id}")).json() == {"status": "OK"}

    members = (await crew.ann.client.get(path)).json()
    assert [member["user_id"] for member in members] == [crew.ann.chat_id]
    left = told(heard, "leave_team")
    assert {(event.team_id, event.user_id) for event, _ in left} == {(crew.team_id, None), (None, crew.bob.id)}
    assert (await crew.ann.client.delete(f"{path}/{crew.bob.chat_id}")).status == 404


async def test_who_leads_has_others_lead(crew: Crew, heard: list[Event]) -> None:
    path = f"{API}/teams/{crew.team}/members"

    assert (await crew.bob.client.put(f"{path}/me/roles", json={"roles": "team_user team_admin"})).status == 403
    raised = await crew.ann.client.put(f"{path}/{crew.bob.chat_id}/roles", json={"roles": "team_user team_admin"})
    assert raised.json() == {"status": "OK"}
    assert (await crew.bob.client.get(f"{path}/me")).json()["scheme_admin"] is True
    lowered = {"scheme_admin": False, "scheme_user": True}
    assert (await crew.ann.client.put(f"{path}/{crew.bob.chat_id}/schemeRoles", json=lowered)).status == 200
    assert (await crew.ada.client.put(f"{path}/{crew.ann.chat_id}/schemeRoles", json=lowered)).status == 403
    assert (await crew.ann.client.put(f"{path}/{crew.bob.chat_id}/roles", json={"roles": "emperor"})).status == 400
    roles = [msgspec.json.decode(data["member"])["roles"] for _, data in told(heard, "memberrole_updated")]
    assert roles == ["team_user team_admin", "team_user"]


async def test_members_are_told_of_by_page_by_id_and_in_numbers(crew: Crew) -> None:
    path = f"{API}/teams/{crew.team}"

    assert (await crew.eve.client.get(f"{path}/members")).status == 403
    page = (await crew.bob.client.get(f"{path}/members?page=1&per_page=1")).json()
    assert [member["user_id"] for member in page] == [crew.bob.chat_id]
    some = await crew.bob.client.post(f"{path}/members/ids", json=[crew.ann.chat_id, UNKNOWN])
    assert [member["user_id"] for member in some.json()] == [crew.ann.chat_id]
    stats = (await crew.bob.client.get(f"{path}/stats")).json()
    assert stats == {"team_id": crew.team, "total_member_count": 2, "active_member_count": 2}
    mine = (await crew.bob.client.get(f"{API}/users/me/teams/members")).json()
    assert [member["team_id"] for member in mine] == [crew.team]
    assert [team["name"] for team in (await crew.bob.client.get(f"{API}/users/me/teams")).json()] == ["crew"]
    assert (await crew.bob.client.get(f"{API}/users/{crew.ann.chat_id}/teams")).status == 403


# --- Of one person -------------------------------------------------------------------------------------------------


async def test_somebodys_teams_are_for_themselves_and_administrators(crew: Crew) -> None:
    for path in ("teams", "teams/members"):
        assert (await crew.ada.client.get(f"{API}/users/{crew.bob.chat_id}/{path}")).json() != []
        assert (await crew.eve.client.get(f"{API}/users/{crew.bob.chat_id}/{path}")).status == 403
        for asking in (crew.eve, crew.ada):
            missing = await asking.client.get(f"{API}/users/{UNKNOWN}/{path}")
            assert (missing.status, missing.json()["id"]) == (404, "app.user.missing_account.const")


async def test_a_list_of_teams_takes_as_many_statements_however_long_it_is(crew: Crew) -> None:
    made = [await make(crew.bob.client, f"choir-{number}") for number in range(5)]
    statements: list[str] = []

    def show(transaction: Transaction, teams: Sequence[ChatTeam]) -> list[Any]:
        handle: Any = transaction.connection.connection.driver_connection
        handle.set_trace_callback(statements.append)
        try:
            rights = Rights(transaction, Principal("chat_session", user_id=crew.bob.id))
            return several_shown_to(rights, teams)
        finally:
            handle.set_trace_callback(None)

    def work(transaction: Transaction) -> tuple[list[Any], int, int]:
        teams = teams_of(transaction, crew.bob.id)
        shown = show(transaction, teams)
        of_all = len(statements)
        show(transaction, teams[:1])
        return shown, of_all, len(statements) - of_all

    shown, of_all, of_one = await crew.house.storage.read(work)
    assert of_all == of_one
    invites = {team.name: team.invite_id for team in shown}
    assert invites == {team["name"]: team["invite_id"] for team in made} | {"crew": invites["crew"]}
    assert [team["name"] for team in (await crew.bob.client.get(f"{API}/users/me/teams")).json()] == list(invites)


# --- Unread --------------------------------------------------------------------------------------------------------


async def test_what_is_unread_is_told_by_team(crew: Crew) -> None:
    await said(crew.house, crew.ann, crew.off_topic, "one")
    await said(crew.house, crew.ann, crew.town_square, "@bob two")

    (unread,) = (await crew.bob.client.get(f"{API}/users/me/teams/unread?include_collapsed_threads=true")).json()
    assert unread == {
        "team_id": crew.team,
        "msg_count": 2,
        "mention_count": 1,
        "msg_count_root": 2,
        "mention_count_root": 1,
        "thread_count": 0,
        "thread_mention_count": 0,
        "thread_urgent_mention_count": 0,
    }
    assert (await crew.bob.client.get(f"{API}/users/me/teams/{crew.team}/unread")).json() == unread
    assert (await crew.bob.client.get(f"{API}/users/me/teams/unread?exclude_team={crew.team}")).json() == []
    assert (await crew.ann.client.get(f"{API}/users/me/teams/unread")).json()[0]["msg_count"] == 0
    assert (await crew.eve.client.get(f"{API}/users/me/teams/{crew.team}/unread")).status == 403


async def test_a_team_that_is_switched_off_is_none_of_anybodys(house: House, crew: Crew) -> None:
    def off(transaction: Transaction) -> None:
        set_team_active(transaction, crew.team_id, False)

    await house.storage.write(off)
    await trio.testing.wait_all_tasks_blocked()

    assert (await crew.bob.client.get(f"{API}/users/me/teams")).json() == []
    assert (await crew.bob.client.get(f"{API}/teams/{crew.team}/members")).status == 403
    shown = (await crew.ada.client.get(f"{API}/teams/{crew.team}")).json()
    assert shown["delete_at"] > 0
    member = await house.storage.read(lambda transaction: find_member(transaction, crew.team_id, crew.bob.id))
    assert member is not None
