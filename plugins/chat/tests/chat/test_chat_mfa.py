"""The second factor and passwords: what somebody has to know, and what follows when it changes."""

from __future__ import annotations

import base64
import io
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
import trio.testing
from PIL import Image

from manor import Principal
from manor.clock import SetClock
from manor.testing import Answer, Client, House
from tests.chat_people import API, Crew
from tests.chat_sign_in import session_of, sign_in, told_id
from tests.people import PASSWORD, actions, links

BAD_BODY = (400, "api.context.invalid_body_param.app_error")
FORBIDDEN = (403, "api.context.permissions.app_error")
MISSING = (404, "app.user.missing_account.const")
INVALID_LINK = (400, "api.user.reset_password.invalid_link.app_error")
NEW = "another horse battery"


async def put(client: Client, path: str, **body: Any) -> Answer:
    return await client.request("PUT", f"{API}/users/{path}", json=body)


# --- The second factor ---------------------------------------------------------------------------------------------


async def test_an_app_is_given_its_key_as_a_picture_and_then_asked_for_codes(
    house: House, client: Client, crew: Crew, clock: SetClock
) -> None:
    ann = crew.ann.client
    made = (await ann.post(f"{API}/users/me/mfa/generate")).json()
    picture = Image.open(io.BytesIO(base64.b64decode(made["qr_code"])))
    assert picture.format == "PNG"
    assert picture.width == picture.height > 100
    app = pyotp.TOTP(made["secret"])

    assert (await ann.get(f"{API}/users/me")).json()["mfa_active"] is False
    assert told_id(await put(ann, "me/mfa", activate=True, code="000000")) == (400, "mfa.activate.bad_token.app_error")
    assert (await sign_in(client, "ann")).status == 200
    assert (await put(ann, "me/mfa", activate=True, code=app.at(clock.now()))).json() == {"status": "OK"}
    assert (await ann.get(f"{API}/users/me")).json()["mfa_active"] is True
    assert told_id(await sign_in(client, "ann")) == (401, "mfa.validate_token.authenticate.app_error")
    clock.set(clock.now() + timedelta(seconds=30))
    assert (await sign_in(client, "ann", token=app.at(clock.now()))).status == 200
    again = await ann.post(f"{API}/users/me/mfa/generate")
    assert told_id(again) == (400, "mfa.generate_qr_code.create_code.app_error")
    assert (await put(crew.ada.client, f"{crew.ann.chat_id}/mfa", activate=False)).json() == {"status": "OK"}
    assert (await sign_in(client, "ann")).status == 200
    assert {"chat.mfa_activated", "chat.mfa_deactivated"} <= set(await actions(house))


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, BAD_BODY),
        ({"activate": "yes"}, BAD_BODY),
        ({"activate": True}, BAD_BODY),
        ({"activate": True, "code": "1" * 1000}, (400, "mfa.activate.authenticate.app_error")),
        ({"activate": True, "code": "123456"}, (400, "mfa.activate.authenticate.app_error")),
    ],
)
async def test_without_a_key_nothing_is_activated(crew: Crew, body: Any, refusal: tuple[int, str]) -> None:
    assert told_id(await put(crew.ann.client, "me/mfa", **body)) == refusal


async def test_nobody_touches_the_second_factor_of_others(house: House, crew: Crew) -> None:
    app = Client(house.dispatcher)(principals=[Principal("chat_oauth", user_id=crew.ann.id)])

    assert told_id(await crew.bob.client.post(f"{API}/users/{crew.ann.chat_id}/mfa/generate")) == FORBIDDEN
    assert told_id(await put(crew.bob.client, f"{crew.ann.chat_id}/mfa", activate=False)) == FORBIDDEN
    assert told_id(await app.post(f"{API}/users/me/mfa/generate")) == FORBIDDEN
    assert told_id(await put(app, "me/mfa", activate=False)) == FORBIDDEN
    assert told_id(await crew.ada.client.post(f"{API}/users/{'y' * 26}/mfa/generate")) == MISSING


# --- Passwords -----------------------------------------------------------------------------------------------------


async def test_ones_own_password_wants_the_current_one_and_ends_all_other_sessions(
    house: House, client: Client, crew: Crew, clock: SetClock
) -> None:
    mine, other = await session_of(client, "ann"), await session_of(client, "ann")
    clock.set(clock.now() + timedelta(minutes=1))

    assert told_id(await put(mine, "me/password", new_password=NEW)) == BAD_BODY
    wrong = await put(mine, "me/password", current_password="wrong horse battery", new_password=NEW)
    assert told_id(wrong) == (400, "api.user.update_password.incorrect.app_error")
    assert (await put(mine, "me/password", current_password=PASSWORD, new_password=NEW)).json() == {"status": "OK"}

    me = await mine.get(f"{API}/users/me")
    assert me.json()["last_password_update"] == int(clock.now().timestamp() * 1000)
    assert (await other.get(f"{API}/users/me")).status == 401
    assert (await sign_in(client, "ann")).status == 401
    assert (await sign_in(client, "ann", NEW)).status == 200
    assert "chat.password_changed" in await actions(house)


