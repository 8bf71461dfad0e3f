"""Whom a provider vouches for: who that is here, and who stays outside."""

from __future__ import annotations

from typing import Any

import pyotp
import pytest
from sqlalchemy import text

from manor import (
    Transaction,
    create_team,
    find_user,
    invite,
    list_logins,
    set_active,
    set_admin,
    update_user,
)
from manor.testing import Answer, Client, House
from tests.browsing import Browser, configured, fragment
from tests.openid_provider import OpenIdProvider
from tests.people import actions, login, made, opens

OUTBOX = text("select payload from core_outbox")


async def user(house: House, username: str) -> Any:
    return await house.storage.read(lambda transaction: find_user(transaction, username=username))


async def linked(house: House, username: str) -> list[str]:
    found = await user(house, username)
    logins = await house.storage.read(lambda transaction: list_logins(transaction, found.id))
    return [each.subject for each in logins]


def word(answer: Answer) -> str:
    return fragment(answer)["error"]


# --- An account has the address already ----------------------------------------------------------------------------


async def test_an_address_alone_opens_no_account_that_was_there(house: House, client: Client, browser: Browser) -> None:
    await made(house, "ada")

    assert word(await browser.sign_in()) == "account_exists"
    assert await linked(house, "ada") == []
    assert "auth.sign_in_refused" in await actions(house)


@configured(home={"link_by_email": True})
async def test_a_proven_address_opens_a_verified_account_where_the_configuration_says_so(
    house: House, client: Client, browser: Browser
) -> None:
    user_id = await made(house, "ada")

    answer = await browser.sign_in()

    assert await opens(client, fragment(answer)["access_token"])
    assert await linked(house, "ada") == ["ada-at-home"]
    assert (await user(house, "ada")).id == user_id
    assert (await login(client, "ada")).status == 200, "the password stays good"
    assert "auth.login_linked" in await actions(house)
    assert (await actions(house)).count("auth.registered") == 0


@configured(home={"link_by_email": True})
@pytest.mark.parametrize("email", ["ADA@EXAMPLE.ORG", "Ada@Example.org"])
async def test_an_address_is_the_same_whatever_its_case(
    house: House, provider: OpenIdProvider, browser: Browser, email: str
) -> None:
    await made(house, "ada")
    provider.person = {"sub": "x", "email": email, "email_verified": True}

    assert "access_token" in fragment(await browser.sign_in())
    assert await linked(house, "ada") == ["x"]


@configured(home={"link_by_email": True})
async def test_an_address_that_looks_alike_is_another_one(
    house: House, provider: OpenIdProvider, browser: Browser
) -> None:
    await made(house, "ada")
    provider.person = {"sub": "x", "email": "\u0430da@example.org", "email_verified": True}

    assert "access_token" in fragment(await browser.sign_in())
    assert await linked(house, "ada") == []


@configured(home={"link_by_email": True})
async def test_an_account_that_never_proved_the_address_is_not_opened_by_it(
    house: House, client: Client, browser: Browser
) -> None:
    """Whoever registered it may be somebody who waits for just that."""
    await made(house, "ada", is_verified=False)

    assert word(await browser.sign_in()) == "account_exists"
    assert await linked(house, "ada") == []
    assert (await login(client, "ada")).status == 403


@configured(home={"link_by_email": True})
@pytest.mark.parametrize("proof", [False, None, "false", "yes", "TRUE", ""])
async def test_an_address_that_is_not_proven_opens_and_makes_nothing(
    house: House, provider: OpenIdProvider, browser: Browser, proof: object
) -> None:
    await made(house, "ada")
    provider.person = {"sub": "x", "email": "ada@example.org", "email_verified": proof}
    assert word(await browser.sign_in()) == "email_not_verified"
    provider.person = {"sub": "y", "email": "new@example.org", "email_verified": proof}

    assert word(await browser.sign_in()) == "email_not_verified"
    assert "auth.registered" not in await actions(house)


@configured(home={"trust_email": True})
async def test_a_provider_whose_word_is_enough_need_not_say_that_addresses_are_proven(
    provider: OpenIdProvider, browser: Browser
) -> None:
    provider.person = {"sub": "x", "email": "ada@example.org"}

    assert "access_token" in fragment(await browser.sign_in())


