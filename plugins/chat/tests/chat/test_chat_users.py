"""People are made, seen and changed; and everybody who may know is told."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio.testing
from PIL import Image
from sqlalchemy import delete, update

from manor import (
    SYSTEM_ID,
    Event,
    Principal,
    Transaction,
    find_user,
    invite,
    invite_to_server,
    set_active,
    set_admin,
    set_team_active,
    to_chat_id,
    update_user,
)
from manor.clock import SetClock
from manor.testing import Client, House
from manor_chat.events import Told
from manor_chat.people.news import note_everybody
from manor_chat.tables.accounts import people_told, session_devices
from manor_chat.tables.people import mention_keys, profiles, teams
from tests.chat_live import listening
from tests.chat_people import API, Crew, chatting_as, said
from tests.chat_sign_in import session_of, sign_in, told_id
from tests.people import PASSWORD, links

BAD_BODY = (400, "api.context.invalid_body_param.app_error")
BAD_URL = (400, "api.context.invalid_url_param.app_error")
FORBIDDEN = (403, "api.context.permissions.app_error")
MISSING = (404, "app.user.missing_account.const")
ZOE = {"email": "Zoe@Example.org", "username": "Zoe", "password": PASSWORD}


def told(heard: list[Event], event: str) -> list[Told]:
    return [each for each in heard if isinstance(each, Told) and each.event == event]


def data_of(event: Told) -> Any:
    return json.loads(event.data)


# --- Made ----------------------------------------------------------------------------------------------------------


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
    assert [data_of(each) for each in told(heard, "new_user")] == [{"user_id": user["id"]}]
    assert told_id(await sign_in(client, "zoe")) == (401, "api.user.login.not_verified.app_error")
    (link,) = await links(house, "zoe@example.org", "verify")
    assert "/auth/verify-email?token=" in link
    await trio.testing.wait_all_tasks_blocked()
    assert len(told(heard, "new_user")) == 1


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


# --- Seen ----------------------------------------------------------------------------------------------------------


async def test_oneself_is_seen_whole_and_others_are_not(crew: Crew) -> None:
    hidden = {"notify_props", "auth_data", "last_password_update", "failed_attempts", "props", "email_verified"}
    changed = await crew.ann.client.request(
        "PUT", f"{API}/users/me/patch", json={"props": {"customStatus": "{}", "secret": "x"}}
    )
    assert changed.json()["props"] == {"customStatus": "{}", "secret": "x"}

    mine = (await crew.ann.client.get(f"{API}/users/me")).json()
    theirs = (await crew.bob.client.get(f"{API}/users/{crew.ann.chat_id}")).json()
    admins = (await crew.ada.client.get(f"{API}/users/{crew.ann.chat_id}")).json()

    assert hidden <= set(mine)
    assert hidden <= set(admins)
    assert hidden & set(theirs) == {"props"}
    assert theirs["props"] == {"customStatus": "{}"}
    assert theirs["email"] == "ann@example.org"


@pytest.mark.manor(config={"plugins": {"chat": {"show_email_addresses": False, "show_full_names": False}}})
async def test_addresses_and_names_are_hidden_where_the_admin_wants_that(crew: Crew) -> None:
    await crew.ann.client.request("PUT", f"{API}/users/me/patch", json={"first_name": "Anna", "last_name": "Lee"})

    for path in (crew.ann.chat_id, "username/ann"):
        theirs = (await crew.bob.client.get(f"{API}/users/{path}")).json()
        assert (theirs["email"], theirs["first_name"], theirs["last_name"]) == ("", "", "")
    hidden = (403, "api.user.get_user_by_email.permissions.app_error")
    for email in ("ann@example.org", "nobody@example.org"):
        assert told_id(await crew.bob.client.get(f"{API}/users/email/{email}")) == hidden
    seen = (await crew.ada.client.get(f"{API}/users/email/ann@example.org")).json()
    assert (seen["email"], seen["first_name"]) == ("ann@example.org", "Anna")
    assert (await crew.bob.client.post(f"{API}/users/search", json={"term": "Anna"})).json() == []


async def test_people_are_found_by_id_name_and_address(crew: Crew) -> None:
    bob = crew.bob.client

    for path in (crew.ann.chat_id, "username/ANN", "email/Ann@example.org"):
        assert (await bob.get(f"{API}/users/{path}")).json()["username"] == "ann"
    assert told_id(await bob.get(f"{API}/users/nope")) == BAD_URL
    assert told_id(await bob.get(f"{API}/users/{'y' * 26}")) == MISSING
    assert told_id(await bob.get(f"{API}/users/username/nobody")) == (404, "app.user.get_by_username.app_error")
    assert told_id(await bob.get(f"{API}/users/email/nobody@example.org")) == MISSING


async def test_a_user_that_is_known_is_not_sent_again(crew: Crew) -> None:
    first = await crew.bob.client.get(f"{API}/users/{crew.ann.chat_id}")
    known = {"If-None-Match": first.headers["etag"]}

    assert (await crew.bob.client.get(f"{API}/users/{crew.ann.chat_id}", headers=known)).status == 304
    await crew.ann.client.request("PUT", f"{API}/users/me/patch", json={"nickname": "A"})
    again = await crew.bob.client.get(f"{API}/users/{crew.ann.chat_id}", headers=known)
    assert (again.status, again.json()["nickname"]) == (200, "A")


# --- Changed -------------------------------------------------------------------------------------------------------


async def test_a_change_is_told_in_two_copies_and_to_oneself(crew: Crew, heard: list[Event], clock: SetClock) -> None:
    clock.set(clock.now() + timedelta(seconds=5))

    answer = await crew.ann.client.request(
        "PUT", f"{API}/users/me/patch", json={"nickname": "Annie", "position": "Captain", "username": "Anna", "x": 1}
    )

    user = answer.json()
    assert (user["username"], user["nickname"], user["position"]) == ("anna", "Annie", "Captain")
    assert user["update_at"] == int(clock.now().timestamp() * 1000)
    admins, others, own = told(heard, "user_updated")
    assert (admins.audience, others.audience, own.audience) == ("admins", "others", "all")
    assert (admins.omit_users, others.omit_users, own.user_id) == ((crew.ann.id,), (crew.ann.id,), crew.ann.id)
    assert data_of(admins)["user"]["notify_props"]
    assert "notify_props" not in data_of(others)["user"]
    assert data_of(others)["user"]["username"] == "anna"
    await trio.testing.wait_all_tasks_blocked()
    assert len(told(heard, "user_updated")) == 3


async def test_a_change_by_another_api_bumps_the_user_and_is_told_once(
    house: House, crew: Crew, heard: list[Event], clock: SetClock
) -> None:
    await trio.testing.wait_all_tasks_blocked()
    heard.clear()
    clock.set(clock.now() + timedelta(minutes=1))

    def change(transaction: Transaction) -> None:
        update_user(transaction, crew.bob.id, username="Robert")
        set_admin(transaction, crew.bob.id, True)

    await house.storage.write(change)
    await trio.testing.wait_all_tasks_blocked()

    user = (await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}")).json()
    assert (user["username"], user["update_at"]) == ("robert", int(clock.now().timestamp() * 1000))
    assert len(told(heard, "user_updated")) == 3
    (role,) = told(heard, "user_role_updated")
    assert data_of(role) == {"user_id": crew.bob.chat_id, "roles": "system_admin system_user"}
    await house.storage.write(lambda transaction: set_active(transaction, crew.bob.id, False))
    await trio.testing.wait_all_tasks_blocked()
    assert len(told(heard, "user_activation_status_change")) == 1
    user = (await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}")).json()
    assert user["delete_at"] == int(clock.now().timestamp() * 1000)


async def test_whoever_was_here_before_chat_is_no_news(house: House, crew: Crew, heard: list[Event]) -> None:
    await trio.testing.wait_all_tasks_blocked()
    heard.clear()
    await house.storage.write(lambda transaction: transaction.connection.execute(delete(people_told)))
    await house.storage.write(note_everybody)

    await house.storage.write(lambda transaction: set_admin(transaction, crew.bob.id, True))
    await trio.testing.wait_all_tasks_blocked()

    assert told(heard, "new_user") == []
    assert len(told(heard, "user_role_updated")) == 1


async def test_what_somebody_wants_to_hear_is_kept_as_words(house: House, crew: Crew, heard: list[Event]) -> None:
    async def hears(message: str) -> bool:
        heard.clear()
        await said(house, crew.ann, crew.off_topic, message)
        (posted,) = told(heard, "posted")
        return crew.bob.id in posted.mentions

    async def wants(**body: Any) -> None:
        answer = await crew.bob.client.request("PUT", f"{API}/users/me/patch", json=body)
        assert answer.status == 200, answer.text

    assert not await hears("Bobby, lunch?")
    await wants(notify_props={"mention_keys": "Lunch, two words,@rob,bob", "first_name": "false"}, first_name="Bobby")
    assert await hears("LUNCH?")
    assert await hears("@rob!")
    assert not await hears("two eggs")
    assert not await hears("Bobby?")
    await wants(notify_props={"mention_keys": "bob", "first_name": "true"})
    assert await hears("bobby?")
    assert not await hears("lunch?")
    await wants(first_name="Robert")
    assert await hears("robert")
    assert not await hears("bobby")
    await wants(username="rupert")
    assert await hears("rupert, look")
    me = (await crew.bob.client.get(f"{API}/users/me")).json()
    assert me["notify_props"]["mention_keys"] == "rupert"


async def test_one_changes_oneself_and_administrators_everybody(crew: Crew) -> None:
    ann = f"{API}/users/{crew.ann.chat_id}"

    assert told_id(await crew.bob.client.request("PUT", f"{ann}/patch", json={"nickname": "x"})) == FORBIDDEN
    assert (await crew.ada.client.request("PUT", f"{ann}/patch", json={"nickname": "x"})).json()["nickname"] == "x"
    whole = {"id": crew.ann.chat_id, "email": "ann@example.org", "username": "ann", "last_name": "Lee"}
    assert (await crew.ann.client.request("PUT", ann, json=whole)).json()["last_name"] == "Lee"
    other = await crew.ann.client.request("PUT", ann, json=whole | {"id": crew.bob.chat_id})
    assert told_id(other) == BAD_BODY
    assert told_id(await crew.ann.client.request("PUT", ann, json={})) == BAD_BODY
    taken = await crew.ann.client.request("PUT", f"{ann}/patch", json={"username": "bob"})
    assert told_id(taken) == (400, "app.user.save.username_exists.app_error")
    missing = await crew.ada.client.request("PUT", f"{API}/users/{'y' * 26}/patch", json={})
    assert told_id(missing) == MISSING


async def test_a_new_address_of_ones_own_wants_the_password(house: House, client: Client, crew: Crew) -> None:
    ann = await session_of(client, "ann")
    patch = f"{API}/users/me/patch"
    email = {"email": "anna@example.org"}

    for password in ({}, {"password": ""}, {"password": "wrong horse battery"}):
        assert told_id(await ann.request("PUT", patch, json=email | password)) == BAD_BODY
    # The same address, spelt otherwise, is none.
    assert (await ann.request("PUT", patch, json={"email": "ANN@example.org"})).status == 200
    changed = (await ann.request("PUT", patch, json=email | {"password": PASSWORD})).json()

    assert (changed["email"], changed["email_verified"]) == ("anna@example.org", False)
    assert len(await links(house, "anna@example.org", "verify")) == 1
    by_admin = await crew.ada.client.request(
        "PUT", f"{API}/users/{crew.bob.chat_id}/patch", json={"email": "robert@example.org"}
    )
    assert (by_admin.json()["email"], by_admin.json()["email_verified"]) == ("robert@example.org", True)


async def test_an_app_that_acts_for_somebody_changes_no_address(house: House, crew: Crew) -> None:
    app = Client(house.dispatcher)(principals=[Principal("chat_oauth", user_id=crew.ann.id)])
    body = {"email": "anna@example.org", "password": PASSWORD}

    assert told_id(await app.request("PUT", f"{API}/users/me/patch", json=body)) == FORBIDDEN
    assert told_id(await app.request("DELETE", f"{API}/users/me")) == FORBIDDEN
    assert (await app.request("PUT", f"{API}/users/me/patch", json={"nickname": "x"})).status == 200
    # Whoever has an address resets the password: an administrator's app gives nobody one, nor makes an account.
    of_ada = Client(house.dispatcher)(principals=[Principal("chat_oauth", user_id=crew.ada.id, is_admin=True)])
    bob = f"{API}/users/{crew.bob.chat_id}/patch"
    assert told_id(await of_ada.request("PUT", bob, json={"email": "robert@example.org"})) == FORBIDDEN
    new = {"email": "mia@example.org", "username": "mia", "password": PASSWORD}
    assert told_id(await of_ada.post(f"{API}/users", json=new)) == FORBIDDEN
    assert (await of_ada.request("PUT", bob, json={"nickname": "Robert"})).status == 200


# --- Roles, and being here -----------------------------------------------------------------------------------------


async def test_administrators_give_roles(house: House, crew: Crew, heard: list[Event]) -> None:
    path = f"{API}/users/{crew.bob.chat_id}/roles"
    roles = "system_user system_user_access_token"

    answer = await crew.ada.client.request("PUT", path, json={"roles": roles})

    assert answer.json() == {"status": "OK"}
    assert (await crew.bob.client.get(f"{API}/users/me")).json()["roles"] == roles
    (event,) = told(heard, "user_role_updated")
    assert (event.user_id, data_of(event)) == (crew.bob.id, {"user_id": crew.bob.chat_id, "roles": roles})
    await crew.ada.client.request("PUT", path, json={"roles": "system_admin system_user"})
    user = await house.storage.read(lambda transaction: find_user(transaction, user_id=crew.bob.id))
    assert user is not None
    assert user.is_admin
    assert told_id(await crew.ann.client.request("PUT", path, json={"roles": "system_user"})) == FORBIDDEN
    for bad in ("", "system_admin", "system_user nonsense", "system_user team_admin"):
        assert told_id(await crew.ada.client.request("PUT", path, json={"roles": bad})) == BAD_BODY
    guest = await crew.ada.client.request("PUT", path, json={"roles": "system_user system_guest"})
    assert told_id(guest) == (501, "api.user.update_user_roles.license.app_error")
    assert told_id(await crew.ada.client.request("PUT", path, json={})) == BAD_BODY


async def test_a_deactivated_person_is_out_until_they_are_let_in_again(
    client: Client, crew: Crew, heard: list[Event], clock: SetClock
) -> None:
    bob = await session_of(client, "bob")
    path = f"{API}/users/{crew.bob.chat_id}/active"

    refused = await crew.ann.client.request("PUT", path, json={"active": False})
    assert told_id(refused) == (403, "api.user.update_active.permissions.app_error")
    assert (await crew.ada.client.request("PUT", path, json={"active": False})).json() == {"status": "OK"}
    assert (await bob.get(f"{API}/users/me")).status == 401
    assert len(told(heard, "user_activation_status_change")) == 1
    since = int(clock.now().timestamp() * 1000)
    clock.set(clock.now() + timedelta(minutes=1))
    await crew.ada.client.request("PUT", f"{API}/users/{crew.bob.chat_id}/patch", json={"nickname": "x"})
    assert (await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}")).json()["delete_at"] == since
    assert (await crew.ada.client.request("PUT", path, json={"active": True})).status == 200
    assert (await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}")).json()["delete_at"] == 0
    assert (await bob.get(f"{API}/users/me")).status == 401
    assert (await sign_in(client, "bob")).status == 200
    for bad in ({}, {"active": "no"}, {"active": None}):
        assert told_id(await crew.ada.client.request("PUT", path, json=bad)) == BAD_BODY


async def test_deleting_deactivates_and_erases_only_where_the_admin_wants_that(house: House, crew: Crew) -> None:
    bob = f"{API}/users/{crew.bob.chat_id}"

    refused = await crew.bob.client.request("DELETE", f"{API}/users/me")
    assert told_id(refused) == (403, "api.user.update_active.not_enable.app_error")
    refused = await crew.ada.client.request("DELETE", f"{bob}?permanent=true")
    assert told_id(refused) == (501, "api.user.delete_user.not_enabled.app_error")
    assert (await crew.ada.client.request("DELETE", bob, json={})).json() == {"status": "OK"}
    user = await house.storage.read(lambda transaction: find_user(transaction, user_id=crew.bob.id))
    assert user is not None
    assert not user.is_active


@pytest.mark.manor(config={"plugins": {"chat": {"self_deactivation": True, "permanent_deletion": True}}})
async def test_people_go_by_themselves_and_are_erased_where_they_may(house: House, crew: Crew) -> None:
    assert (await crew.bob.client.request("DELETE", f"{API}/users/me")).json() == {"status": "OK"}
    assert (await crew.bob.client.get(f"{API}/users/me")).status == 401
    permanent = f"{API}/users/{crew.eve.chat_id}?permanent=true"
    assert told_id(await crew.ann.client.request("DELETE", permanent)) == FORBIDDEN
    assert (await crew.ada.client.request("DELETE", permanent)).json() == {"status": "OK"}
    gone = await house.storage.read(lambda transaction: find_user(transaction, user_id=crew.eve.id))
    assert gone is None


async def test_somebody_who_is_erased_leaves_nothing_here(house: House, crew: Crew, tmp_path: Path) -> None:
    bob = crew.bob.client
    written = io.BytesIO()
    Image.new("RGB", (9, 9)).save(written, "PNG")
    form = b'--e\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' + written.getvalue()
    headers = {"Content-Type": "multipart/form-data; boundary=e"}
    assert (await bob.post(f"{API}/users/me/image", body=form + b"\r\n--e--\r\n", headers=headers)).status == 200
    await bob.request("PUT", f"{API}/users/me/patch", json={"notify_props": {"mention_keys": "lunch"}})
    robot = (await crew.ada.client.post(f"{API}/bots", json={"username": "robot"})).json()
    await crew.ada.client.post(f"{API}/bots/{robot['user_id']}/assign/{crew.bob.chat_id}")

    export = [(section, row) async for section, row in house.services.identity.personal.export(crew.bob.id)]
    ours: dict[str, Any] = {section: row for section, row in export if section in ("chat_profile", "chat_bots")}
    assert (ours["chat_profile"].username, ours["chat_bots"].username) == ("bob", "robot")
    personal = house.services.identity.personal
    await house.storage.write(lambda transaction: personal.erase(transaction, crew.bob.id, actor="shell"))
    await trio.testing.wait_all_tasks_blocked()

    def left(transaction: Transaction) -> list[str]:
        tables = (profiles, mention_keys, people_told, session_devices)
        rows = [transaction.connection.execute(each.select().where(each.c.user_id == crew.bob.id)) for each in tables]
        return [table.name for table, row in zip(tables, rows, strict=True) if row.first() is not None]

    assert await house.storage.read(left) == []
    assert list(tmp_path.rglob("*.png")) == []


async def test_the_server_itself_is_neither_changed_nor_kept_out(house: House, crew: Crew) -> None:
    server = f"{API}/users/{to_chat_id(SYSTEM_ID)}"
    for path, body in (
        ("/patch", {"nickname": "x"}),
        ("/patch", {"username": "other"}),
        ("/active", {"active": False}),
        ("/roles", {"roles": "system_admin system_user"}),
        ("/password", {"new_password": PASSWORD}),
    ):
        assert told_id(await crew.ada.client.request("PUT", f"{server}{path}", json=body)) == FORBIDDEN


# --- Typing, and channels ------------------------------------------------------------------------------------------


async def test_typing_is_told_to_the_others_of_the_channel(crew: Crew) -> None:
    channel = to_chat_id(crew.off_topic.id)

    async with listening(crew.bob.client) as bob:
        answer = await crew.ann.client.post(f"{API}/users/me/typing", json={"channel_id": channel, "parent_id": None})
        event = await bob.event("typing")

    assert answer.json() == {"status": "OK"}
    assert event["broadcast"]["channel_id"] == channel
    assert event["broadcast"]["omit_users"] == {crew.ann.chat_id: True}
    assert event["data"] == {"user_id": crew.ann.chat_id, "parent_id": ""}
    for who, body, refusal in (
        (crew.bob.chat_id, {"channel_id": channel}, FORBIDDEN),
        ("me", {"channel_id": "x"}, BAD_BODY),
        ("me", {}, BAD_BODY),
        ("me", {"channel_id": channel, "parent_id": "x"}, BAD_BODY),
        ("me", {"channel_id": "y" * 26}, (404, "app.channel.get.existing.app_error")),
    ):
        assert told_id(await crew.ann.client.post(f"{API}/users/{who}/typing", json=body)) == refusal
    assert told_id(await crew.eve.client.post(f"{API}/users/me/typing", json={"channel_id": channel})) == FORBIDDEN


async def test_somebodys_channels_come_by_pages_or_all_at_once(house: House, crew: Crew) -> None:
    bob = crew.bob.client
    path = f"{API}/users/me/channel_members"

    first = (await bob.get(f"{path}?pageSize=1")).json()
    second = (await bob.get(f"{path}?pageSize=1&page=1")).json()
    every = await bob.get(f"{path}?page=-1")

    assert every.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in every.text.splitlines()] == first + second
    assert {each["channel_id"] for each in first + second} == {
        to_chat_id(crew.town_square.id),
        to_chat_id(crew.off_topic.id),
    }
    assert (first[0]["team_name"], first[0]["team_display_name"]) == ("crew", "Crew")
    assert told_id(await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}/channel_members?page=-1")) == FORBIDDEN
    nothing = await chatting_as(house, crew.eve.id).get(f"{path}?page=-1")
    assert (nothing.headers["content-type"], nothing.json()) == ("application/json", [])
