"""Coming from elsewhere: as the first of all, invited into a team, back from a provider."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import pytest
import structlog
import trio
import trio.testing

from manor import Transaction, create_team, find_member, find_user, invite, list_users, set_team_active
from manor.commands import AddUser
from manor.testing import Client, House, SetClock, open_test_house
from manor_auth.commands import MakeSetupLink
from tests.page_reading import Page, Reader
from tests.people import PASSWORD, actions, links, made


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["auth"]


@pytest.fixture
def reader(client: Client) -> Reader:
    return Reader(client)


async def setup_path(house: House) -> str:
    """A fresh set-up link, without the server's name."""
    url = urlsplit((await house.run_command("auth.make_setup_link", MakeSetupLink())).url)
    return f"{url.path}?{url.query}"


async def set_up(reader: Reader, username: str = "root", **typed: str) -> Page:
    fields: dict[str, Any] = {
        "username": username,
        "email": f"{username or 'root'}@example.org",
        "password": PASSWORD,
        **typed,
    }
    return await reader.send("/setup", **fields)


async def people(house: House) -> Sequence[tuple[str, bool, bool]]:
    found = await house.storage.read(lambda transaction: list_users(transaction))
    return [(user.username, user.is_admin, user.is_verified) for user in found]


# --- Set-up --------------------------------------------------------------------------------------------------------


