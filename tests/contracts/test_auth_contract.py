"""The auth API on a real port, through both doors: from signing up to one's own topics, and bad input."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
import trio

from tests.contracts.conftest import Door

PASSWORD = "correct horse battery"
ADA = {"email": "ada@example.org", "username": "ada", "password": PASSWORD, "terms_accepted": True}


async def mailed(door: Door, email: str, kind: str) -> str:
    """The link that was mailed; there is no mail server, so an admin finds it."""
    mail = door.house.services.mail
    with trio.fail_after(10):
        while True:
            found = await door.house.storage.read(lambda transaction: mail.links(transaction, email, kind))
            if found:
                return found[0].url
            await trio.sleep(0.01)


def token_in(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


async def signed_up(http: httpx.AsyncClient, door: Door, **changed: str) -> dict[str, Any]:
    """Somebody new, verified and signed in; what the sign-in was answered with."""
    body = {**ADA, **changed}
    assert (await http.post("/auth/register", json=body)).status_code == 201
    parts = urlsplit(await mailed(door, str(body["email"]), "verify"))
    assert (await http.get(f"{parts.path}?{parts.query}")).status_code == 302
    answer = await http.post("/auth/login", json={"email": body["email"], "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    signed_in: dict[str, Any] = answer.json()
    return signed_in


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def test_from_signing_up_to_signing_out(http: httpx.AsyncClient, door: Door) -> None:
    registered = await http.post("/auth/register", json=ADA)
    assert registered.status_code == 201
    assert set(registered.json()) == {"message", "email", "username"}
    assert registered.headers["cache-control"] == "no-store"
    unverified = await http.post("/auth/login", json={"email": "ada", "password": PASSWORD})
    assert (unverified.status_code, [*unverified.json()]) == (403, ["detail"])

    parts = urlsplit(await mailed(door, "ada@example.org", "verify"))
    opened = await http.get(f"{parts.path}?{parts.query}")
    assert (opened.status_code, opened.headers["location"]) == (302, "/auth/email-verified?verified=1")

    login = await http.post("/auth/login", json={"email": "ada@example.org", "password": PASSWORD})
    tokens = login.json()
    assert login.status_code == 200
    assert {"access_token", "refresh_token", "token_type", "user"} <= set(tokens)
    assert set(tokens["user"]) == {
        "id",
        "email",
        "username",
        "subscription_tier",
        "is_verified",
        "created_at",
    }
    assert tokens["access_token"].startswith("eyJ")

    pair = (await http.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).json()
    me = await http.get("/auth/me", headers=bearer(pair))
    assert (me.status_code, me.json()["id"]) == (200, tokens["user"]["id"])
    (session,) = (await http.get("/auth/sessions", headers=bearer(pair))).json()
    assert (session["ip"], session["current"]) == ("127.0.0.1", True)

    out = await http.post("/auth/logout", headers=bearer(pair))
    assert (out.status_code, out.content) == (204, b"")
    assert (await http.get("/auth/me", headers=bearer(pair))).status_code == 401
    assert (await http.post("/auth/refresh", json={"refresh_token": pair["refresh_token"]})).status_code == 401


async def test_a_forgotten_password_is_replaced(http: httpx.AsyncClient, door: Door) -> None:
    tokens = await signed_up(http, door)
    asked = await http.post("/auth/password-reset/request", json={"email": "ada@example.org"})
    assert (asked.status_code, [*asked.json()]) == (200, ["message"])
    token = token_in(await mailed(door, "ada@example.org", "reset"))

    confirmed = await http.post(
        "/auth/password-reset/confirm", json={"token": token, "new_password": "new " + PASSWORD}
    )

    assert (confirmed.status_code, [*confirmed.json()]) == (200, ["message"])
    assert (await http.get("/auth/me", headers=bearer(tokens))).status_code == 401
    assert (await http.post("/auth/login", json={"email": "ada", "password": "new " + PASSWORD})).status_code == 200


async def test_a_password_and_the_terms_are_ones_own_business(http: httpx.AsyncClient, door: Door) -> None:
    tokens = await signed_up(http, door)
    body = {"current_password": PASSWORD, "new_password": "new " + PASSWORD}
    terms = {"accepted": True, "consent_method": "app"}

    changed = await http.post("/auth/password-change", json=body, headers=bearer(tokens))
    accepted = await http.post("/auth/accept-terms", json=terms, headers=bearer(tokens))
    history = await http.get("/auth/consent-history", headers=bearer(tokens))

    assert (changed.status_code, [*changed.json()]) == (200, ["message"])
    assert set(accepted.json()) == {"message", "terms_accepted_at", "document_version"}
    assert [each["consent_method"] for each in history.json()["consents"]] == ["app", "web_checkbox"]
    assert history.json()["total"] == 2


async def test_a_replayed_refresh_token_ends_all_that_came_from_it(http: httpx.AsyncClient, door: Door) -> None:
    tokens = await signed_up(http, door)
    spent = {"refresh_token": tokens["refresh_token"]}
    pair = (await http.post("/auth/refresh", json=spent)).json()

    assert (await http.post("/auth/refresh", json=spent)).status_code == 401
    assert (await http.get("/auth/me", headers=bearer(pair))).status_code == 401
    assert (await http.get("/auth/me", headers=bearer(tokens))).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/me"),
        ("POST", "/auth/logout"),
        ("GET", "/auth/sessions"),
        ("DELETE", "/auth/sessions/01890a5d-ac96-774b-bcce-b302099a8057"),
        ("POST", "/auth/password-change"),
        ("POST", "/auth/accept-terms"),
        ("GET", "/auth/consent-history"),
        ("POST", "/auth/mfa/generate"),
        ("POST", "/auth/mfa/activate"),
        ("POST", "/auth/mfa/disable"),
    ],
)
async def test_without_a_good_access_token_it_is_401(http: httpx.AsyncClient, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer eyJ.e.e"}, {"Authorization": "Basic eDp5"}, {"X-API-Key": "noti_x"}):
        answer = await http.request(method, path, headers=headers, json={})
        assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, "Bearer"), headers
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/auth/register",
        "/auth/login",
        "/auth/refresh",
        "/auth/resend-verification",
        "/auth/password-reset/request",
        "/auth/password-reset/confirm",
    ],
)
async def test_bodies_that_are_none_are_refused_in_one_way(http: httpx.AsyncClient, path: str) -> None:
    bodies = {b"": 422, b"{": 400, b"[]": 422, b"{}": 422, b"\xff": 400, b'{"x": ' + b"[" * 9000: 400}
    for body, status in bodies.items():
        answer = await http.post(path, content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, type(answer.json()["detail"])) == (status, str), body[:20]
    assert (await http.post(path, content=b"x" * 100_000)).status_code == 413
    assert (await http.request("PUT", path, json={})).status_code == 405


async def test_the_public_keys_may_be_kept_for_five_minutes(http: httpx.AsyncClient) -> None:
    answer = await http.get("/.well-known/jwks.json")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "max-age=300")
    assert [key["alg"] for key in answer.json()["keys"]] == ["ES256"]


# --- One's own topics ----------------------------------------------------------------------------------------------


@pytest.fixture
async def private_topic(http: httpx.AsyncClient, door: Door) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ada's and Bob's tokens; the topic `diary` is Ada's own."""
    from manor_topics import creating

    ada = await signed_up(http, door)
    bob = await signed_up(http, door, email="bob@example.org", username="bob")
    topic = creating.new_topic(
        "diary", owner_id=UUID(ada["user"]["id"]), access_level="private", now=door.house.services.clock.now()
    )
    await door.house.storage.write(lambda transaction: creating.add(transaction, topic))
    return ada, bob


