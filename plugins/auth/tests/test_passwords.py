"""Passwords forgotten and replaced, and the second factor."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import trio

from manor import Credential, NewCredential, find_credential, issue, link_login, set_password_hash, update_user
from manor.commands import Who
from manor.testing import Answer, Client, House, SetClock
from tests.people import PASSWORD, Person, Sign, actions, links, login, made, opens

NEW = "another horse, another battery"


def forward(clock: SetClock, **by: float) -> None:
    clock.set(clock.now() + timedelta(**by))


async def ask(client: Client, email: str) -> Answer:
    return await client.post("/auth/password-reset/request", json={"email": email})


async def token_for(house: House, client: Client, email: str = "ada@example.org") -> str:
    await ask(client, email)
    url = (await links(house, email, "reset"))[0]
    return parse_qs(urlsplit(url).query)["token"][0]


async def confirm(client: Client, token: str, password: str = NEW) -> Answer:
    return await client.post("/auth/password-reset/confirm", json={"token": token, "new_password": password})


async def change(client: Client, person: Person, current: str = PASSWORD, new: str = NEW) -> Answer:
    body = {"current_password": current, "new_password": new}
    return await client.post("/auth/password-change", json=body, headers=person.bearer)


# --- Forgotten -----------------------------------------------------------------------------------------------------


async def test_whoever_asks_for_a_reset_is_answered_alike(house: House, client: Client) -> None:
    await made(house, "ada")

    known, unknown = await ask(client, "ada@example.org"), await ask(client, "nobody@example.org")

    assert (known.status, known.body, {*known.headers}) == (200, unknown.body, {*unknown.headers})
    assert len(await links(house, "ada@example.org", "reset")) == 1
    assert await links(house, "nobody@example.org", "reset") == []


async def test_a_reset_ends_every_session_and_proves_the_mailbox(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    await house.storage.write(lambda transaction: update_user(transaction, person.id, email="new@example.org"))
    token = await token_for(house, client, "new@example.org")

    answer = await confirm(client, token)

    assert (answer.status, [*answer.json()]) == (200, ["message"])
    assert not await opens(client, person.tokens["access_token"])
    assert (await login(client, "ada")).status == 401
    assert (await login(client, "ada", NEW)).status == 200
    assert "auth.password_reset" in await actions(house)


async def test_a_reset_lifts_the_lock(house: House, client: Client) -> None:
    await made(house, "ada")
    strange = client(address="203.0.113.9")
    for _ in range(10):
        await login(strange, "ada", "wrong one")
    assert (await login(client, "ada")).status == 429

    await confirm(client, await token_for(house, client))

    assert (await login(client, "ada", NEW)).status == 200


async def test_a_link_resets_once(house: House, client: Client) -> None:
    await made(house, "ada")
    token = await token_for(house, client)

    assert [(await confirm(client, token)).status for _ in range(2)] == [200, 400]


async def test_a_weak_password_leaves_the_link_good(house: House, client: Client) -> None:
    await made(house, "ada")
    token = await token_for(house, client)

    refused = await confirm(client, token, "password123")

    assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "new_password")
    assert (await confirm(client, token)).status == 200


async def test_a_reset_link_expires_after_an_hour(house: House, client: Client, clock: SetClock) -> None:
    await made(house, "ada")
    token = await token_for(house, client)
    forward(clock, hours=1)

    assert (await confirm(client, token)).status == 400


@pytest.mark.parametrize("token", ["", "x", "\x00", "é", "a" * 4096])
async def test_a_token_that_is_none_is_400(client: Client, token: str) -> None:
    assert (await confirm(client, token)).status == 400


async def test_a_link_that_verifies_resets_nothing(house: House, client: Client) -> None:
    await made(house, "ada", is_verified=False)
    await client.post("/auth/resend-verification", json={"email": "ada@example.org"})
    (url,) = await links(house, "ada@example.org", "verify")

    assert (await confirm(client, parse_qs(urlsplit(url).query)["token"][0])).status == 400


async def key_after_a_reset(house: House, client: Client) -> Credential:
    user_id = await made(house, "ada")
    new = NewCredential(kind="api_key", user_id=user_id, scopes=("*",))
    key = await house.storage.write(lambda transaction: issue(transaction, new, "noti_x"))
    await confirm(client, await token_for(house, client))
    kept = await house.storage.read(lambda transaction: find_credential(transaction, key.id))
    assert kept is not None
    return kept


async def test_keys_outlive_a_reset(house: House, client: Client) -> None:
    assert (await key_after_a_reset(house, client)).revoked_at is None


@pytest.mark.manor(config={"identity": {"reset_revokes_keys": True}})
async def test_where_the_admin_says_so_a_reset_revokes_keys(house: House, client: Client) -> None:
    assert (await key_after_a_reset(house, client)).revoked_at is not None


async def test_who_came_through_a_provider_gets_no_link(house: House, client: Client) -> None:
    user_id = await made(house, "ada")

    def without_password(transaction: Any) -> None:
        set_password_hash(transaction, user_id, None)
        link_login(transaction, user_id, issuer="https://id.example", subject="1", provider="google")

    await house.storage.write(without_password)
    await ask(client, "ada@example.org")

    assert await links(house, "ada@example.org", "reset") == []


# --- Replaced ------------------------------------------------------------------------------------------------------


async def test_a_change_ends_every_other_session(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    other = (await login(client, "ada")).json()

    assert (await change(client, person)).status == 200

    assert await opens(client, person.tokens["access_token"])
    assert not await opens(client, other["access_token"])
    assert [(await login(client, "ada", word)).status for word in (PASSWORD, NEW)] == [401, 200]
    assert "auth.password_changed" in await actions(house)


async def test_a_change_voids_reset_links(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    token = await token_for(house, client)
    await change(client, person)

    assert (await confirm(client, token)).status == 400


@pytest.mark.parametrize("new", ["short", PASSWORD, "ada@example.org"])
async def test_a_weak_or_unchanged_password_is_422(client: Client, signed_in: Sign, new: str) -> None:
    answer = await change(client, await signed_in("ada"), new=new)

    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "new_password")


async def test_the_same_password_composed_otherwise_is_no_new_one(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    assert (await change(client, person, new="caf\u00e9 caf\u00e9 caf\u00e9")).status == 200

    answer = await change(client, person, "caf\u00e9 caf\u00e9 caf\u00e9", "cafe\u0301 cafe\u0301 cafe\u0301")

    assert answer.status == 422


async def test_the_longest_passwords_are_taken_however_their_characters_are_written(
    client: Client, signed_in: Sign
) -> None:
    person, longest = await signed_in("ada"), "\U0001f600" * 1024
    assert (await change(client, person, new=longest)).status == 200
    body = json.dumps({"current_password": longest, "new_password": "\U0001f601" * 1024}).encode()

    answer = await client.post("/auth/password-change", body=body, headers=person.bearer)

    assert answer.status == 200, answer.text


async def test_of_two_sessions_that_change_the_password_at_once_one_does(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    other = Person(person.id, "ada", person.email, (await login(client, "ada")).json())
    statuses: list[int] = []

    async def change_it(session: Person, new: str) -> None:
        statuses.append((await change(client, session, new=new)).status)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(change_it, person, "one new password")
        nursery.start_soon(change_it, other, "another new password")

    assert statuses.count(200) == 1, statuses


async def test_a_wrong_current_password_is_400_and_counts_as_a_failed_sign_in(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")

    statuses = [(await change(client, person, current="wrong one")).status for _ in range(11)]

    assert statuses == [400] * 10 + [429]


async def test_without_a_password_there_is_none_to_change(house: House, client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    await house.storage.write(lambda transaction: set_password_hash(transaction, person.id, None))

    assert (await change(client, person)).status == 400


# --- The second factor ---------------------------------------------------------------------------------------------


async def enrolled(client: Client, clock: SetClock, person: Person) -> tuple[pyotp.TOTP, list[str]]:
    made_key = (await client.post("/auth/mfa/generate", headers=person.bearer)).json()
    app = pyotp.TOTP(made_key["secret"])
    assert made_key["otpauth_url"].startswith("otpauth://totp/Manor:ada%40example.org")
    answer = await client.post("/auth/mfa/activate", json={"code": app.at(clock.now())}, headers=person.bearer)
    assert answer.status == 200, answer.text
    return app, answer.json()["recovery_codes"]


async def test_nobody_is_asked_for_a_code_before_it_is_activated(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")
    await client.post("/auth/mfa/generate", headers=person.bearer)

    wrong = await client.post("/auth/mfa/activate", json={"code": "000000"}, headers=person.bearer)

    assert wrong.status == 400
    assert (await login(client, "ada")).status == 200


async def test_an_admin_switches_a_lost_second_factor_off(
    house: House, client: Client, clock: SetClock, signed_in: Sign
) -> None:
    await enrolled(client, clock, await signed_in("ada"))
    assert (await login(client, "ada")).json()["mfa_required"]

    shown = await house.run_command("user.disable_mfa", Who("ada"))

    assert not shown.has_mfa
    assert "access_token" in (await login(client, "ada")).json()


async def test_who_has_enrolled_signs_in_with_a_code_that_works_once(
    house: House, client: Client, clock: SetClock, signed_in: Sign
) -> None:
    app, _ = await enrolled(client, clock, await signed_in("ada"))
    forward(clock, minutes=1)
    code = app.at(clock.now())

    without = await login(client, "ada")
    assert (without.status, without.json()["mfa_required"]) == (401, True)
    assert (await login(client, "ada", "wrong one", code=code)).json().get("mfa_required") is None
    assert [(await login(client, "ada", code=code)).status for _ in range(2)] == [200, 401]
    assert "auth.mfa_activated" in await actions(house)


async def test_a_recovery_code_stands_in_once(client: Client, clock: SetClock, signed_in: Sign) -> None:
    _, codes = await enrolled(client, clock, await signed_in("ada"))

    assert len(set(codes)) == 10
    assert [(await login(client, "ada", code=codes[0])).status for _ in range(2)] == [200, 401]


async def test_disabling_takes_a_code_and_wrong_ones_count(client: Client, clock: SetClock, signed_in: Sign) -> None:
    person = await signed_in("ada")
    _, codes = await enrolled(client, clock, person)

    async def disable(code: str) -> int:
        return (await client.post("/auth/mfa/disable", json={"code": code}, headers=person.bearer)).status

    assert await disable("000000") == 400
    assert await disable(codes[3]) == 204
    assert await disable(codes[4]) == 400
    assert (await login(client, "ada")).status == 200


async def test_codes_cannot_be_guessed_by_disabling(client: Client, clock: SetClock, signed_in: Sign) -> None:
    person = await signed_in("ada")
    await enrolled(client, clock, person)

    body = {"code": "000000"}
    statuses = [(await client.post("/auth/mfa/disable", json=body, headers=person.bearer)).status for _ in range(11)]

    assert statuses == [400] * 10 + [429]


# --- Oneself -------------------------------------------------------------------------------------------------------


async def test_one_sees_who_one_is(client: Client, signed_in: Sign) -> None:
    person = await signed_in("ada")

    answer = await client.get("/auth/me", headers=person.bearer)

    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert answer.json() == {
        "id": str(person.id),
        "email": "ada@example.org",
        "username": "ada",
        "avatar_url": None,
        "subscription_tier": "FREE",
        "is_verified": True,
        "is_active": True,
        "created_at": "2030-01-02T12:00:00Z",
        "last_login": "2030-01-02T12:00:00Z",
        "oauth_provider": None,
        "terms_accepted_at": None,
    }


async def test_accepted_terms_stand_in_the_history_newest_first(
    client: Client, clock: SetClock, signed_in: Sign
) -> None:
    person = await signed_in("ada")
    for method in ("app", "web"):
        body = {"accepted": True, "consent_method": method}
        answer = await client.post("/auth/accept-terms", json=body, headers=person.bearer)
        assert (answer.status, answer.json()["document_version"]) == (200, "1.0")
        forward(clock, minutes=1)

    history = (await client.get("/auth/consent-history", headers=person.bearer)).json()

    assert history["total"] == 2
    assert [(each["consent_method"], each["is_active"]) for each in history["consents"]] == [
        ("web", True),
        ("app", False),
    ]
    assert set(history["consents"][0]) == {
        "id",
        "consent_type",
        "document_version",
        "accepted_at",
        "consent_method",
        "is_active",
    }
    me = (await client.get("/auth/me", headers=person.bearer)).json()
    assert me["terms_accepted_at"] == "2030-01-02T12:01:00Z"


@pytest.mark.parametrize(
    "body",
    [
        {"accepted": False, "consent_method": "web"},
        {"accepted": True},
        {"accepted": True, "consent_method": ""},
        {"accepted": True, "consent_method": "x" * 51},
        {"accepted": True, "consent_method": "web\r\nform"},
        {"accepted": True, "consent_method": "web\u202e"},
        {"accepted": "true", "consent_method": "web"},
    ],
)
async def test_terms_that_are_not_accepted_are_422(client: Client, signed_in: Sign, body: dict[str, Any]) -> None:
    person = await signed_in("ada")

    assert (await client.post("/auth/accept-terms", json=body, headers=person.bearer)).status == 422
