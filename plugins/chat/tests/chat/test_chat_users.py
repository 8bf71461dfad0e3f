"""People are seen and changed; and everybody who may know is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio.testing
from sqlalchemy import delete

from manor import (
    Event,
    Principal,
    Transaction,
    set_active,
    set_admin,
    update_user,
)
from manor.clock import SetClock
from manor.testing import Client, House
from manor_chat.people.news import note_everybody
from manor_chat.tables.accounts import people_told
from tests.chat_people import API, Crew, said
from tests.chat_sign_in import data_of, session_of, told_as, told_id
from tests.people import PASSWORD, links

BAD_BODY = (400, "api.context.invalid_body_param.app_error")
BAD_URL = (400, "api.context.invalid_url_param.app_error")
FORBIDDEN = (403, "api.context.permissions.app_error")
MISSING = (404, "app.user.missing_account.const")


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
    admins, others, own = told_as(heard, "user_updated")
    assert (admins.audience, others.audience, own.audience) == ("admins", "others", "all")
    assert (admins.omit_users, others.omit_users, own.user_id) == ((crew.ann.id,), (crew.ann.id,), crew.ann.id)
    assert data_of(admins)["user"]["notify_props"]
    assert "notify_props" not in data_of(others)["user"]
    assert data_of(others)["user"]["username"] == "anna"
    await trio.testing.wait_all_tasks_blocked()
    assert len(told_as(heard, "user_updated")) == 3


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
    assert len(told_as(heard, "user_updated")) == 3
    (role,) = told_as(heard, "user_role_updated")
    assert data_of(role) == {"user_id": crew.bob.chat_id, "roles": "system_admin system_user"}
    await house.storage.write(lambda transaction: set_active(transaction, crew.bob.id, False))
    await trio.testing.wait_all_tasks_blocked()
    assert len(told_as(heard, "user_activation_status_change")) == 1
    user = (await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}")).json()
    assert user["delete_at"] == int(clock.now().timestamp() * 1000)


async def test_whoever_was_here_before_chat_is_no_news(house: House, crew: Crew, heard: list[Event]) -> None:
    await trio.testing.wait_all_tasks_blocked()
    heard.clear()
    await house.storage.write(lambda transaction: transaction.connection.execute(delete(people_told)))
    await house.storage.write(note_everybody)

    await house.storage.write(lambda transaction: set_admin(transaction, crew.bob.id, True))
    await trio.testing.wait_all_tasks_blocked()

    assert told_as(heard, "new_user") == []
    assert len(told_as(heard, "user_role_updated")) == 1


async def test_what_somebody_wants_to_hear_is_kept_as_words(house: House, crew: Crew, heard: list[Event]) -> None:
    async def hears(message: str) -> bool:
        heard.clear()
        await said(house, crew.ann, crew.off_topic, message)
        (posted,) = told_as(heard, "posted")
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


async def test_a_name_that_is_too_short_is_refused_with_what_a_name_may_be(crew: Crew) -> None:
    bot = {"username": "zo", "display_name": "", "description": ""}
    for refused in (
        await crew.bob.client.put(f"{API}/users/me/patch", json={"username": "bo"}),
        await crew.ada.client.post(
            f"{API}/users", json={"username": "zo", "email": "zo@example.org", "password": PASSWORD}
        ),
        await crew.ada.client.post(f"{API}/bots", json=bot),
    ):
        assert told_id(refused)[0] == 400
        assert told_id(refused)[1] in (
            "model.user.is_valid.username.app_error",
            "model.bot.is_valid.username.app_error",
        )
        assert "3 to 64 characters" in refused.json()["message"]
    assert (await crew.bob.client.put(f"{API}/users/me/patch", json={"username": "bo.1"})).status == 200


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
