"""ID tokens that are not to be believed, and keys that come and go."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey
from trio.testing import MockClock

from manor.testing import Answer, Client, House
from tests.browsing import FRONTEND, Browser, configured, fragment
from tests.openid_provider import OpenIdProvider
from tests.people import actions


def told(answer: Answer) -> str:
    """The word that the front end gets, and nothing besides."""
    assert answer.status == 302, answer.text
    assert answer.headers["Location"].startswith(f"{FRONTEND}/auth/callback#")
    (said,) = fragment(answer).items()
    assert said[0] == "error"
    return said[1]


async def nobody_is_there(house: House) -> bool:
    return not {"auth.registered", "auth.signed_in"} & set(await actions(house))


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another one"},
        {"nonce": None},
        {"nonce": 7},
        {"iss": "https://accounts.google.com"},
        {"iss": None},
        {"aud": "somebody else"},
        {"aud": []},
        {"aud": None},
        {"aud": ["manor", "somebody else"]},
        {"aud": ["manor", "somebody else"], "azp": "somebody else"},
        {"azp": "somebody else"},
        {"exp": 1893585569},  # 31 s before the house's noon
        {"exp": None},
        {"exp": "1999999999"},
        {"iat": 1893585631},
        {"iat": None},
        {"nbf": 1893585631},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 7},
        {"email": ["ada@example.org"]},
    ],
    ids=str,
)
async def test_a_token_that_says_something_wrong_is_refused(
    house: House, provider: OpenIdProvider, browser: Browser, claims: dict[str, Any]
) -> None:
    provider.token_claims = claims

    assert told(await browser.sign_in()) == "sign_in_failed"
    assert await nobody_is_there(house)
    assert "auth.sign_in_refused" in await actions(house)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["manor", "somebody else"], "azp": "manor"},
        {"aud": ["manor"]},
        {"azp": "manor"},
        {"exp": 1893585571},
        {"iat": 1893585629, "nbf": 1893585629},
        {"email_verified": "true"},
        {"more": {"deeply": [1, None]}},
    ],
    ids=str,
)
async def test_a_token_that_says_it_otherwise_is_taken(
    provider: OpenIdProvider, browser: Browser, claims: dict[str, Any]
) -> None:
    provider.token_claims = claims

    assert "access_token" in fragment(await browser.sign_in())


@pytest.mark.parametrize("signing", ["none", "public key", "stranger"])
async def test_a_token_that_the_provider_did_not_sign_is_refused(
    house: House, provider: OpenIdProvider, browser: Browser, signing: Any
) -> None:
    provider.signing = signing

    assert told(await browser.sign_in()) == "sign_in_failed"
    assert await nobody_is_there(house)


async def test_a_signature_of_another_algorithm_is_taken_where_the_key_is_for_it(
    provider: OpenIdProvider, browser: Browser
) -> None:
    provider.keys = [ECKey.generate_key("P-256")]

    assert "access_token" in fragment(await browser.sign_in())


@configured(home={"algorithms": ["ES256"]})
async def test_an_algorithm_that_the_configuration_does_not_name_is_refused(
    provider: OpenIdProvider, browser: Browser
) -> None:
    assert told(await browser.sign_in()) == "sign_in_failed"
    assert provider.count("/certs") <= 1


async def test_new_keys_are_fetched_once_when_a_token_names_one(provider: OpenIdProvider, browser: Browser) -> None:
    await browser.sign_in()
    provider.rotate()

    assert "access_token" in fragment(await browser.sign_in())
    assert provider.count("/certs") == 2


async def test_keys_that_nobody_has_are_not_fetched_for_again_and_again(
    client: Client, provider: OpenIdProvider, mock_clock: MockClock
) -> None:
    async def offer() -> None:
        token = provider.id_token({"sub": "x"}, audience="io.example.app", kid="made up")
        answer = await client.post("/auth/apple/mobile", json={"identity_token": token, "user": "x"})
        assert answer.status == 401

    for _ in range(5):
        await offer()
    assert provider.count("/certs") == 2

    mock_clock.jump(11)
    await offer()

    assert provider.count("/certs") == 3
