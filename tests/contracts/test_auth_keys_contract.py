"""API keys, the account, its data and its end on a real port, through both doors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from manor import NewCredential, NewUser, Transaction, add_user, issue, new_secret
from tests.contracts.conftest import Door

PASSWORD = "correct horse battery"
MANY = 2_000


@pytest.fixture
async def ada(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who has signed in."""
    password_hash = await door.house.services.identity.hasher.hash(PASSWORD)
    new = NewUser(username="ada", email="ada@example.org", tier="FREE", password_hash=password_hash, is_verified=True)
    await door.house.storage.write(lambda transaction: add_user(transaction, new))
    async with httpx.AsyncClient(base_url=door.url, timeout=20, verify=False) as client:
        answer = await client.post("/auth/login", json={"email": "ada", "password": PASSWORD})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@pytest.fixture
async def program(door: Door, ada: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """Asks as Notifer's command line does: with a key in a header of its own, and nothing else."""
    made = await ada.post("/api/keys", json={"name": "first"})
    assert made.status_code == 201, made.text
    async with httpx.AsyncClient(
        base_url=door.url, timeout=20, headers={"X-API-Key": made.json()["key"]}, verify=False
    ) as client:
        yield client


async def test_the_command_line_lists_makes_revokes_and_deletes(program: httpx.AsyncClient) -> None:
    made = await program.post(
        "/api/keys",
        json={"name": "CI/CD Pipeline", "scopes": ["publish", "subscribe"], "expires_at": "2031-01-01"},
    )
    assert made.status_code == 201
    assert {"key", "name", "scopes", "created_at"} <= {*made.json()}
    key_id = made.json()["id"]

    listed: list[dict[str, Any]] = (await program.get("/api/keys")).json()["keys"]
    assert [(key["name"], key["is_active"], key["request_count"]) for key in listed] == [
        ("CI/CD Pipeline", True, 0),
        ("first", True, 0),
    ]
    assert {"key_prefix", "scopes", "last_used", "created_at"} <= {*listed[0]}

    # The command line sends these without a body.
    revoked = await program.post(f"/api/keys/{key_id}/revoke")
    assert (revoked.status_code, revoked.json()["is_active"]) == (200, False)
    assert (await program.delete(f"/api/keys/{key_id}")).status_code == 204
    assert (await program.delete(f"/api/keys/{key_id}")).status_code == 404
    assert (await program.get("/api/keys")).json()["total"] == 1


async def test_a_session_gets_the_list_as_an_array(ada: httpx.AsyncClient, program: httpx.AsyncClient) -> None:
    assert [key["name"] for key in (await ada.get("/api/keys")).json()] == ["first"]


async def test_a_missing_and_an_unknown_key_are_401(door: Door, program: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(base_url=door.url, verify=False) as stranger:
        answers = [
            await stranger.get("/api/keys"),
            await stranger.get("/api/keys", headers={"X-API-Key": "noti_" + "A" * 43}),
            await stranger.get("/api/keys/unknown"),
        ]

    assert [answer.status_code for answer in answers] == [401, 401, 405]
    assert all(set(answer.json()) == {"detail"} for answer in answers)


async def test_the_account_is_shown_and_changed(ada: httpx.AsyncClient, program: httpx.AsyncClient) -> None:
    changed = await ada.patch("/api/users/me", json={"username": "countess"})

    assert changed.status_code == 200
    assert (await program.get("/api/users/me")).json() == changed.json()
    assert (await program.patch("/api/users/me", json={"username": "eve"})).status_code == 403


async def test_a_long_export_arrives_whole(door: Door, ada: httpx.AsyncClient) -> None:
    me = (await ada.get("/api/users/me")).json()["id"]

    def work(transaction: Transaction) -> None:
        for number in range(MANY):
            issue(
                transaction,
                NewCredential(kind="api_key", user_id=UUID(me), label=f"key {number} " + "x" * 80),
                new_secret(),
            )

    await door.house.storage.write(work)

    answer = await ada.get("/api/users/me/data")

    assert answer.headers["content-disposition"].startswith('attachment; filename="manor-export-ada-2030-')
    data = answer.json()
    assert len(data["api_keys"]) == data["statistics"]["total_api_keys"] == MANY


async def test_an_account_ends_by_a_delete_with_a_body(ada: httpx.AsyncClient, program: httpx.AsyncClient) -> None:
    wrong = await ada.request("DELETE", "/api/users/me", json={"password": "wrong one"})
    missing = await ada.request("DELETE", "/api/users/me")
    by_key = await program.request("DELETE", "/api/users/me", json={"password": PASSWORD})
    right = await ada.request("DELETE", "/api/users/me", json={"password": PASSWORD})

    statuses = [answer.status_code for answer in (wrong, missing, by_key, right)]
    assert (statuses, right.content) == ([400, 422, 403, 204], b"")
    assert [(await client.get("/api/users/me")).status_code for client in (ada, program)] == [401, 401]
