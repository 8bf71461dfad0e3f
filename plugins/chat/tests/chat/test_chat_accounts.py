"""Roles, deactivation and erasure of people."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from PIL import Image

from manor import (
    SYSTEM_ID,
    Event,
    Transaction,
    find_user,
    to_chat_id,
)
from manor.clock import SetClock
from manor.testing import Client, House
from manor_chat.tables.accounts import people_told, session_devices
from manor_chat.tables.people import mention_keys, profiles
from tests.chat_people import API, Crew
from tests.chat_sign_in import data_of, session_of, sign_in, told_as, told_id
from tests.people import PASSWORD

BAD_BODY = (400, "api.context.invalid_body_param.app_error")
FORBIDDEN = (403, "api.context.permissions.app_error")


async def test_administrators_give_roles(house: House, crew: Crew, heard: list[Event]) -> None:
    path = f"{API}/users/{crew.bob.chat_id}/roles"
    roles = "system_user system_user_access_token"

    answer = await crew.ada.client.request("PUT", path, json={"roles": roles})

    assert answer.json() == {"status": "OK"}
    assert (await crew.bob.client.get(f"{API}/users/me")).json()["roles"] == roles
    (event,) = told_as(heard, "user_role_updated")
    assert (event.user_id, data_of(event)) == (crew.bob.id, {"user_id": crew.bob.chat_id, "roles": roles})
    await crew.ada.client.request("PUT", path, json={"roles": "system_admin system_user"})
    user = await house.storage.read(lambda transaction: find_user(transaction, user_id=crew.bob.id))
    assert user is not None
    assert user.is_admin
    assert told_id(await crew.ann.client.request("PUT", path, json={"roles": "system_user"})) == FORBIDDEN
    for bad in ("", "system_admin", "system_user nonsense", "system_user team_admin"):
        assert told_id(await crew.ada.client.request("PUT", path, json={"roles": bad})) == BAD_BODY
    guest = await crew.ada.client.request("PUT", path, json={"roles": "system_user system_guest"})
    assert told_id(guest) == (501, "api.user.update_user_roles.license.app_error")
    assert told_id(await crew.ada.client.request("PUT", path, json={})) == BAD_BODY


async def test_a_deactivated_person_is_out_until_they_are_let_in_again(
    client: Client, crew: Crew, heard: list[Event], clock: SetClock
) -> None:
    bob = await session_of(client, "bob")
    path = f"{API}/users/{crew.bob.chat_id}/active"

    refused = await crew.ann.client.request("PUT", path, json={"active": False})
    assert told_id(refused) == (403, "api.user.update_active.permissions.app_error")
    assert (await crew.ada.client.request("PUT", path, json={"active": False})).json() == {"status": "OK"}
    assert (await bob.get(f"{API}/users/me")).status == 401
    assert len(told_as(heard, "user_activation_status_change")) == 1
    since = int(clock.now().timestamp() * 1000)
    clock.set(clock.now() + timedelta(minutes=1))
    await crew.ada.client.request("PUT", f"{API}/users/{crew.bob.chat_id}/patch", json={"nickname": "x"})
    assert (await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}")).json()["delete_at"] == since
    assert (await crew.ada.client.request("PUT", path, json={"active": True})).status == 200
    assert (await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}")).json()["delete_at"] == 0
    assert (await bob.get(f"{API}/users/me")).status == 401
    assert (await sign_in(client, "bob")).status == 200
    for bad in ({}, {"active": "no"}, {"active": None}):
        assert told_id(await crew.ada.client.request("PUT", path, json=bad)) == BAD_BODY


async def test_deleting_deactivates_and_erases_only_where_the_admin_wants_that(house: House, crew: Crew) -> None:
    bob = f"{API}/users/{crew.bob.chat_id}"

    refused = await crew.bob.client.request("DELETE", f"{API}/users/me")
    assert told_id(refused) == (403, "api.user.update_active.not_enable.app_error")
    refused = await crew.ada.client.request("DELETE", f"{bob}?permanent=true")
    assert told_id(refused) == (501, "api.user.delete_user.not_enabled.app_error")
    assert (await crew.ada.client.request("DELETE", bob, json={})).json() == {"status": "OK"}
    user = await house.storage.read(lambda transaction: find_user(transaction, user_id=crew.bob.id))
    assert user is not None
    assert not user.is_active


@pytest.mark.manor(config={"plugins": {"chat": {"self_deactivation": True, "permanent_deletion": True}}})
async def test_people_go_by_themselves_and_are_erased_where_they_may(house: House, crew: Crew) -> None:
    assert (await crew.bob.client.request("DELETE", f"{API}/users/me")).json() == {"status": "OK"}
    assert (await crew.bob.client.get(f"{API}/users/me")).status == 401
    permanent = f"{API}/users/{crew.eve.chat_id}?permanent=true"
    assert told_id(await crew.ann.client.request("DELETE", permanent)) == FORBIDDEN
    assert (await crew.ada.client.request("DELETE", permanent)).json() == {"status": "OK"}
    gone = await house.storage.read(lambda transaction: find_user(transaction, user_id=crew.eve.id))
    assert gone is None


async def test_somebody_who_is_erased_leaves_nothing_here(house: House, crew: Crew, tmp_path: Path) -> None:
    bob = crew.bob.client
    written = io.BytesIO()
    Image.new("RGB", (9, 9)).save(written, "PNG")
    form = b'--e\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' + written.getvalue()
    headers = {"Content-Type": "multipart/form-data; boundary=e"}
    assert (await bob.post(f"{API}/users/me/image", body=form + b"\r\n--e--\r\n", headers=headers)).status == 200
    await bob.request("PUT", f"{API}/users/me/patch", json={"notify_props": {"mention_keys": "lunch"}})
    robot = (await crew.ada.client.post(f"{API}/bots", json={"username": "robot"})).json()
    await crew.ada.client.post(f"{API}/bots/{robot['user_id']}/assign/{crew.bob.chat_id}")

    export = [(section, row) async for section, row in house.services.identity.personal.export(crew.bob.id)]
    ours: dict[str, Any] = {section: row for section, row in export if section in ("chat_profile", "chat_bots")}
    assert (ours["chat_profile"].username, ours["chat_bots"].username) == ("bob", "robot")
    personal = house.services.identity.personal
    await house.storage.write(lambda transaction: personal.erase(transaction, crew.bob.id, actor="shell"))
    await trio.testing.wait_all_tasks_blocked()

    def left(transaction: Transaction) -> list[str]:
        tables = (profiles, mention_keys, people_told, session_devices)
        rows = [transaction.connection.execute(each.select().where(each.c.user_id == crew.bob.id)) for each in tables]
        return [table.name for table, row in zip(tables, rows, strict=True) if row.first() is not None]

    assert await house.storage.read(left) == []
    assert list(tmp_path.rglob("*.png")) == []


async def test_the_server_itself_is_neither_changed_nor_kept_out(house: House, crew: Crew) -> None:
    server = f"{API}/users/{to_chat_id(SYSTEM_ID)}"
    for path, body in (
        ("/patch", {"nickname": "x"}),
        ("/patch", {"username": "other"}),
        ("/active", {"active": False}),
        ("/roles", {"roles": "system_admin system_user"}),
        ("/password", {"new_password": PASSWORD}),
    ):
        assert told_id(await crew.ada.client.request("PUT", f"{server}{path}", json=body)) == FORBIDDEN
