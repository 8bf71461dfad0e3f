"""Accounts are made: by people for themselves, with invites, and by administrators."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing
from sqlalchemy import update

from manor import (
    Event,
    Transaction,
    invite,
    invite_to_server,
    set_team_active,
    to_chat_id,
)
from manor.clock import SetClock
from manor.testing import Client, House
from manor_chat.tables.people import teams
from tests.chat_people import API, Crew
from tests.chat_sign_in import data_of, sign_in, told_as, told_id
from tests.people import PASSWORD, links

BAD_BODY = (400, "api.context.invalid_body_param.app_error")
ZOE = {"email": "Zoe@Example.org", "username": "Zoe", "password": PASSWORD}


async def test_somebody_signs_up_and_is_asked_to_prove_their_address(
    house: House, client: Client, heard: list[Event]
) -> None:
    body = ZOE | {"first_name": "Zoe", "nickname": "Z", "locale": "de", "allow_marketing": True, "props": {"a": "b"}}

    answer = await client.post(f"{API}/users", json=body)

    assert answer.status == 201, answer.text
    user = answer.json()
    assert (user["username"], user["email"], user["roles"]) == ("zoe", "zoe@example.org", "system_user")
    assert (user["first_name"], user["nickname"], user["locale"], user["props"]) == ("Zoe", "Z", "de", {"a": "b"})
    assert user["email_verified"] is False
    assert [data_of(each) for each in told_as(heard, "new_user")] == [{"user_id": user["id"]}]
    assert told_id(await sign_in(client, "zoe")) == (401, "api.user.login.not_verified.app_error")
    (link,) = await links(house, "zoe@example.org", "verify")
    assert "/auth/verify-email?token=" in link
    await trio.testing.wait_all_tasks_blocked()
    assert len(told_as(heard, "new_user")) == 1


@pytest.mark.manor(plugins=["auth", "chat"])
async def test_links_that_chat_mails_are_taken_by_the_pages_of_auth(house: House, client: Client) -> None:
    assert (await client.post(f"{API}/users", json=ZOE)).status == 201
    (link,) = await links(house, "zoe@example.org", "verify")
    path = link.partition("://")[2].partition("/")[2]

    assert (await client.get(f"/{path}")).status == 302

    assert (await sign_in(client, "zoe")).status == 200
    await client.post(f"{API}/users/password/reset/send", json={"email": "zoe@example.org"})
    (link,) = await links(house, "zoe@example.org", "reset")
    body = {"token": link.rpartition("token=")[2], "new_password": "another horse battery"}
    assert (await client.post("/auth/password-reset/confirm", json=body)).status == 200
    assert (await sign_in(client, "zoe", "another horse battery")).status == 200


@pytest.mark.manor(config={"identity": {"require_verification": False}})
async def test_where_addresses_are_not_proven_one_signs_in_at_once(client: Client) -> None:
    assert (await client.post(f"{API}/users", json=ZOE)).status == 201
    assert (await sign_in(client, "zoe@example.org")).status == 200


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"username": "ann"}, (400, "app.user.save.username_exists.app_error")),
        ({"username": "ANN"}, (400, "app.user.save.username_exists.app_error")),
        ({"email": "ANN@example.org"}, (400, "app.user.save.email_exists.app_error")),
        ({"username": ""}, (400, "model.user.is_valid.username.app_error")),
        ({"username": "1zoe"}, (400, "model.user.is_valid.username.app_error")),
        ({"username": "zo\u00eb"}, (400, "model.user.is_valid.username.app_error")),
        ({"username": "channel"}, (400, "model.user.is_valid.username.app_error")),
        ({"username": "z"}, (400, "model.user.is_valid.username.app_error")),
        ({"username": "zo"}, (400, "model.user.is_valid.username.app_error")),
        ({"username": "z" * 65}, (400, "model.user.is_valid.username.app_error")),
        ({"username": None}, (400, "model.user.is_valid.username.app_error")),
        ({"email": "zoe"}, (400, "model.user.is_valid.email.app_error")),
        ({"email": "z" * 120 + "@example.org"}, (400, "model.user.is_valid.email.app_error")),
        ({"password": "short"}, (400, "model.user.is_valid.pwd_min_length.app_error")),
        ({"password": ""}, (400, "model.user.is_valid.pwd_min_length.app_error")),
        ({"password": "\u00e4" * 37}, (400, "model.user.is_valid.pwd_max_length.app_error")),
        ({"password": "password1"}, (400, "model.user.is_valid.pwd.app_error")),
        ({"nickname": "z" * 65}, (400, "model.user.is_valid.nickname.app_error")),
        ({"position": "z" * 129}, (400, "model.user.is_valid.position.app_error")),
        ({"locale": "klingon!"}, (400, "model.user.is_valid.locale.app_error")),
        ({"props": {"a": 1}}, BAD_BODY),
        ({"props": {"a": "x" * 8001}}, BAD_BODY),
        ({"notify_props": {"mention_keys": "x" * 2001}}, BAD_BODY),
        ({"timezone": {"automaticTimezone": "x" * 2001}}, BAD_BODY),
        ({"username": 7}, BAD_BODY),
    ],
)
async def test_what_nobody_can_be_is_refused(
    client: Client, crew: Crew, change: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert told_id(await client.post(f"{API}/users", json=ZOE | change)) == refusal


@pytest.mark.manor(config={"identity": {"registration": "invite"}})
async def test_where_only_the_invited_may_an_invite_of_any_kind_does(house: House, client: Client, crew: Crew) -> None:
    assert told_id(await client.post(f"{API}/users", json=ZOE)) == (403, "api.user.create_user.no_open_server")
    bad = (400, "api.user.create_user.signup_link_invalid.app_error")
    for query in ("iid=unknown", "t=unknown", "iid=", "t=%00"):
        answer = await client.post(f"{API}/users?{query}", json=ZOE)
        assert told_id(answer) in (bad, (403, "api.user.create_user.no_open_server"))

    def ask(transaction: Transaction) -> str:
        return invite_to_server(transaction, "zoe@example.org")[1]

    token = await house.storage.write(ask)
    answer = await client.post(f"{API}/users?t={token}", json=ZOE | {"email": "other@example.org"})
    assert told_id(answer) == bad
    assert (await client.post(f"{API}/users?t={token}", json=ZOE)).json()["email_verified"] is True
    assert told_id(await client.post(f"{API}/users?t={token}", json=ZOE | {"username": "zoe2"})) == bad
    assert (await sign_in(client, "zoe")).status == 200


@pytest.mark.manor(config={"identity": {"registration": "closed"}})
async def test_where_nobody_may_only_administrators_make_accounts(house: House, client: Client, crew: Crew) -> None:
    closed = (501, "api.user.create_user.signup_email_disabled.app_error")
    assert told_id(await client.post(f"{API}/users", json=ZOE)) == closed
    assert told_id(await crew.ann.client.post(f"{API}/users", json=ZOE)) == closed
    answer = await crew.ada.client.post(f"{API}/users", json=ZOE)
    assert answer.status == 201
    assert (await sign_in(client, "zoe")).status == 200


async def test_a_teams_invite_brings_its_team(house: House, client: Client, crew: Crew) -> None:
    def change(**values: Any) -> Any:
        return house.storage.write(lambda transaction: transaction.connection.execute(update(teams).values(**values)))

    await change(invite_id="crewinvite", allowed_domains="@example.org")
    other = ZOE | {"email": "zoe@elsewhere.example"}
    answer = await client.post(f"{API}/users?iid=crewinvite", json=other)
    assert told_id(answer) == (400, "api.user.create_user.accepted_domain.app_error")

    answer = await client.post(f"{API}/users?iid=crewinvite", json=ZOE)

    assert answer.status == 201
    listed = await crew.ann.client.get(f"{API}/users?in_team={crew.team}")
    assert [user["username"] for user in listed.json()] == ["ann", "bob", "zoe"]
    listed = await crew.ann.client.get(f"{API}/users?in_channel={to_chat_id(crew.town_square.id)}")
    assert [user["username"] for user in listed.json()] == ["ann", "bob", "zoe"]
    await house.storage.write(lambda transaction: set_team_active(transaction, crew.team_id, False))
    again = {"username": "yan", "email": "yan@example.org", "password": PASSWORD}
    answer = await client.post(f"{API}/users?iid=crewinvite", json=again)
    assert told_id(answer) == (400, "api.user.create_user.signup_link_invalid.app_error")


async def test_an_invite_that_was_mailed_brings_its_team(house: House, client: Client, crew: Crew) -> None:
    def ask(transaction: Transaction) -> str:
        asked = invite(transaction, crew.team_id, email="zoe@example.org", role="member", invited_by_id=crew.ann.id)
        return asked[1]

    token = await house.storage.write(ask)

    assert (await client.post(f"{API}/users?t={token}", json=ZOE)).status == 201
    listed = await crew.ann.client.get(f"{API}/users?in_channel={to_chat_id(crew.off_topic.id)}")
    assert "zoe" in [user["username"] for user in listed.json()]


async def test_one_address_makes_ten_accounts_an_hour(client: Client, clock: SetClock) -> None:
    statuses = []
    for number in range(11):
        body = {"username": f"zoe{number}", "email": f"zoe{number}@example.org", "password": PASSWORD}
        statuses.append((await client.post(f"{API}/users", json=body)).status)

    assert statuses == [201] * 10 + [429]
