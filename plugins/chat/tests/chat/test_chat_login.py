"""Who is let in, and what those hear who are not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyotp
import pytest

from manor import Transaction, activate_totp, begin_totp, mark_verified, set_active
from manor.testing import Client, House
from tests.chat_people import API, Chatter, chatter
from tests.chat_sign_in import bearing, session_of, sign_in, told_id
from tests.people import PASSWORD, actions

WRONG = (401, "api.user.login.invalid_credentials_email_username")


@pytest.fixture
async def ann(house: House) -> Chatter:
    return await chatter(house, "Ann")


async def test_one_signs_in_by_name_address_or_id_and_sees_oneself(house: House, client: Client, ann: Chatter) -> None:
    for login in ({"login_id": "ANN"}, {"login_id": " ann@Example.org "}, {"id": ann.chat_id}):
        answer = await client.post(
            f"{API}/users/login", json={**login, "password": PASSWORD, "token": None, "deviceId": "x"}
        )
        assert answer.status == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert "set-cookie" not in answer.headers
        user = answer.json()
        assert (user["id"], user["username"], user["email"]) == (ann.chat_id, "ann", "Ann@example.org")
        assert {"notify_props", "props", "last_password_update", "mfa_active"} <= set(user)
        assert not {"password", "mfa_secret"} & set(user)
        token = answer.headers["token"]
        assert len(token) == 26
        assert token[0] == "s"
        for scheme in ("Bearer", "BEARER", "bearer", "token"):
            me = await client.get(f"{API}/users/me", headers={"Authorization": f"{scheme} {token}"})
            assert me.json()["id"] == ann.chat_id
    assert (await actions(house)).count("chat.signed_in") == 3


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"login_id": "ann", "password": "wrong horse battery"}, WRONG),
        ({"login_id": "nobody", "password": PASSWORD}, WRONG),
        ({"login_id": "", "password": PASSWORD}, WRONG),
        ({"id": "y" * 26, "password": PASSWORD}, WRONG),
        ({"id": "%%", "password": PASSWORD}, WRONG),
        ({"login_id": "ann\x00", "password": PASSWORD}, WRONG),
        ({"login_id": "ann" * 1000, "password": PASSWORD}, WRONG),
        ({"login_id": "ann", "password": "x" * 10_000}, WRONG),
        ({"login_id": "ann", "password": ""}, (400, "api.user.login.blank_pwd.app_error")),
        ({"login_id": "ann"}, (400, "api.user.login.blank_pwd.app_error")),
        ({"login_id": ["ann"], "password": PASSWORD}, (400, "api.context.invalid_body_param.app_error")),
        ({"login_id": "robot", "password": PASSWORD}, (401, "api.user.login.bot_login_forbidden.app_error")),
    ],
)
async def test_whoever_is_not_let_in_hears_no_more_than_they_may(
    house: House, client: Client, ann: Chatter, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    await chatter(house, "robot", is_bot=True)

    answer = await client.post(f"{API}/users/login", json=body)

    assert told_id(answer) == refusal
    assert "token" not in answer.headers


async def test_only_the_right_password_learns_that_an_account_is_shut(
    house: House, client: Client, ann: Chatter
) -> None:
    await house.storage.write(lambda transaction: set_active(transaction, ann.id, False))

    assert told_id(await sign_in(client, "ann", "wrong horse battery")) == WRONG
    assert told_id(await sign_in(client, "ann")) == (401, "api.user.login.inactive.app_error")


async def test_an_address_that_is_not_proven_lets_nobody_in(house: House, client: Client, ann: Chatter) -> None:
    await house.storage.write(lambda transaction: mark_verified(transaction, ann.id, False))

    assert told_id(await sign_in(client, "ann")) == (401, "api.user.login.not_verified.app_error")


async def test_too_many_failures_lock_the_right_password_out_too(client: Client, ann: Chatter) -> None:
    for _ in range(10):
        assert told_id(await sign_in(client, "ann", "wrong horse battery")) == WRONG

    answer = await sign_in(client, "ann")

    assert told_id(answer) == (401, "api.user.check_user_login_attempts.too_many.app_error")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_second_factor_is_asked_for_by_the_id_that_clients_know(
    house: House, client: Client, ann: Chatter
) -> None:
    def guard(transaction: Transaction) -> str:
        setup = begin_totp(transaction, ann.id)
        app = pyotp.TOTP(setup.secret)
        activate_totp(transaction, ann.id, app.at(transaction.now - timedelta(seconds=30)))
        code: str = app.at(transaction.now)
        return code

    code = await house.storage.write(guard)

    assert told_id(await sign_in(client, "ann")) == (401, "mfa.validate_token.authenticate.app_error")
    assert told_id(await sign_in(client, "ann", token="000000")) == (401, "api.user.check_user_mfa.bad_code.app_error")
    assert (await sign_in(client, "ann", token=code)).status == 200


async def test_signing_out_ends_the_session_at_once_and_needs_none(client: Client, ann: Chatter) -> None:
    mine, other = await session_of(client, "ann"), await session_of(client, "ann")

    assert (await mine.post(f"{API}/users/logout")).json() == {"status": "OK"}
    assert told_id(await mine.get(f"{API}/users/me")) == (401, "api.context.session_expired.app_error")
    assert (await other.get(f"{API}/users/me")).status == 200
    assert (await mine.post(f"{API}/users/logout")).json() == {"status": "OK"}
    assert (await client.post(f"{API}/users/logout")).json() == {"status": "OK"}


@pytest.mark.parametrize("token", ["", "s", "s" * 26, "p" * 26, "o" * 26, "\xff" * 26, "x" * 5000, "a b"])
async def test_a_token_that_nobody_knows_opens_nothing_and_does_not_keep_one_from_signing_in(
    client: Client, ann: Chatter, token: str
) -> None:
    stale = bearing(client, token)

    assert told_id(await stale.get(f"{API}/users/me")) == (401, "api.context.session_expired.app_error")
    assert (await sign_in(stale, "ann")).status == 200


async def test_a_session_in_the_address_is_refused(client: Client, ann: Chatter) -> None:
    token = (await sign_in(client, "ann")).headers["token"]

    answer = await client.get(f"{API}/users/me?access_token={token}")
    assert told_id(answer) == (401, "api.context.token_provided.app_error")
    answer = await client.get(f"{API}/users/me?access_token={'s' * 26}")
    assert told_id(answer) == (401, "api.context.session_expired.app_error")


async def test_how_one_signs_in_is_the_same_for_everybody(client: Client, ann: Chatter) -> None:
    for login in ("ann", "nobody"):
        answer = await client.post(f"{API}/users/login/type", json={"login_id": login})
        assert answer.json() == {"auth_service": "", "is_deactivated": False}