async def test_an_administrator_replaces_a_password_and_ends_all_sessions(client: Client, crew: Crew) -> None:
    ann = await session_of(client, "ann")

    refused = await put(crew.bob.client, f"{crew.ann.chat_id}/password", new_password=NEW)
    assert told_id(refused) == FORBIDDEN
    assert (await put(crew.ada.client, f"{crew.ann.chat_id}/password", new_password=NEW)).status == 200
    assert (await ann.get(f"{API}/users/me")).status == 401
    assert (await sign_in(client, "ann", NEW)).status == 200
    # Their own they replace as everybody does.
    assert told_id(await put(crew.ada.client, "me/password", new_password=NEW)) == BAD_BODY
    assert told_id(await put(crew.ada.client, f"{'y' * 26}/password", new_password=NEW)) == MISSING


@pytest.mark.parametrize(
    ("new", "refusal"),
    [
        ("", BAD_BODY),
        ("short", (400, "model.user.is_valid.pwd_min_length.app_error")),
        ("x" * 73, (400, "model.user.is_valid.pwd_max_length.app_error")),
        ("ann@example.org", (400, "model.user.is_valid.pwd.app_error")),
        (["x"], BAD_BODY),
    ],
)
async def test_a_password_that_is_worth_nothing_is_refused(crew: Crew, new: Any, refusal: tuple[int, str]) -> None:
    path = f"{crew.ann.chat_id}/password"
    assert told_id(await put(crew.ada.client, path, new_password=new)) == refusal


async def test_guessing_the_current_password_is_counted(client: Client, crew: Crew) -> None:
    for _ in range(10):
        assert (await put(crew.ann.client, "me/password", current_password="wrong", new_password=NEW)).status == 400

    locked = await put(crew.ann.client, "me/password", current_password=PASSWORD, new_password=NEW)

    assert (locked.status, locked.text) == (429, "limit exceeded")
    assert int(locked.headers["retry-after"]) > 0


# --- Forgotten -----------------------------------------------------------------------------------------------------


async def reset_token(house: House, email: str) -> str:
    (link, *_) = await links(house, email, "reset")
    return parse_qs(urlsplit(link).query)["token"][0]


async def test_a_forgotten_password_is_replaced_once_by_what_was_mailed(
    house: House, client: Client, crew: Crew
) -> None:
    ann = await session_of(client, "ann")

    for email in ("ANN@example.org", "nobody@example.org", "no address"):
        answer = await client.post(f"{API}/users/password/reset/send", json={"email": email})
        assert answer.json() == {"status": "OK"}
    token = await reset_token(house, "ann@example.org")
    reset = f"{API}/users/password/reset"
    weak = await client.post(reset, json={"token": token, "new_password": "short"})
    assert told_id(weak) == (400, "model.user.is_valid.pwd_min_length.app_error")
    assert (await client.post(reset, json={"token": token, "new_password": NEW})).json() == {"status": "OK"}
    assert (await ann.get(f"{API}/users/me")).status == 401
    assert (await sign_in(client, "ann", NEW)).status == 200
    again = await client.post(reset, json={"token": token, "new_password": PASSWORD})
    assert told_id(again) == INVALID_LINK


async def test_a_link_is_good_for_an_hour_and_a_newer_one_takes_its_place(
    house: House, client: Client, crew: Crew, clock: SetClock
) -> None:
    send, reset = f"{API}/users/password/reset/send", f"{API}/users/password/reset"
    await client.post(send, json={"email": "ann@example.org"})
    first = await reset_token(house, "ann@example.org")
    await trio.testing.wait_all_tasks_blocked()
    clock.set(clock.now() + timedelta(hours=1))

    late = await client.post(reset, json={"token": first, "new_password": NEW})
    assert told_id(late) == (400, "api.user.reset_password.link_expired.app_error")


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"{}", BAD_BODY),
        (b"", BAD_BODY),
        (b'{"token": "x"}', BAD_BODY),
        (b'{"token": "", "new_password": "another horse battery"}', BAD_BODY),
        (b'{"code": "x", "new_password": "another horse battery"}', BAD_BODY),
        (b'{"token": "x", "new_password": "another horse battery"}', INVALID_LINK),
        (b'{"token": "\\u0000\\ud83d\\ude00", "new_password": "another horse battery"}', INVALID_LINK),
    ],
)
async def test_what_was_never_mailed_resets_nothing(
    client: Client, crew: Crew, body: bytes, refusal: tuple[int, str]
) -> None:
    assert told_id(await client.post(f"{API}/users/password/reset", body=body)) == refusal


async def test_one_mailbox_is_mailed_once_a_minute(house: House, client: Client, crew: Crew) -> None:
    for _ in range(3):
        answer = await client.post(f"{API}/users/password/reset/send", json={"email": "ann@example.org"})
        assert answer.status == 200
    assert len(await links(house, "ann@example.org", "reset")) == 1
    assert told_id(await client.post(f"{API}/users/password/reset/send", json={})) == BAD_BODY
