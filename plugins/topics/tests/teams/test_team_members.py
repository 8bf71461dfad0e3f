"""Members of teams: given roles, removed, gone by themselves; the owner stays the owner."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from tests.people import actions
from tests.team_people import Crew, make_team
from tests.topic_people import refusal

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


async def test_roles_are_given_by_owner_and_admins(crew: Crew) -> None:
    path = f"{crew.path}/members/{crew.cid_id}"

    made = await crew.bea.patch(path, json={"role": "admin"})

    assert (made.status, made.json()["role"], made.json()["username"]) == (200, "admin", "cid")
    assert (await crew.cid.get(crew.path)).json()["my_role"] == "admin"
    assert (await crew.cid.patch(f"{crew.path}/members/{crew.bea_id}", json={"role": "member"})).status == 200
    assert (await crew.bea.patch(path, json={"role": "member"})).status == 403
    assert "topics.team_role_set" in await actions(crew.house)


@pytest.mark.parametrize("role", ["owner", "guest", "", "ADMIN", None, 1, ["admin"]])
async def test_there_are_two_roles_to_give(crew: Crew, role: Any) -> None:
    for user_id in (crew.cid_id, crew.ann_id, crew.eve_id):
        answer = await crew.ann.patch(f"{crew.path}/members/{user_id}", json={"role": role})
        assert (refusal(answer)[0], "role" in answer.json()["detail"]) == (422, True)
    assert (await crew.ann.patch(f"{crew.path}/members/{crew.cid_id}", json={})).status == 422


async def test_the_owner_stays_the_owner(crew: Crew) -> None:
    path = f"{crew.path}/members/{crew.ann_id}"
    for client in (crew.ann, crew.bea):
        assert refusal(await client.patch(path, json={"role": "member"}))[0] == 403
        assert refusal(await client.patch(path, json={"role": "admin"}))[0] == 403
        assert refusal(await client.delete(path))[0] == 403
    assert (await crew.ann.get(crew.path)).json()["my_role"] == "owner"


@pytest.mark.parametrize("user_id", [UNKNOWN, "me", "cid", "x", "%FF"])
async def test_who_is_not_in_the_team_is_not_found_there(crew: Crew, user_id: str) -> None:
    path = f"{crew.path}/members/{user_id}"

    assert (await crew.ann.patch(path, json={"role": "admin"})).status == 404
    assert (await crew.ann.delete(path)).status == 404
    assert (await crew.ann.delete(f"{crew.path}/members/{crew.eve_id}")).status == 404
    assert (await crew.eve.delete(f"{crew.path}/members/{crew.eve_id}")).status == 403


async def test_members_leave_by_themselves_and_remove_nobody_else(crew: Crew) -> None:
    assert (await crew.cid.delete(f"{crew.path}/members/{crew.bea_id}")).status == 403

    assert (await crew.cid.delete(f"{crew.path}/members/{crew.cid_id}")).status == 204

    assert (await crew.cid.get(crew.path)).status == 403
    assert (await crew.cid.delete(f"{crew.path}/members/{crew.cid_id}")).status == 403
    assert (await crew.ann.delete(f"{crew.path}/members/{crew.bea_id}")).status == 204
    assert [member["user_id"] for member in (await crew.ann.get(f"{crew.path}/members")).json()] == [str(crew.ann_id)]
    assert "topics.team_left" in await actions(crew.house)


async def test_members_of_one_team_are_none_of_another(crew: Crew) -> None:
    others = await make_team(crew.eve, "others")
    path = f"/api/teams/{others['id']}/members"

    assert (await crew.eve.patch(f"{path}/{crew.cid_id}", json={"role": "admin"})).status == 404
    assert (await crew.ann.patch(f"{path}/{crew.eve_id}", json={"role": "admin"})).status == 403
    assert (await crew.ann.delete(f"{path}/{crew.eve_id}")).status == 403
    assert UUID(others["id"]) != UUID(crew.team["id"])