async def test_a_start_without_people_logs_a_link_that_works(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logged:
        async with open_test_house(tmp_path, plugins=["auth"]) as house:
            await trio.testing.wait_all_tasks_blocked()
            (url,) = (entry["url"] for entry in logged if entry["event"] == "auth.setup_link")
            token = url.partition("/setup?token=")[2]

            page = await Reader(Client(house.dispatcher)).open(f"/setup?token={token}")

    assert page.form("/setup").fields["token"] == token


async def test_the_link_makes_an_admin_who_is_signed_in(house: House, reader: Reader) -> None:
    await reader.open(await setup_path(house))

    page = await set_up(reader)

    assert page.url == "/account"
    assert "You administer this server" in page.text
    assert await people(house) == [("root", True, True)]
    assert "auth.set_up" in await actions(house)


async def test_it_is_good_once(house: House, client: Client) -> None:
    path = await setup_path(house)
    first, second = Reader(client), Reader(client)
    await first.open(path)
    await second.open(path)

    await set_up(first)
    page = await set_up(second, "eve")

    assert (page.status, "set up already" in page.text) == (409, True)
    assert (await second.open(path)).status == 409
    assert await people(house) == [("root", True, True)]


async def test_of_two_browsers_at_once_one_wins(house: House, client: Client) -> None:
    path = await setup_path(house)
    readers = {name: Reader(client) for name in ("ada", "eve")}
    pages: dict[str, Page] = {}
    for each in readers.values():
        await each.open(path)

    async def race(name: str) -> None:
        pages[name] = await set_up(readers[name], name)

    async with trio.open_nursery() as nursery:
        for name in readers:
            nursery.start_soon(race, name)

    assert sorted(page.status for page in pages.values()) == [200, 409]
    assert len(await people(house)) == 1


async def test_it_is_good_for_a_quarter_of_an_hour(house: House, reader: Reader, clock: SetClock) -> None:
    path = await setup_path(house)
    await reader.open(path)
    clock.set(clock.now() + timedelta(minutes=15))

    page = await set_up(reader)

    assert (page.status, "manor auth setup-link" in page.text) == (400, True)
    assert await people(house) == []


async def test_a_newer_link_voids_the_older(house: House, reader: Reader) -> None:
    older = await setup_path(house)
    newer = await setup_path(house)

    assert (await reader.open(older)).status == 400
    assert (await reader.open(newer)).status == 200


async def test_somebody_added_at_the_shell_voids_it(house: House, reader: Reader) -> None:
    await reader.open(await setup_path(house))
    await house.run_command("user.add", AddUser("root@example.org", "root", is_admin=True))

    page = await set_up(reader, "eve")

    assert page.status == 409
    assert [name for name, _, _ in await people(house)] == ["root"]


@pytest.mark.parametrize("token", ["", "x", "%00", "%ff%fe", "x" * 5000])
async def test_a_made_up_link_makes_nobody(house: House, reader: Reader, token: str) -> None:
    page = await reader.open(f"/setup?token={token}")

    assert (page.status, page.forms) == (400, [])


@pytest.mark.parametrize(
    ("field", "typed"), [("username", "all"), ("username", ""), ("email", "x"), ("password", "short")]
)
async def test_what_cannot_be_taken_is_said_and_the_link_stays_good(
    house: House, reader: Reader, field: str, typed: str
) -> None:
    await reader.open(await setup_path(house))

    page = await set_up(reader, **{field: typed})

    assert page.status == 422
    assert page.form("/setup").attributes[field]["aria-invalid"] == "true"
    assert PASSWORD not in page.answer.text
    assert (await set_up(reader)).url == "/account"


@pytest.mark.manor(config={"server": {"public_url": "https://manor.example.org"}})
async def test_it_begins_with_the_public_name(house: House) -> None:
    link = await house.run_command("auth.make_setup_link", MakeSetupLink())

    assert link.url.startswith("https://manor.example.org/setup?token=")


async def test_signing_up_first_makes_nobody_an_admin(house: House, reader: Reader) -> None:
    await reader.open("/register")
    await reader.send("/register", username="eve", email="eve@example.org", password=PASSWORD, terms="yes")

    assert await people(house) == [("eve", False, False)]


# --- Invites -------------------------------------------------------------------------------------------------------


async def invited(house: House, email: str = "ada@example.org") -> tuple[UUID, str]:
    """A team, and the path of an invite into it."""
    owner = await made(house, "owner")

    def work(transaction: Transaction) -> tuple[UUID, str]:
        team = create_team(transaction, owner, name="garden", display_name="The Garden")
        _, token = invite(transaction, team.id, email=email, role="member", invited_by_id=owner)
        return team.id, f"/teams/invite?token={token}"

    return await house.storage.write(work)


async def sign_in(reader: Reader, username: str = "ada") -> Page:
    await reader.open("/login")
    return await reader.send("/login", login=username, password=PASSWORD)


async def is_member(house: House, team_id: UUID, username: str = "ada") -> bool:
    def work(transaction: Transaction) -> bool:
        user = find_user(transaction, username=username)
        return user is not None and find_member(transaction, team_id, user.id) is not None

    return await house.storage.read(work)


async def test_somebody_with_an_account_signs_in_and_joins(house: House, reader: Reader) -> None:
    team_id, path = await invited(house)
    await made(house, "ada")
    page = await reader.open(path)
    assert "owner asks ada@example.org to join the team garden" in page.text

    (way_in,) = [link for link in page.links if link.startswith("/login?next")]
    await reader.open(way_in)
    back = await reader.send("/login", login="ada", password=PASSWORD)
    assert back.url == path
    joined = await reader.send("/teams/invite")

    assert (joined.status, "You are in" in joined.text) == (200, True)
    assert await is_member(house, team_id)


async def test_somebody_new_signs_up_on_the_way(house: House, reader: Reader) -> None:
    team_id, path = await invited(house)
    page = await reader.open(path)
    (way_in,) = [link for link in page.links if link.startswith("/register?")]

    page = await reader.open(way_in)
    assert page.form("/register").fields["email"] == "ada@example.org"
    page = await reader.send("/register", username="ada", password=PASSWORD, terms="yes")
    (link,) = await links(house, "ada@example.org", "verify")
    await reader.open(f"/auth/verify-email?{urlsplit(link).query}")
    await reader.open(f"/login?next={quote(path, safe='')}")
    assert (await reader.send("/login", login="ada", password=PASSWORD)).url == path
    await reader.send("/teams/invite")

    assert await is_member(house, team_id)


async def test_somebody_else_is_told_whose_invite_it_is(house: House, reader: Reader) -> None:
    team_id, path = await invited(house)
    await made(house, "ada")
    await made(house, "eve")
    await sign_in(reader)
    await reader.open(path)
    form_token = reader.here.form("/teams/invite").fields if reader.here else {}
    eve = Reader(reader.client)
    await sign_in(eve, "eve")

    page = await eve.open(path)

    assert [form for form in page.forms if form.action == "/teams/invite"] == []
    assert form_token
    assert not await is_member(house, team_id, "eve")


async def test_an_invite_is_good_once(house: House, reader: Reader) -> None:
    _, path = await invited(house)
    await made(house, "ada")
    await sign_in(reader)
    await reader.open(path)
    await reader.send("/teams/invite")

    page = await reader.open(path)

    assert (page.status, "not valid any more" in page.text) == (400, True)


async def test_an_invite_into_a_team_that_was_switched_off_is_over(house: House, reader: Reader) -> None:
    team_id, path = await invited(house)
    await made(house, "ada")
    await sign_in(reader)
    await reader.open(path)
    await house.storage.write(lambda transaction: set_team_active(transaction, team_id, False))

    page = await reader.send("/teams/invite")

    assert page.status == 403
    assert not await is_member(house, team_id)


@pytest.mark.parametrize("token", ["", "x", "%00", "%ff", "%F0%9F%98%80", "x" * 5000])
async def test_a_made_up_invite_is_none(reader: Reader, token: str) -> None:
    assert (await reader.open(f"/teams/invite?token={token}")).status == 400


# --- Providers -----------------------------------------------------------------------------------------------------


async def test_what_a_provider_refused_is_said_on_the_sign_in_page(reader: Reader) -> None:
    page = await reader.open("/auth/callback?error=access_denied")

    assert page.url == "/login?error=access_denied"
    assert "You did not let the provider sign you in." in page.text


async def test_the_script_of_the_way_back_is_the_only_one_that_runs(reader: Reader) -> None:
    page = await reader.open("/auth/callback")

    found = re.search(r'<script nonce="([\w-]+)">', page.answer.text)
    assert found is not None
    assert f"script-src 'nonce-{found[1]}'" in page.answer.headers["Content-Security-Policy"]
    assert page.answer.headers["Cache-Control"] == "no-store"


@pytest.mark.manor(
    config={"plugins": {"auth": {"oidc": {"home": {"issuer": "https://id.example.org", "client_id": "manor"}}}}}
)
async def test_providers_have_a_button_that_leads_back(reader: Reader) -> None:
    page = await reader.open("/login?next=/logout")

    assert "/auth/oidc/home/login?next=%2Flogout" in page.links