async def test_a_private_topic_is_its_owners(
    http: httpx.AsyncClient, private_topic: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    ada, bob = private_topic

    async def listed(headers: dict[str, str]) -> list[str]:
        return [topic["name"] for topic in (await http.get("/api/topics", headers=headers)).json()]

    assert [await listed(headers) for headers in (bearer(ada), bearer(bob), {})] == [
        ["diary", "welcome"],
        ["welcome"],
        ["welcome"],
    ]
    published = await http.post("/diary", content="dear diary", headers=bearer(ada))
    assert published.status_code == 200
    refused = [(await http.post("/diary", content="x", headers=headers)).status_code for headers in (bearer(bob), {})]
    assert refused == [403, 401]
    history = await http.get("/diary/json", headers=bearer(ada))
    assert history.json()["messages"] == [published.json()]
    assert [(await http.get("/diary/json", headers=headers)).status_code for headers in (bearer(bob), {})] == [403, 401]
    assert (await http.get("/api/topics/diary", headers=bearer(ada))).json()["can_manage"] is True


async def test_a_stream_takes_the_access_token_in_its_address(
    http: httpx.AsyncClient, private_topic: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    ada, bob = private_topic

    async with http.stream("GET", "/diary/sse", params={"token": ada["access_token"]}) as stream:
        assert stream.status_code == 200
    assert (await http.get("/diary/sse", params={"token": bob["access_token"]})).status_code == 403
    assert (await http.get("/diary/sse", params={"token": ada["refresh_token"]})).status_code == 401


async def test_a_bad_credential_is_401_even_where_none_is_needed(http: httpx.AsyncClient, door: Door) -> None:
    tokens = await signed_up(http, door)
    await http.post("/auth/logout", headers=bearer(tokens))

    assert (await http.post("/welcome", content="x", headers=bearer(tokens))).status_code == 401
    assert (await http.post("/welcome", content="x")).status_code == 200
