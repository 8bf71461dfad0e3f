"""The device part of the SelfPrivacy API on a real port, through both doors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from manor.tokens import NewToken
from tests.contracts.conftest import Door

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def phone(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """The first device, let in from the shell."""
    made = await door.house.run_command("token.new", NewToken("device", "phone"))
    async with httpx.AsyncClient(base_url=door.url, timeout=20, headers=bearer(made.secret), verify=False) as client:
        yield client


@pytest.fixture
async def stranger(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=door.url, timeout=20, verify=False) as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def said(answer: httpx.Response) -> tuple[int, Any]:
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, answer.json()


async def test_a_device_comes_in_is_seen_and_goes(phone: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    assert said(await stranger.get("/auth/tokens")) == (401, {"error": "Missing Authorization header"})
    assert said(await stranger.get("/auth/tokens", headers=bearer("x"))) == (401, {"error": "Invalid token"})

    phrase = (await phone.post("/auth/new_device")).json()["token"]
    body = {"token": phrase, "device": "My tablet"}
    let_in = await stranger.post("/auth/new_device/authorize", json=body)
    assert (let_in.status_code, let_in.json()["message"]) == (200, "Device authorized")
    again = await stranger.post("/auth/new_device/authorize", json=body)
    assert said(again) == (404, {"message": "Token not found"})

    tablet = bearer(let_in.json()["token"])
    listed = (await stranger.get("/auth/tokens", headers=tablet)).json()
    assert [(each["name"], each["is_caller"]) for each in listed] == [("phone", False), ("My_tablet", True)]
    # A DELETE with a body.
    removed = await phone.request("DELETE", "/auth/tokens", json={"token_name": "My_tablet"})
    assert said(removed) == (200, {"message": "Token deleted"})
    assert said(await stranger.get("/auth/tokens", headers=tablet)) == (401, {"error": "Invalid token"})


async def test_a_token_is_renewed_without_a_body(phone: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    status, body = said(await phone.post("/auth/tokens"))

    assert status == 200
    assert (await phone.get("/auth/tokens")).status_code == 401
    assert (await stranger.get("/auth/tokens", headers=bearer(body["token"]))).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"headers": JSON},
        {"content": b"", "headers": JSON},
        {"json": {}},
        {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
    ],
    ids=["nothing", "only a type", "an empty body", "an empty object", "another type"],
)
async def test_a_recovery_phrase_needs_no_body(
    phone: httpx.AsyncClient, stranger: httpx.AsyncClient, sent: dict[str, Any]
) -> None:
    status, body = said(await phone.post("/auth/recovery_token", **sent))
    assert (status, len(body["token"].split(" "))) == (200, 18)

    used = await stranger.post("/auth/recovery_token/use", json={"token": body["token"], "device": "tablet"})

    assert (used.status_code, set(used.json())) == (200, {"token"})


async def test_a_recovery_phrase_with_an_end_and_uses_is_told(phone: httpx.AsyncClient) -> None:
    wanted = {"expiration": "2031-01-02T12:00:00.000Z", "uses": 2}
    assert (await phone.post("/auth/recovery_token", json=wanted)).status_code == 200

    assert said(await phone.get("/auth/recovery_token")) == (
        200,
        {
            "exists": True,
            "valid": True,
            "date": "2030-01-02T12:00:00.000000Z",
            "expiration": "2031-01-02T12:00:00.000000Z",
            "uses_left": 2,
        },
    )


async def test_bad_input_is_400_and_never_422(phone: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    assert said(await stranger.post("/auth/new_device/authorize")) == (
        400,
        {"message": {"body": "is wanted as JSON, and there is none"}},
    )
    assert said(await stranger.post("/auth/recovery_token/use", json={"token": "x"})) == (
        400,
        {"message": {"device": "is missing"}},
    )
    broken = await phone.post("/auth/recovery_token", content=b'{"uses":', headers=JSON)
    assert (broken.status_code, set(broken.json())) == (400, {"error"})
    assert said(await phone.request("DELETE", "/auth/tokens", json={})) == (
        400,
        {"message": {"token_name": "is missing"}},
    )
    too_long = await stranger.post("/auth/new_device/authorize", content=b" " * 20_000, headers=JSON)
    assert (too_long.status_code, set(too_long.json())) == (413, {"error"})


async def test_wrong_methods_are_405_for_devices_and_401_for_strangers(
    phone: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    for method, path in [("GET", "/auth/new_device"), ("PUT", "/auth/tokens"), ("DELETE", "/auth/recovery_token")]:
        assert (await phone.request(method, path)).status_code == 405
        assert (await stranger.request(method, path)).status_code == 401
    assert (await stranger.get("/auth/recovery_token/use")).status_code == 405
