"""Servers that take only people who were invited."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from manor import Conflict, Transaction, Unprocessable, cancel_invite, create_team, invite, new_id, team_invite_letter
from manor.cli import main
from manor.mail.composing import Mailing, compose
from manor.testing import Answer, Client, House, SetClock
from manor_auth.commands import InvitePerson, LinksListed, ListLinks, PersonInvited
from tests.people import PASSWORD, actions, links, login, made

INVITE = {"identity": {"registration": "invite"}}


async def register(client: Client, username: str, **more: Any) -> Answer:
    body = {"email": f"{username}@example.org", "username": username, "password": PASSWORD, "terms_accepted": True}
    return await client.post("/auth/register", json={**body, **more})


async def invited(house: House, email: str = "eve@example.org") -> PersonInvited:
    answer = await house.run_command("auth.invite", InvitePerson(email))
    assert isinstance(answer, PersonInvited)
    return answer


def token_of(url: str) -> str:
    (token,) = parse_qs(urlsplit(url).query)["invite"]
    return token


async def asked(house: House, *emails: str) -> list[UUID]:
    """People are asked to join a team; the invites' ids."""
    owner = await made(house, "owner")

    def work(transaction: Transaction) -> list[UUID]:
        team = create_team(transaction, owner, name="garden", display_name="The Garden")
        return [invite(transaction, team.id, email=email, role="member", invited_by_id=owner)[0].id for email in emails]

    return await house.storage.write(work)


@pytest.mark.manor(config=INVITE)
async def test_who_was_invited_signs_up_with_the_token_of_the_mail(house: House, client: Client) -> None:
    invitation = await invited(house)
    token = token_of(invitation.url)

    assert (await register(client, "eve")).status == 403
    assert (await register(client, "eve", email="EVE@example.org", invite_token=token)).status == 201

    assert (await login(client, "eve")).status == 403
    assert len(await links(house, "eve@example.org", "verify")) == 1
    assert "auth.person_invited" in await actions(house)


@pytest.mark.manor(config=INVITE)
async def test_a_token_is_good_for_its_own_address_alone(house: House, client: Client) -> None:
    token = token_of((await invited(house)).url)

    assert (await register(client, "mallory", invite_token=token)).status == 403
    assert (await register(client, "eve", invite_token=token)).status == 201


@pytest.mark.manor(config=INVITE)
async def test_the_sign_up_page_knows_the_address_of_an_invite_while_it_is_good(house: House, client: Client) -> None:
    url = urlsplit((await invited(house)).url)
    page = f"{url.path}?{url.query}"
    assert 'value="eve@example.org"' in (await client.get(page)).text

    await register(client, "eve", invite_token=token_of(url.geturl()))

    for path in (page, "/register?invite=x", "/register?invite=%ff%00", "/register?invite="):
        answer = await client.get(path)
        assert (answer.status, "eve@example.org" in answer.text) == (200, False)


@pytest.mark.manor(config=INVITE)
async def test_a_token_is_good_once(house: House, client: Client) -> None:
    token = token_of((await invited(house)).url)
    assert (await register(client, "eve", invite_token=token)).status == 201

    assert (await register(client, "eve2", email="eve@example.org", invite_token=token)).status == 403


@pytest.mark.manor(config=INVITE)
async def test_a_token_ends_after_a_week_and_with_a_newer_one(house: House, client: Client, clock: SetClock) -> None:
    old, new = token_of((await invited(house)).url), token_of((await invited(house, "Eve@example.org")).url)
    assert (await register(client, "eve", invite_token=old)).status == 403

    clock.set(clock.now() + timedelta(days=7))
    assert (await register(client, "eve", invite_token=new)).status == 403


@pytest.mark.manor(config=INVITE)
async def test_an_invite_into_a_team_lets_in_without_a_token_while_it_can_be_accepted(
    house: House, client: Client
) -> None:
    await asked(house, "Eve@example.org")

    assert (await register(client, "mallory")).status == 403
    assert (await register(client, "eve", invite_token="nonsense")).status == 201


