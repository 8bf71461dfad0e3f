"""Links that were not mailed, for an admin to pass on."""

from __future__ import annotations

import trio

from manor.testing import Client, House
from manor_auth.commands import LinksListed, ListLinks
from tests.people import PASSWORD


async def unsent(house: House, **which: str) -> LinksListed:
    listed = await house.run_command("auth.list_links", ListLinks(**which))
    assert isinstance(listed, LinksListed)
    return listed


async def test_without_a_mail_server_links_are_listed(house: House, client: Client) -> None:
    ada = {"email": "ada@example.org", "username": "ada", "password": PASSWORD, "terms_accepted": True}
    assert (await client.post("/auth/register", json=ada)).status == 201
    with trio.fail_after(10):
        while not (await unsent(house)).links:
            await trio.lowlevel.checkpoint()

    (link,) = (await unsent(house, email="ADA@example.org", kind="verify")).links

    assert (link.kind, link.email) == ("verify", "ada@example.org")
    assert "/auth/verify-email?token=" in link.url
    assert (await unsent(house, email="bob@example.org")).links == []
    assert (await unsent(house, kind="reset")).links == []
