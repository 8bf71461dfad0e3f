"""Signing in with an account at a provider: there, back, and what it brings."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from trio.testing import MockClock

from manor import Transaction, find_user, list_logins, set_active
from manor.testing import Client, House, SetClock
from tests.browsing import FRONTEND, PUBLIC, Browser, configured, fragment
from tests.openid_provider import OpenIdProvider
from tests.people import actions, opens


def query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def me(client: Client, token: str) -> dict[str, object]:
    answer = await client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 200, answer.text
    shown: dict[str, object] = answer.json()
    return shown


async def test_a_sign_in_makes_an_account_and_brings_its_tokens_behind_the_hash(
    house: House, client: Client, provider: OpenIdProvider, browser: Browser
) -> None:
    answer = await browser.sign_in()

    assert (answer.status, provider.complaints) == (302, [])
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Location"].startswith(f"{FRONTEND}/auth/callback#access_token=ey")
    tokens = fragment(answer)
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).status == 200
    shown = await me(client, tokens["access_token"])
    assert (shown["email"], shown["username"], shown["is_verified"]) == ("ada@example.org", "ada", True)
    assert (shown["oauth_provider"], shown["terms_accepted_at"]) == ("home", None)
    assert {"auth.registered", "auth.login_linked", "auth.signed_in"} <= set(await actions(house))
    assert browser.jar == {}, "what it kept for the way is spent"


async def test_the_provider_is_asked_as_the_standards_say(provider: OpenIdProvider, browser: Browser) -> None:
    url = await browser.there()

    assert url.startswith(f"{provider.issuer}/auth?kept=1&")
    asked = query(url)
    assert (asked["response_type"], asked["client_id"], asked["code_challenge_method"]) == ("code", "manor", "S256")
    assert asked["scope"] == "openid email profile"
    assert asked["redirect_uri"] == f"{PUBLIC}/auth/oidc/home/callback"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    again = query(await browser.there())
    assert not {asked[name] for name in ("state", "nonce", "code_challenge")} & set(again.values())


async def test_what_the_browser_keeps_is_out_of_reach_of_scripts_and_of_other_hosts(client: Client) -> None:
    kept = (await client.get("/auth/oidc/home/login")).headers["Set-Cookie"]

    assert kept.startswith("__Host-manor_oidc=")
    assert kept.partition(";")[2] == " Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"


@configured(server={"public_url": "http://127.0.0.1:8080", "frontend_url": ""})
async def test_over_plain_http_the_cookie_is_a_plain_one(client: Client) -> None:
    kept = (await client.get("/auth/oidc/home/login")).headers["Set-Cookie"]

    assert kept.startswith("manor_oidc=")
    assert "Secure" not in kept


async def test_google_has_paths_of_its_own(client: Client, provider: OpenIdProvider, browser: Browser) -> None:
    assert query(await browser.there("/auth/google/login"))["redirect_uri"] == f"{PUBLIC}/auth/google/callback"

    answer = await browser.sign_in("/auth/google/login")

    assert provider.complaints == []
    assert (await me(client, fragment(answer)["access_token"]))["oauth_provider"] == "google"


async def test_the_second_time_it_is_the_same_account_whatever_its_address_is_by_then(
    house: House, client: Client, provider: OpenIdProvider, browser: Browser
) -> None:
    first = await me(client, fragment(await browser.sign_in())["access_token"])
    provider.person = {"sub": "ada-at-home", "email": "countess@example.org", "email_verified": True}

    second = await me(client, fragment(await browser.sign_in())["access_token"])

    assert (second["id"], second["email"]) == (first["id"], "ada@example.org")
    assert (await actions(house)).count("auth.registered") == 1


async def test_two_providers_with_one_issuer_know_the_same_people(client: Client, browser: Browser) -> None:
    first = await me(client, fragment(await browser.sign_in())["access_token"])
    second = await me(client, fragment(await browser.sign_in("/auth/oidc/other/login"))["access_token"])

    assert first["id"] == second["id"]


async def test_people_are_told_apart_by_what_the_provider_calls_them_and_not_by_name(
    client: Client, provider: OpenIdProvider, browser: Browser
) -> None:
    first = await me(client, fragment(await browser.sign_in())["access_token"])
    provider.person = {"sub": "ADA-AT-HOME", "email": "ada@elsewhere.example", "email_verified": True}

    second = await me(client, fragment(await browser.sign_in())["access_token"])

    assert first["id"] != second["id"]
    assert (first["username"], second["username"]) == ("ada", "ada2")


async def test_a_client_without_a_secret_shows_none(client: Client, provider: OpenIdProvider, browser: Browser) -> None:
    provider.client_secret = ""

    assert "error" in fragment(await browser.sign_in())
    assert provider.complaints == ["the client is not known by this"]


@configured(home={"client_secret_file": ""})
async def test_a_public_client_shows_its_id_only(provider: OpenIdProvider, browser: Browser) -> None:
    provider.client_secret = ""

    assert "access_token" in fragment(await browser.sign_in())
    assert provider.complaints == []


async def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(
    provider: OpenIdProvider, browser: Browser
) -> None:
    provider.auth_method = "client_secret_post"

    assert "access_token" in fragment(await browser.sign_in())
    assert provider.complaints == []


async def test_what_the_token_does_not_say_is_asked_for(
    client: Client, provider: OpenIdProvider, browser: Browser
) -> None:
    provider.person = {"sub": "ada-at-home"}
    provider.userinfo = {"sub": "ada-at-home", "email": "ada@example.org", "email_verified": True}

    assert (await me(client, fragment(await browser.sign_in())["access_token"]))["email"] == "ada@example.org"


async def test_a_second_word_about_somebody_else_is_refused(provider: OpenIdProvider, browser: Browser) -> None:
    provider.person = {"sub": "ada-at-home"}
    provider.userinfo = {"sub": "eve", "email": "ada@example.org", "email_verified": True}

    assert fragment(await browser.sign_in()) == {"error": "sign_in_failed"}


async def test_the_documents_of_a_provider_are_kept_for_ten_minutes(
    provider: OpenIdProvider, browser: Browser, mock_clock: MockClock
) -> None:
    for _ in range(3):
        await browser.sign_in()
    assert (provider.count("openid-configuration"), provider.count("/certs")) == (1, 1)

    mock_clock.jump(601)
    await browser.sign_in()

    assert (provider.count("openid-configuration"), provider.count("/certs")) == (2, 2)


# --- How it reaches a front end ----------------------------------------------------------------------------------


@configured(auth={"token_delivery": "query"})
async def test_tokens_stand_in_the_query_where_the_configuration_says_so(client: Client, browser: Browser) -> None:
    location = (await browser.sign_in()).headers["Location"]

    assert location.startswith(f"{FRONTEND}/auth/callback?access_token=")
    assert await opens(client, query(location)["access_token"])


@configured(auth={"token_delivery": "code"})
async def test_a_code_is_exchanged_for_tokens_once(house: House, client: Client, browser: Browser) -> None:
    location = (await browser.sign_in()).headers["Location"]
    assert set(query(location)) == {"code"}
    code = query(location)["code"]
    assert "auth.signed_in" not in await actions(house), "nobody has come for it yet"

    answer = await client.post("/auth/oauth/exchange", json={"code": code})
    again = await client.post("/auth/oauth/exchange", json={"code": code})

    assert answer.status == 200
    assert set(answer.json()) == {
        "access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in", "user",
    }  # fmt: skip
    assert answer.json()["user"]["email"] == "ada@example.org"
    assert await opens(client, answer.json()["access_token"])
    assert (again.status, set(again.json())) == (400, {"detail"})


@configured(auth={"token_delivery": "code"})
async def test_a_code_is_good_for_a_minute(client: Client, browser: Browser, clock: SetClock) -> None:
    code = query((await browser.sign_in()).headers["Location"])["code"]
    clock.set(clock.now() + timedelta(seconds=61))

    assert (await client.post("/auth/oauth/exchange", json={"code": code})).status == 400


@configured(auth={"token_delivery": "code"})
async def test_a_code_of_somebody_who_was_disabled_meanwhile_brings_nothing(
    house: House, client: Client, browser: Browser
) -> None:
    code = query((await browser.sign_in()).headers["Location"])["code"]

    def disable(transaction: Transaction) -> None:
        user = find_user(transaction, username="ada")
        assert user is not None
        set_active(transaction, user.id, False)

    await house.storage.write(disable)

    assert (await client.post("/auth/oauth/exchange", json={"code": code})).status == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"code": "A" * 43}, 400),
        ({"code": ""}, 422),
        ({"code": "x" * 201}, 422),
        ({"code": None}, 422),
        ({"code": ["a"]}, 422),
        ({}, 422),
        ([], 422),
        ({"code": "\x00\ud83d"}, 400),
    ],
)
async def test_what_is_no_code_is_refused(client: Client, body: object, status: int) -> None:
    answer = await client.post("/auth/oauth/exchange", body=json.dumps(body).encode())

    assert answer.status == status, answer.text


async def test_a_refresh_token_is_no_code(client: Client, browser: Browser) -> None:
    token = fragment(await browser.sign_in())["refresh_token"]

    assert (await client.post("/auth/oauth/exchange", json={"code": token[-43:]})).status == 400


@configured(auth={"allowed_redirects": ["org.example.app:/callback", "https://beta.example/cb?x=1"]})
async def test_tokens_are_taken_to_the_places_that_the_configuration_allows(browser: Browser) -> None:
    app = await browser.sign_in("/auth/oidc/home/login?redirect_uri=org.example.app:/callback")
    assert app.headers["Location"].startswith("org.example.app:/callback#access_token=")
    web = await browser.sign_in("/auth/oidc/home/login?redirect_uri=https%3A%2F%2Fbeta.example%2Fcb%3Fx%3D1")
    assert web.headers["Location"].startswith("https://beta.example/cb?x=1#access_token=")
    usual = await browser.sign_in(f"/auth/oidc/home/login?redirect_uri={FRONTEND}/auth/callback")
    assert usual.headers["Location"].startswith(f"{FRONTEND}/auth/callback#access_token=")


@configured(auth={"allowed_redirects": ["https://beta.example/cb?x=1"], "token_delivery": "code"})
async def test_a_target_with_a_query_keeps_it(browser: Browser) -> None:
    answer = await browser.sign_in("/auth/oidc/home/login?redirect_uri=https%3A%2F%2Fbeta.example%2Fcb%3Fx%3D1")

    assert answer.headers["Location"].startswith("https://beta.example/cb?x=1&code=")


@pytest.mark.parametrize(
    "target",
    [
        "https://app.example/",
        "https://app.example/auth/callback/",
        "https://app.example.evil.example/auth/callback",
        "HTTPS://APP.EXAMPLE/auth/callback",
        "https://evil.example",
        "//evil.example",
        "javascript:alert(1)",
        "org.example.app:/callback2",
        "ORG.example.app:/callback",
        "%0d%0aSet-Cookie:x=1",
    ],
)
@configured(auth={"allowed_redirects": ["org.example.app:/callback"]})
async def test_tokens_go_nowhere_else(client: Client, provider: OpenIdProvider, target: str) -> None:
    answer = await client.get(f"/auth/oidc/home/login?redirect_uri={target}")

    assert (answer.status, "Location" in answer.headers) == (400, False)
    assert provider.asked == []


# --- Pages of our own --------------------------------------------------------------------------------------------


async def test_a_page_gets_a_session_of_the_browser_in_place_of_tokens(
    house: House, client: Client, browser: Browser
) -> None:
    answer = await browser.sign_in("/auth/oidc/home/login?next=/app/topics?sort=name")

    assert (answer.status, answer.headers["Location"]) == (303, "/app/topics?sort=name")
    kept = answer.headers["Set-Cookie"]
    assert kept.startswith("__Host-manor_session=")
    assert {"HttpOnly", "SameSite=Lax", "Secure"} <= set(kept.split("; "))
    assert (await actions(house)).count("auth.signed_in") == 1
    secret = browser.jar["__Host-manor_session"]
    assert (await client.get("/auth/me", headers={"Authorization": f"Bearer {secret}"})).status == 401


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/%5Cevil.example", "/"),
        ("/app/%0d%0aSet-Cookie:x", "/"),
        ("/app/d%C3%B6rfer", "/app/d%C3%B6rfer"),
        ("", "/"),
    ],
)
async def test_a_page_is_one_of_this_server(browser: Browser, asked: str, led: str) -> None:
    assert (await browser.sign_in(f"/auth/oidc/home/login?next={asked}")).headers["Location"] == led


async def test_who_declines_is_back_at_the_sign_in_page_with_the_way_they_wanted_to_go(
    provider: OpenIdProvider, browser: Browser
) -> None:
    provider.person = None

    answer = await browser.sign_in("/auth/oidc/home/login?next=/app/topics")

    assert answer.headers["Location"] == "/login?error=access_denied&next=%2Fapp%2Ftopics"


@configured(server={"frontend_url": ""})
async def test_without_a_front_end_tokens_go_to_our_own_page(browser: Browser) -> None:
    answer = await browser.sign_in()

    assert answer.headers["Location"].startswith("/auth/callback#access_token=")


async def test_the_login_is_kept_under_issuer_and_subject(
    house: House, client: Client, provider: OpenIdProvider, browser: Browser
) -> None:
    shown = await me(client, fragment(await browser.sign_in())["access_token"])

    (kept,) = await house.storage.read(lambda transaction: list_logins(transaction, UUID(str(shown["id"]))))
    assert (kept.issuer, kept.subject, kept.provider) == (provider.issuer, "ada-at-home", "home")
