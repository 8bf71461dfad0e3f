"""Joining teams by invites: a team's id, and letters."""

from __future__ import annotations

from typing import Any

from manor.testing import Client
from tests.chat_people import API, Crew
from tests.people import PASSWORD, links


async def test_an_invite_id_lets_people_in_and_is_told_to_strangers(crew: Crew, client: Client) -> None:
    invite_id = (await crew.ann.client.get(f"{API}/teams/{crew.team}")).json()["invite_id"]

    info = (await client.get(f"{API}/teams/invite/{invite_id}")).json()
    assert info == {"id": crew.team, "name": "crew", "display_name": "Crew", "description": ""}
    joined = await crew.eve.client.post(f"{API}/teams/members/invite?invite_id={invite_id}")
    assert (joined.status, joined.json()["user_id"]) == (201, crew.eve.chat_id)
    assert (await crew.eve.client.post(f"{API}/teams/members/invite?invite_id=x")).status == 404
    assert (await crew.eve.client.post(f"{API}/teams/members/invite?token=x")).status == 400
    assert (await crew.eve.client.post(f"{API}/teams/members/invite")).status == 400


async def test_a_letter_lets_in_whom_it_was_sent_to(crew: Crew) -> None:
    path = f"{API}/teams/{crew.team}/invite/email"
    assert (await crew.eve.client.post(path, json=["eve@example.org"])).status == 403
    assert (await crew.bob.client.post(path, json=["eve@example.org"])).json() == {"status": "OK"}

    (url,) = await links(crew.house, "eve@example.org", "invite")
    token = url.partition("token=")[2]
    other = await crew.ada.client.post(f"{API}/teams/members/invite?token={token}")
    assert (other.status, other.json()["id"]) == (400, "api.user.create_user.signup_link_invalid.app_error")
    assert (await crew.eve.client.post(f"{API}/teams/members/invite?token={token}")).status == 201


async def test_a_letter_lets_nobody_into_a_team_that_is_for_other_domains_by_now(crew: Crew, client: Client) -> None:
    mails = ["eve@example.org", "zoe@example.org"]
    assert (await crew.bob.client.post(f"{API}/teams/{crew.team}/invite/email", json=mails)).status == 200
    eves, zoes = [(await links(crew.house, mail, "invite"))[0].partition("token=")[2] for mail in mails]
    zoe = {"email": "zoe@example.org", "username": "zoe", "password": PASSWORD}
    patch = f"{API}/teams/{crew.team}/patch"
    await crew.ann.client.put(patch, json={"allowed_domains": "example.com"})

    joined = await crew.eve.client.post(f"{API}/teams/members/invite?token={eves}")
    made = await client.post(f"{API}/users?t={zoes}", json=zoe)

    assert (joined.status, joined.json()["id"]) == (400, "api.team.join_user_to_team.allowed_domains.app_error")
    assert (made.status, made.json()["id"]) == (400, "api.user.create_user.accepted_domain.app_error")
    # The letters are good again once the team takes them.
    await crew.ann.client.put(patch, json={"allowed_domains": ""})
    assert (await crew.eve.client.post(f"{API}/teams/members/invite?token={eves}")).status == 201
    assert (await client.post(f"{API}/users?t={zoes}", json=zoe)).status == 201


async def test_addresses_that_are_none_are_refused_or_told_one_by_one(crew: Crew) -> None:
    path = f"{API}/teams/{crew.team}/invite/email"

    assert (await crew.bob.client.post(path, json=["nobody"])).status == 400
    assert (await crew.bob.client.post(path, json=[])).status == 400
    told_ = (await crew.bob.client.post(f"{path}?graceful=true", json=["nobody", "gus@example.org"])).json()
    assert [(each["email"], each["error"] is None) for each in told_] == [("nobody", False), ("gus@example.org", True)]


async def test_the_web_apps_form_asks_as_a_list_does(crew: Crew) -> None:
    path = f"{API}/teams/{crew.team}/invite/email?graceful=true"
    form = {"emails": ["gus@example.org", "nobody"], "channelIds": [crew.team], "message": "see https://evil.test/"}

    answer = await crew.bob.client.post(path, json=form)

    assert answer.status == 200, answer.text
    assert [(each["email"], each["error"] is None) for each in answer.json()] == [
        ("gus@example.org", True),
        ("nobody", False),
    ]
    letters = await links(crew.house, "gus@example.org", "invite")
    assert len(letters) == 1
    assert "evil" not in letters[0]
    wrongs: list[dict[str, Any]] = [
        {},
        {"emails": []},
        {"emails": "gus@example.org"},
        {"emails": [7]},
        {"emails": None},
    ]
    for wrong in wrongs:
        assert (await crew.bob.client.post(path, json=wrong)).status == 400, wrong


async def test_nobody_has_the_server_write_to_strangers_without_end(crew: Crew) -> None:
    path = f"{API}/teams/{crew.team}/invite/email"

    some = [f"nobody-{number}" for number in range(20)]
    answers = [(await crew.bob.client.post(path, json=some)).status for _ in range(6)]

    assert answers == [400] * 5 + [429]
    assert (await crew.ann.client.post(path, json=["gus@example.org"])).status == 200
    # An administrator asks in a whole school.
    assert [(await crew.ada.client.post(path, json=some)).status for _ in range(6)] == [400] * 6
