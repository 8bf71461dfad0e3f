"""People who are invited before they have an account: over the pages and over the API, up to the team's topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from manor.testing import Client, House
from tests.page_reading import Reader
from tests.people import PASSWORD, QUICK, actions, links, login, made
from tests.team_people import Crew, token_of
from tests.topic_people import make_topic

INVITED_ONLY = {"identity": {"registration": "invite"}}


@pytest.fixture
def house_plugins() -> Sequence[str]:
    return ["auth", "topics"]


@pytest.fixture
def house_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Quick hashes, no rates of addresses; a marker's own tables go over these."""
    marker = request.node.get_closest_marker("manor")
    own: dict[str, Any] = marker.kwargs.get("config", {}) if marker else {}
    return {
        **own,
        "server": {"limits": {"address_limit_factor": 0}},
        "identity": {**QUICK, **own.get("identity", {})},
    }


async def sent_link(crew: Crew) -> str:
    """The link that the invite's mail holds, to somebody who has no account."""
    await make_topic(crew.ann, "alarms", team_id=crew.team["id"])
    answer = await crew.ann.post(f"{crew.path}/invites", json={"email": "dan@example.org"})
    assert answer.status == 201, answer.text
    (link,) = await links(crew.house, "dan@example.org", "invite")
    return link


async def token_for(client: Client, username: str = "dan") -> dict[str, str]:
    answer = await login(client, username)
    assert answer.status == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.manor(config=INVITED_ONLY)
async def test_the_pages_lead_from_the_mail_into_the_team(house: House, client: Client, crew: Crew) -> None:
    url, reader = urlsplit(await sent_link(crew)), Reader(client)
    path = f"{url.path}?{url.query}"

    page = await reader.open(path)
    (way_in,) = [link for link in page.links if link.startswith("/register?")]
    await reader.open(way_in)
    await reader.send("/register", username="dan", password=PASSWORD, terms="yes")
    (verify,) = await links(house, "dan@example.org", "verify")
    await reader.open(f"/auth/verify-email?{urlsplit(verify).query}")
    await reader.open(f"/login?next={quote(path, safe='')}")
    assert (await reader.send("/login", login="dan", password=PASSWORD)).url == path
    joined = await reader.send("/teams/invite")

    assert "You are in" in joined.text
    dan = await token_for(client)
    (team,) = (await client.get("/api/teams", headers=dan)).json()
    assert (team["name"], team["my_role"], team["member_count"]) == ("crew", "member", 4)
    assert (await client.post("/alarms", body=b"Hello", headers=dan)).status == 200
    assert "auth.invite_accepted" in await actions(house)


@pytest.mark.manor(config=INVITED_ONLY)
async def test_so_does_the_api(house: House, client: Client, crew: Crew) -> None:
    token = token_of(await sent_link(crew))
    account = {"email": "dan@example.org", "username": "dan", "password": PASSWORD, "terms_accepted": True}

    assert (await client.post("/auth/register", json={**account, "email": "mal@example.org"})).status == 403
    assert (await client.post("/auth/register", json={**account, "invite_token": token})).status == 201
    (verify,) = await links(house, "dan@example.org", "verify")
    await client.get(f"/auth/verify-email?{urlsplit(verify).query}")
    dan = await token_for(client)
    joined = await client.post("/api/teams/invites/accept", json={"token": token}, headers=dan)

    assert (joined.status, joined.json()["my_role"]) == (200, "member")
    assert (await client.post("/alarms", body=b"Hello", headers=dan)).status == 200


@pytest.mark.manor(config={"tiers": {"FREE": {"base_members": 3}, "BUSINESS": {}}})
async def test_the_page_takes_nobody_where_no_seat_is_free(house: House, client: Client, crew: Crew) -> None:
    await crew.ann.delete(f"{crew.path}/members/{crew.cid_id}")
    url, reader = urlsplit(await sent_link(crew)), Reader(client)
    await made(house, "dan")
    invites = f"{crew.path}/invites"
    cid = (await crew.ann.post(invites, json={"email": "cid@example.org"})).json()["accept_url"]
    accepted = await crew.cid.post("/api/teams/invites/accept", json={"token": token_of(cid)})
    assert accepted.status == 200

    await reader.open("/login")
    await reader.send("/login", login="dan", password=PASSWORD)
    await reader.open(f"{url.path}?{url.query}")
    page = await reader.send("/teams/invite")

    assert (page.status, "room for 3 people" in page.text) == (403, True)
    assert (await crew.ann.get("/api/teams/stats")).json()["used_members"] == 3