@pytest.mark.parametrize(
    "email",
    [None, "", "ada", "@example.org", "a b@example.org", "a@example.org\r\nBcc: x", "a" * 300 + "@b.c", "\x00@b.c"],
)
async def test_without_an_address_nobody_joins(provider: OpenIdProvider, browser: Browser, email: str | None) -> None:
    provider.person = {"sub": "x", "email": email, "email_verified": True}

    assert word(await browser.sign_in()) == "no_email"


# --- Who may come in -----------------------------------------------------------------------------------------------


@configured(identity={"registration": "closed"})
async def test_where_nobody_joins_nobody_joins_this_way_either(
    house: House, provider: OpenIdProvider, browser: Browser
) -> None:
    assert word(await browser.sign_in()) == "registration_closed"
    assert await user(house, "ada") is None


@configured(identity={"registration": "closed"}, home={"link_by_email": True})
async def test_where_nobody_joins_those_who_are_there_come_in(house: House, browser: Browser) -> None:
    await made(house, "ada")

    assert "access_token" in fragment(await browser.sign_in())
    assert "access_token" in fragment(await browser.sign_in())


async def invited(house: House, email: str) -> str:
    """An invite into a team; gives its token."""
    owner = await made(house, "owner")

    def work(transaction: Transaction) -> str:
        team = create_team(transaction, owner, name="ours", display_name="Ours")
        return invite(transaction, team.id, email=email, role="member", invited_by_id=owner)[1]

    return await house.storage.write(work)


@configured(identity={"registration": "invite"})
async def test_where_people_are_invited_an_invite_for_the_address_lets_them_join(
    house: House, browser: Browser
) -> None:
    assert word(await browser.sign_in()) == "invitation_needed"
    await invited(house, "Ada@example.org")

    assert "access_token" in fragment(await browser.sign_in())


@configured(identity={"registration": "invite"})
async def test_an_invite_lets_nobody_in_whom_it_was_not_sent_to(house: House, browser: Browser) -> None:
    token = await invited(house, "grace@example.org")

    assert word(await browser.sign_in(f"/auth/oidc/home/login?invite_token={token}")) == "invitation_needed"
    assert word(await browser.sign_in("/auth/oidc/home/login?invite_token=%00")) == "invitation_needed"


async def test_a_disabled_account_stays_outside(house: House, client: Client, browser: Browser) -> None:
    token = fragment(await browser.sign_in())["access_token"]
    ada = await user(house, "ada")
    await house.storage.write(lambda transaction: set_active(transaction, ada.id, False))

    assert word(await browser.sign_in()) == "account_disabled"
    assert not await opens(client, token)


@configured(home={"link_by_email": True})
async def test_a_disabled_account_is_not_linked(house: House, browser: Browser) -> None:
    user_id = await made(house, "ada")
    await house.storage.write(lambda transaction: set_active(transaction, user_id, False))

    assert word(await browser.sign_in()) == "account_disabled"
    assert await linked(house, "ada") == []


@configured(server={"limits": {"address_limit_factor": 1}})
async def test_an_address_makes_ten_accounts_an_hour_in_whatever_way(
    provider: OpenIdProvider, browser: Browser
) -> None:
    words = []
    for number in range(11):
        provider.person = {"sub": f"p{number}", "email": f"p{number}@example.org", "email_verified": True}
        words.append(fragment(await browser.sign_in()).get("error"))

    assert words == [None] * 10 + ["too_many"]
    provider.person = {"sub": "p3", "email": "p3@example.org", "email_verified": True}
    assert "access_token" in fragment(await browser.sign_in()), "who is here comes in"


async def test_a_changed_address_is_to_be_proven_before_the_next_sign_in(
    house: House, provider: OpenIdProvider, browser: Browser
) -> None:
    await browser.sign_in()
    ada = await user(house, "ada")
    await house.storage.write(lambda transaction: update_user(transaction, ada.id, email="countess@example.org"))

    assert word(await browser.sign_in()) == "email_not_verified"
    provider.person = {"sub": "ada-at-home", "email": "countess@example.org", "email_verified": True}
    assert "access_token" in fragment(await browser.sign_in()), "the provider knows that it is hers"
    assert (await user(house, "ada")).is_verified


