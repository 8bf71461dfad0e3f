"""Apple's apps: an identity token that Apple gave to one, against its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from manor import Transaction, find_user, set_active
from manor.testing import Answer, Client, House, open_test_house
from tests.browsing import Browser, configured, fragment
from tests.openid_provider import OpenIdProvider, key_id, saying
from tests.people import actions, made, opens

APP = "io.example.app"
TIM: dict[str, Any] = {"sub": "001234.ab.5678", "email": "x7h2@privaterelay.example.com", "email_verified": "true"}


async def offer(client: Client, provider: OpenIdProvider, claims: dict[str, Any] | None = None, **more: Any) -> Answer:
    body = {"identity_token": provider.id_token(claims or TIM, audience=APP), "user": TIM["sub"], **more}
    return await client.post("/auth/apple/mobile", json=body)


async def test_an_app_signs_in_with_what_login_gives(house: House, client: Client, provider: OpenIdProvider) -> None:
    answer = await offer(client, provider)

    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    body = answer.json()
    assert set(body) == {
        "access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in", "user",
    }  # fmt: skip
    assert set(body["user"]) == {"id", "email", "username", "subscription_tier", "is_verified", "created_at"}
    assert (body["user"]["email"], body["user"]["username"]) == (TIM["email"], "x7h2")
    me = await client.get("/auth/me", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert (me.json()["oauth_provider"], me.json()["terms_accepted_at"]) == ("apple", None)
    assert {"auth.registered", "auth.signed_in"} <= set(await actions(house))


async def test_the_second_time_it_is_the_same_person_without_an_address(
    client: Client, provider: OpenIdProvider
) -> None:
    first = (await offer(client, provider)).json()["user"]

    second = await offer(client, provider, {"sub": TIM["sub"]})

    assert (second.status, second.json()["user"]["id"]) == (200, first["id"])


@pytest.mark.parametrize(
    ("full_name", "username"),
    [
        ({"givenName": "Grace", "familyName": "Hopper"}, "grace.hopper"),
        ({"givenName": "José", "familyName": "Núñez y Ortega"}, "jose.nunez.y.ortega"),
        ({"givenName": "Grace"}, "grace"),
        ({"familyName": "Hopper", "middleName": "B."}, "hopper"),
        ({"givenName": "山田", "familyName": "太郎"}, "x7h2"),
        ({"givenName": "<script>", "familyName": "\r\n\x00"}, "script"),
        ({"givenName": "Al", "familyName": None}, "x7h2"),
        ({"givenName": "G" * 200, "familyName": "H" * 200}, "g" * 32),
        ({}, "x7h2"),
        (None, "x7h2"),
    ],
)
async def test_the_name_suggests_what_somebody_is_called(
    client: Client, provider: OpenIdProvider, full_name: object, username: str
) -> None:
    answer = await offer(client, provider, full_name=full_name)

    assert (answer.status, answer.json()["user"]["username"]) == (200, username)


async def test_the_name_is_nothing_but_that(house: House, client: Client, provider: OpenIdProvider) -> None:
    await made(house, "ada")

    answer = await offer(client, provider, full_name={"givenName": "ada"})

    assert answer.json()["user"]["username"] == "ada2"


async def test_each_of_the_apps_is_known_and_no_other(client: Client, provider: OpenIdProvider) -> None:
    statuses = []
    for audience in ("io.example.beta", "manor", "", "io.example.app2"):
        token = provider.id_token(TIM, audience=audience)
        body = {"identity_token": token, "user": TIM["sub"]}
        statuses.append((await client.post("/auth/apple/mobile", json=body)).status)

    assert statuses == [200, 401, 401, 401]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://appleid.apple.com"},
        {"exp": 1893585569},
        {"sub": "somebody.else"},
        {"aud": ["io.example.app", "x"]},
        {"iat": 1893585631},
    ],
    ids=str,
)
async def test_a_token_that_is_not_apples_word_about_this_person_is_401(
    house: House, client: Client, provider: OpenIdProvider, claims: dict[str, Any]
) -> None:
    provider.token_claims = claims

    answer = await offer(client, provider)

    assert (answer.status, set(answer.json())) == (401, {"detail"})
    assert "auth.registered" not in await actions(house)
    assert "auth.sign_in_refused" in await actions(house)


@pytest.mark.parametrize("signing", ["none", "public key", "stranger"])
async def test_a_token_that_apple_did_not_sign_is_401(client: Client, provider: OpenIdProvider, signing: Any) -> None:
    provider.signing = signing

    assert (await offer(client, provider)).status == 401


async def test_both_kinds_of_keys_sign(client: Client, provider: OpenIdProvider) -> None:
    provider.keys = [*provider.keys, ECKey.generate_key("P-256")]

    assert (await offer(client, provider)).status == 200


async def test_a_key_of_another_kind_than_the_token_says_verifies_nothing(
    client: Client, provider: OpenIdProvider
) -> None:
    token = provider.id_token(TIM, audience=APP)
    curve = {**ECKey.generate_key("P-256").as_dict(private=False), "kid": key_id(provider.keys[0])}
    provider.answers["/certs"] = saying(200, json.dumps({"keys": [curve]}).encode())

    assert (await offer_raw(client, token)).status == 401


async def offer_raw(client: Client, token: str) -> Answer:
    return await client.post("/auth/apple/mobile", json={"identity_token": token, "user": TIM["sub"]})


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.e30", "." * 3, "\x00", "é.é.é", "x" * 16_384])
async def test_what_is_no_token_is_401(client: Client, token: str) -> None:
    assert (await offer_raw(client, token)).status == 401


async def test_our_own_tokens_are_not_apples(client: Client, browser: Browser) -> None:
    assert (await offer_raw(client, fragment(await browser.sign_in())["access_token"])).status == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"identity_token": "a.b.c"},
        {"user": "x"},
        {"identity_token": "", "user": "x"},
        {"identity_token": "a.b.c", "user": ""},
        {"identity_token": "a.b.c", "user": "x" * 256},
        {"identity_token": "x" * 16_385, "user": "x"},
        {"identity_token": 7, "user": "x"},
        {"identity_token": "a.b.c", "user": None},
        {"identity_token": "a.b.c", "user": "x", "full_name": "Grace"},
        {"identity_token": "a.b.c", "user": "x", "full_name": {"givenName": 7}},
        {"identity_token": "a.b.c", "user": "x", "full_name": {"givenName": "x" * 201}},
    ],
    ids=lambda body: str(body)[:40],
)
async def test_a_body_that_does_not_fit_is_422(client: Client, provider: OpenIdProvider, body: object) -> None:
    answer = await client.post("/auth/apple/mobile", body=json.dumps(body).encode())

    assert answer.status == 422, answer.text
    assert provider.asked == []


async def test_a_body_that_cannot_be_read_is_refused(client: Client) -> None:
    for body in (b"", b"{", b"\xff", b"identity_token=x"):
        assert (await client.post("/auth/apple/mobile", body=body)).status in (400, 422)
    assert (await client.post("/auth/apple/mobile", body=b'"' + b"x" * 40_000 + b'"')).status == 413


async def test_where_nothing_is_configured_it_is_404(tmp_path: Path) -> None:
    async with open_test_house(tmp_path / "bare", plugins=["auth"]) as house:
        client = Client(house.dispatcher)
        answers = [
            await offer_raw(client, "a.b.c"),
            await client.get("/auth/google/login"),
            await client.get("/auth/google/callback?code=x&state=y"),
            await client.get("/auth/oidc/home/login"),
        ]

    assert [answer.status for answer in answers] == [404] * 4
    assert all(set(answer.json()) == {"detail"} for answer in answers)


async def test_without_its_keys_it_is_503_for_now(client: Client, provider: OpenIdProvider) -> None:
    provider.answers["/certs"] = saying(500)
    assert (await offer(client, provider)).status == 503
    del provider.answers["/certs"]

    assert (await offer(client, provider)).status == 200


@configured(identity={"registration": "closed"})
async def test_where_nobody_joins_it_is_403(client: Client, provider: OpenIdProvider) -> None:
    assert (await offer(client, provider)).status == 403


async def test_an_account_that_has_the_address_is_409(house: House, client: Client, provider: OpenIdProvider) -> None:
    await made(house, "ada")
    claims = {"sub": TIM["sub"], "email": "ada@example.org", "email_verified": True}

    assert (await offer(client, provider, claims)).status == 409


async def test_an_address_that_apple_does_not_vouch_for_is_403(client: Client, provider: OpenIdProvider) -> None:
    for proof in (False, "false", None):
        claims = {"sub": TIM["sub"], "email": "ada@example.org", "email_verified": proof}
        assert (await offer(client, provider, claims)).status == 403


async def test_a_disabled_account_is_403(house: House, client: Client, provider: OpenIdProvider) -> None:
    token = (await offer(client, provider)).json()["access_token"]

    def disable(transaction: Transaction) -> None:
        user = find_user(transaction, username="x7h2")
        assert user is not None
        set_active(transaction, user.id, False)

    await house.storage.write(disable)

    assert (await offer(client, provider)).status == 403
    assert not await opens(client, token)


@configured(server={"limits": {"address_limit_factor": 1}})
async def test_an_address_asks_sixty_times_a_minute(client: Client) -> None:
    statuses = [(await offer_raw(client, "a.b.c")).status for _ in range(61)]

    assert statuses == [401] * 60 + [429]
