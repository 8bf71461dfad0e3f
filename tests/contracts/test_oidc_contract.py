"""Signing in with an account elsewhere on a real port, through both doors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from manor.testing import SetClock
from tests.browsing import ADA
from tests.contracts.conftest import Door
from tests.openid_provider import CLIENT, OpenIdProvider, open_provider
from tests.people import QUICK


@pytest.fixture
async def provider(clock: SetClock) -> AsyncIterator[OpenIdProvider]:
    async with open_provider(clock) as opened:
        opened.client_secret = ""
        opened.person = dict(ADA)
        # Nobody told the house how it is reached.
        opened.redirect_uris = {"http://127.0.0.1:8080/auth/google/callback"}
        yield opened


@pytest.fixture
async def house_config(request: pytest.FixtureRequest, provider: OpenIdProvider) -> Mapping[str, Any]:
    delivery = request.node.get_closest_marker("manor").kwargs["config"]
    google = {"issuer": provider.issuer, "client_id": CLIENT}
    apple = {"issuer": provider.issuer, "client_ids": ["io.example.app"]}
    return {
        "server": {"limits": {"address_limit_factor": 0}},
        "identity": QUICK,
        "plugins": {"auth": {"oidc": {"google": google, "apple": apple}, **delivery}},
    }


async def led_on(http: httpx.AsyncClient, path: str = "/auth/google/login") -> str:
    """There and back; gives where the house leads on to."""
    begun = await http.get(path)
    assert (begun.status_code, begun.headers["cache-control"]) == (302, "no-store")
    assert begun.headers["referrer-policy"] == "no-referrer"
    async with httpx.AsyncClient() as elsewhere:
        back = urlsplit((await elsewhere.get(begun.headers["location"])).headers["location"])
    answer = await http.get(f"{back.path}?{back.query}")
    assert answer.status_code in (302, 303), answer.text
    assert answer.content == b""
    assert answer.headers["cache-control"] == "no-store"
    return answer.headers["location"]


@pytest.mark.manor(config={})
async def test_a_browser_goes_there_and_comes_back_with_tokens(http: httpx.AsyncClient) -> None:
    location = await led_on(http)

    assert location.startswith("/auth/callback#")
    tokens = dict(parse_qsl(urlsplit(location).fragment))
    me = await http.get("/auth/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert (me.status_code, me.json()["email"], me.json()["oauth_provider"]) == (200, "ada@example.org", "google")
    assert "manor_oidc" not in http.cookies
    assert (await http.get("/auth/callback")).status_code == 200, "our own page takes them"


@pytest.mark.manor(config={})
async def test_a_browser_comes_back_to_a_page_signed_in(http: httpx.AsyncClient) -> None:
    assert await led_on(http, "/auth/google/login?next=/account") == "/account"

    page = await http.get("/account")

    assert page.status_code == 200
    assert "ada@example.org" in page.text
    assert (await http.get("/auth/me")).status_code == 401, "it opens pages only"


@pytest.mark.manor(config={"token_delivery": "code"})
async def test_a_front_end_exchanges_its_code(http: httpx.AsyncClient) -> None:
    code = dict(parse_qsl(urlsplit(await led_on(http)).query))["code"]

    answers = [await http.post("/auth/oauth/exchange", json={"code": code}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 400]
    assert answers[0].json()["user"]["email"] == "ada@example.org"


@pytest.mark.manor(config={})
async def test_an_app_of_apples_signs_in(http: httpx.AsyncClient, provider: OpenIdProvider) -> None:
    token = provider.id_token(ADA, audience="io.example.app")

    good = await http.post("/auth/apple/mobile", json={"identity_token": token, "user": ADA["sub"]})
    bad = await http.post("/auth/apple/mobile", json={"identity_token": token, "user": "eve"})
    empty = await http.post("/auth/apple/mobile")

    assert (good.status_code, good.json()["user"]["email"]) == (200, "ada@example.org")
    assert [(answer.status_code, "detail" in answer.json()) for answer in (bad, empty)] == [(401, True), (422, True)]


@pytest.mark.manor(config={})
async def test_a_stranger_gets_one_word(door: Door, http: httpx.AsyncClient, provider: OpenIdProvider) -> None:
    provider.person = None

    assert await led_on(http) == "/auth/callback#error=access_denied"
    answer = await http.get("/auth/google/callback?code=x&state=%00%0d%0aX:1")
    assert (answer.status_code, answer.headers["location"]) == (302, "/login?error=expired")
    assert (await http.get("/auth/oidc/nobody/login")).status_code == 404