async def test_a_second_factor_is_the_providers_business(house: House, client: Client, browser: Browser) -> None:
    bearer = {"Authorization": f"Bearer {fragment(await browser.sign_in())['access_token']}"}
    made_ = (await client.post("/auth/mfa/generate", headers=bearer)).json()
    now = house.services.clock.now()
    code = pyotp.TOTP(made_["secret"]).at(now)
    assert (await client.post("/auth/mfa/activate", headers=bearer, json={"code": code})).status == 200

    assert "access_token" in fragment(await browser.sign_in())


# --- Names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "username"),
    [
        ("grace.hopper@example.org", "grace.hopper"),
        ("Grace_H-1@example.org", "grace_h-1"),
        ("grace+notes@example.org", "grace.notes"),
        ("a@example.org", "user-a"),
        ("böse@example.org", "bose"),
        ("山田@example.org", "user"),
        ("system@example.org", "system2"),
        ("x" * 60 + "@example.org", "x" * 32),
        ("!#$@example.org", "user"),
    ],
)
async def test_the_username_is_made_of_the_address(
    house: House, provider: OpenIdProvider, browser: Browser, email: str, username: str
) -> None:
    provider.person = {"sub": "x", "email": email, "email_verified": True}

    assert "access_token" in fragment(await browser.sign_in())
    assert (await user(house, username)).email == email


# --- Admins --------------------------------------------------------------------------------------------------------


@configured(home={"admin_group": "manor-admins"})
async def test_the_group_says_at_each_sign_in_who_administers_this_server(
    house: House, provider: OpenIdProvider, browser: Browser
) -> None:
    assert provider.person is not None
    seen = []
    for groups in (["people", "manor-admins"], ["people"], "manor-admins", None, ["manor-admins"], [], {"a": 1}):
        provider.person["groups"] = groups
        assert "access_token" in fragment(await browser.sign_in())
        seen.append((await user(house, "ada")).is_admin)

    assert seen == [True, False, True, False, True, False, False]
    assert {"auth.admin_granted", "auth.admin_taken"} <= set(await actions(house))


@configured(home={"admin_group": "manor-admins"})
async def test_groups_that_only_the_other_endpoint_knows_count(
    house: House, provider: OpenIdProvider, browser: Browser
) -> None:
    provider.userinfo = {"sub": "ada-at-home", "groups": ["manor-admins"]}

    assert "access_token" in fragment(await browser.sign_in())
    assert (await user(house, "ada")).is_admin


async def test_groups_of_a_provider_without_that_setting_mean_nothing(
    house: House, provider: OpenIdProvider, browser: Browser
) -> None:
    assert provider.person is not None
    provider.person["groups"] = ["manor-admins", ""]
    await browser.sign_in()
    assert not (await user(house, "ada")).is_admin
    ada = await user(house, "ada")
    await house.storage.write(lambda transaction: set_admin(transaction, ada.id, True))

    await browser.sign_in()

    assert (await user(house, "ada")).is_admin


@configured(home={"admin_group": "manor-admins"})
async def test_rights_that_are_lost_are_lost_to_the_sessions_that_are_open(
    house: House, client: Client, provider: OpenIdProvider, browser: Browser
) -> None:
    assert provider.person is not None
    provider.person["groups"] = ["manor-admins"]
    token = fragment(await browser.sign_in())["access_token"]
    head = {"Authorization": f"Bearer {token}"}
    provider.person["groups"] = []
    await browser.sign_in()

    ada = await user(house, "ada")
    assert not ada.is_admin
    assert (await client.get("/auth/me", headers=head)).status == 200


# --- Afterwards ----------------------------------------------------------------------------------------------------


async def test_an_erased_person_who_comes_again_is_somebody_new(house: House, client: Client, browser: Browser) -> None:
    await browser.sign_in()
    first = await user(house, "ada")
    personal = house.services.identity.personal
    await house.storage.write(lambda transaction: personal.erase(transaction, first.id, actor="shell"))

    assert "access_token" in fragment(await browser.sign_in())

    second = await user(house, "ada")
    assert second.id != first.id
    assert await linked(house, "ada") == ["ada-at-home"]


@configured(home={"link_by_email": True})
async def test_somebody_whose_account_opens_to_a_provider_now_is_told_by_mail(house: House, browser: Browser) -> None:
    await made(house, "ada")
    await browser.sign_in()

    # Without a mail server it waits in the outbox.
    rows = await house.storage.read(lambda transaction: transaction.connection.execute(OUTBOX).all())
    assert any("A new way to sign in" in str(row) for row in rows)