@pytest.mark.manor(config=INVITE)
async def test_an_invite_into_a_team_that_is_over_lets_nobody_in(house: House, client: Client, clock: SetClock) -> None:
    eve, _ = await asked(house, "eve@example.org", "bob@example.org")
    await house.storage.write(lambda transaction: cancel_invite(transaction, eve))
    assert (await register(client, "eve")).status == 403

    clock.set(clock.now() + timedelta(days=7))
    assert (await register(client, "bob")).status == 403


@pytest.mark.manor(config=INVITE)
@pytest.mark.parametrize("token", ["", " ", "x", "\u0000", "é" * 200, "A" * 4096, 5, ["x"], {"a": 1}])
async def test_what_is_no_token_lets_nobody_in(client: Client, token: Any) -> None:
    answer = await register(client, "eve", invite_token=token)

    assert answer.status == (403 if isinstance(token, str) else 422)


@pytest.mark.parametrize("email", ["", "eve", "eve@", "@example.org", "a@b\nc", "e" * 255 + "@example.org", "ä ö@x.y"])
async def test_what_is_no_address_is_not_invited(house: House, email: str) -> None:
    with pytest.raises(Unprocessable):
        await invited(house, email)


async def test_who_has_an_account_is_not_invited(house: House) -> None:
    await made(house, "ada")

    with pytest.raises(Conflict):
        await invited(house, "ADA@example.org")


@pytest.mark.manor(config={"identity": {"registration": "closed"}})
async def test_where_nobody_signs_up_nobody_is_invited(house: House) -> None:
    with pytest.raises(Conflict, match=r"identity\.registration"):
        await invited(house)


@pytest.mark.manor(config={"server": {"frontend_url": "https://app.example.org"}})
async def test_the_link_leads_to_the_front_end_and_is_listed_for_the_admin(house: House) -> None:
    invitation = await invited(house)

    assert invitation.url.startswith("https://app.example.org/register?invite=")
    assert not invitation.is_mailed
    assert await links(house, "eve@example.org", "invite") == [invitation.url]
    listed = await house.run_command("auth.list_links", ListLinks(kind="invite"))
    assert isinstance(listed, LinksListed)
    assert [link.email for link in listed.links] == ["eve@example.org"]
    assert token_of(invitation.url) not in repr(invitation)


def test_the_letter_of_a_team_has_the_token_on_a_line_of_its_own(clock: SetClock) -> None:
    message = team_invite_letter(
        "https://manor.example.org", to="eve@example.org", token="abc_-123", team="garden", inviter="ada"
    )

    assert (message.kind, message.link) == ("invite", "https://manor.example.org/teams/invite?token=abc_-123")
    lines = message.text.splitlines()
    assert {"abc_-123", message.link} <= set(lines)
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    letter = compose(Mailing(**fields, reference=new_id().hex, written_at=clock.now()), "Manor <manor@example.org>")
    assert b"\r\nabc_-123\r\n" in letter.content


class Shell:
    """`manor auth invite` on a house that nobody else has open."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config.toml"
        self.config.write_text(f'[server]\ndata_dir = "{folder / "data"}"\nfrontend_url = "https://app.example.org"\n')

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["auth", "invite", *arguments, "--config", str(self.config)])


def test_the_shell_prints_the_link_where_there_is_no_mail_server(tmp_path: Path) -> None:
    shell = Shell(tmp_path)

    result = shell.run("eve@example.org")

    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"https://app\.example\.org/register\?invite=[\w-]{43}\n", result.stdout)
    told = json.loads(shell.run("eve@example.org", "--json").stdout)
    assert set(told) == {"email", "url", "expires_at", "is_mailed"}
    assert told["is_mailed"] is False


@pytest.mark.parametrize("email", ["", "eve", "\udcff@example.org", "a\u0000@b.c"])
def test_the_shell_says_in_a_line_what_is_no_address(tmp_path: Path, email: str) -> None:
    result = Shell(tmp_path).run(email)

    assert result.exit_code in (1, 2)
    assert "email" in result.stderr.lower()
    assert "Traceback" not in result.output
