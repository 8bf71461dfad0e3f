"""What an admin finds in the audit log afterwards."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from manor.audit import AuditRow
from manor.testing import Client, House
from tests.people import PASSWORD, Sign, actions, links, login, made


async def rows(house: House, action: str) -> list[AuditRow]:
    found = await house.storage.read(lambda transaction: house.services.audit.list(transaction))
    return [row for row in found if row.action == action]


def detail(row: AuditRow) -> dict[str, Any]:
    assert row.detail is not None
    found: dict[str, Any] = msgspec.json.decode(row.detail)
    return found


async def test_a_life_of_an_account_is_written_down(house: House, client: Client) -> None:
    new = {"email": "ada@example.org", "username": "ada", "password": PASSWORD, "terms_accepted": True}
    assert (await client.post("/auth/register", json=new)).status == 201
    (url,) = await links(house, "ada@example.org", "verify")
    await client.get(f"{urlsplit(url).path}?{urlsplit(url).query}")
    await login(client, "ada", "wrong password")
    bearer = {"Authorization": f"Bearer {(await login(client, 'ada')).json()['access_token']}"}
    key = (await client.post("/api/keys", json={"name": "CI"}, headers=bearer)).json()
    await client.post(f"/api/keys/{key['id']}/revoke", headers=bearer)
    await client.delete(f"/api/keys/{key['id']}", headers=bearer)
    passwords = {"current_password": PASSWORD, "new_password": PASSWORD + " 2"}
    assert (await client.post("/auth/password-change", json=passwords, headers=bearer)).status == 200
    assert (await client.patch("/api/users/me", json={"email": "ada@example.net"}, headers=bearer)).status == 200
    answer = await client.delete("/api/users/me", json={"password": PASSWORD + " 2"}, headers=bearer)
    assert answer.status == 204

    assert [action for action in await actions(house) if action.startswith(("auth.", "identity."))] == [
        "auth.registered",
        "auth.email_verified",
        "auth.sign_in_refused",
        "auth.signed_in",
        "auth.key_made",
        "auth.key_revoked",
        "auth.key_deleted",
        "auth.password_changed",
        "auth.profile_changed",
        "auth.email_changed",
        "identity.erasure_begun",
    ]


async def test_the_failure_that_locks_is_written_down_once_with_where_it_came_from(
    house: House, client: Client
) -> None:
    user_id = await made(house, "ada")
    for _ in range(13):
        await login(client, "ada", "wrong password")

    (row,) = await rows(house, "identity.locked_out")
    assert (row.actor, row.target) == ("anonymous", str(user_id))
    assert set(detail(row)) == {"address", "until"}
    statuses = [detail(row)["status"] for row in await rows(house, "auth.sign_in_refused")]
    assert statuses == [401] * 10 + [429] * 3


async def test_a_lock_of_a_name_that_nobody_has_names_nobody(house: House, client: Client) -> None:
    for _ in range(10):
        await login(client, "nobody@example.org", "a password by mistake")

    (row,) = await rows(house, "identity.locked_out")
    assert row.target == ""
    assert "nobody" not in str(row.detail)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/auth/password-change", {"current_password": "wrong password", "new_password": PASSWORD + " 2"}),
        ("DELETE", "/api/users/me", {"password": "wrong password"}),
    ],
)
async def test_a_wrong_password_of_somebody_signed_in_is_written_down_as_theirs(
    house: House, client: Client, signed_in: Sign, method: str, path: str, body: dict[str, str]
) -> None:
    person = await signed_in("ada")

    answer = await client.request(method, path, json=body, headers=person.bearer)

    assert answer.status == 400
    (row,) = await rows(house, "identity.password_refused")
    assert (row.actor, row.target, set(detail(row))) == (str(person.id), str(person.id), {"address"})
