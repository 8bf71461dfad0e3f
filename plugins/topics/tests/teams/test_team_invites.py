"""Invites: sent by mail, sent again, cancelled, accepted by whom they were sent to, while there is a seat."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio

from manor import NewUser, Principal, add_user, new_id
from manor.commands import SetTier
from manor.testing import Answer, Client, SetClock
from manor_topics.teams.commands import SetTeamActive
from tests.core.mailing import open_sink
from tests.people import actions, links
from tests.team_people import Crew, make_team, token_of
from tests.topic_people import asking_as, person, refusal, session_of

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
WEEK = timedelta(days=7)
DAN = "dan@example.org"


async def invite(client: Client, crew: Crew, email: str = DAN, **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{crew.path}/invites", json={"email": email, **more})
    assert answer.status == 201, answer.text
    sent: dict[str, Any] = answer.json()
    return sent


async def accept(client: Client, url: str) -> Answer:
    return await client.post("/api/teams/invites/accept", json={"token": token_of(url)})


async def newest(crew: Crew, email: str = DAN) -> str:
    """The link that the last letter to an address holds."""
    return (await links(crew.house, email, "invite"))[0]


# --- Sending -------------------------------------------------------------------------------------------------------


async def test_an_invite_says_who_is_asked_to_be_what_and_until_when(crew: Crew) -> None:
    sent = await invite(crew.bea, crew, "Dan@example.org", role="admin")

    url = sent.pop("accept_url")
    assert sent == {
        "id": sent["id"],
        "team_id": crew.team["id"],
        "email": "Dan@example.org",
        "role": "admin",
        "invited_by_id": str(crew.bea_id),
        "created_at": "2030-01-02T12:00:00Z",
        "expires_at": "2030-01-09T12:00:00Z",
        "is_expired": False,
    }
    assert url == await newest(crew)
    assert url.partition("?")[0].endswith("/teams/invite")
    assert (await invite(crew.ann, crew, "flo@example.org"))["role"] == "member"
    assert "topics.team_invite_sent" in await actions(crew.house)


@pytest.mark.manor(config={"server": {"frontend_url": "https://app.example.org"}})
async def test_the_link_leads_to_the_front_end(crew: Crew) -> None:
    assert (await invite(crew.ann, crew))["accept_url"].startswith("https://app.example.org/teams/invite?token=")


async def test_the_link_is_shown_to_who_sent_it_and_in_no_list_to_others(crew: Crew) -> None:
    sent = await invite(crew.bea, crew)
    await invite(crew.ann, crew, "flo@example.org")

    (_, own) = (await crew.bea.get(f"{crew.path}/invites")).json()
    (hers, others) = (await crew.ann.get(f"{crew.path}/invites")).json()

    assert own == sent
    assert "accept_url" not in others
    assert hers["accept_url"] == await newest(crew, "flo@example.org")


async def test_with_a_mail_server_the_link_is_in_the_mail_alone(tmp_path: Any, clock: SetClock) -> None:
    from manor.testing import open_test_house

    with open_sink() as sink:
        config = {"server": {"smtp": {"host": "127.0.0.1", "port": sink.port, "from": "Manor <manor@example.org>"}}}
        async with open_test_house(tmp_path, plugins=["topics"], config=config, clock=clock, inline=False) as house:
            crew = await Crew.gather(house)
            sent = await invite(crew.ann, crew)
            assert "accept_url" not in sent
            assert (await crew.ann.get(f"{crew.path}/invites")).json() == [sent]
            with trio.fail_after(10):
                while not sink.mails:  # noqa: ASYNC110 - the mail server's thread does not tell
                    await trio.sleep(0.01)
            (mail,) = sink.mails
            body = mail.get_body(("plain",))
            assert body is not None
            text = body.get_content()
            (url,) = (line for line in text.splitlines() if "/teams/invite?token=" in line)
            dan = asking_as(house, await person(house, "dan"))

            assert token_of(url) in text.splitlines(), "the token stands on a line of its own"
            assert (mail["To"], "ann" in text, "crew" in text) == (DAN, True, True)
            assert (await accept(dan, url)).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": None}, "email"),
        ({"email": 5}, "email"),
        ({"email": ""}, "email"),
        ({"email": "dan"}, "email"),
        ({"email": "dan@"}, "email"),
        ({"email": "a@b\r\nBcc: c@d"}, "email"),
        ({"email": "d" * 255 + "@example.org"}, "email"),
        ({"email": DAN, "role": "owner"}, "role"),
        ({"email": DAN, "role": "guest"}, "role"),
        ({"email": DAN, "role": ""}, "role"),
        ({"email": DAN, "role": None}, "role"),
        ({"email": DAN, "role": ["admin"]}, "role"),
    ],
)
async def test_what_cannot_be_an_invite_is_refused_by_name(crew: Crew, body: dict[str, Any], field: str) -> None:
    status, detail = refusal(await crew.ann.post(f"{crew.path}/invites", json=body))

    assert (status, field in detail) == (422, True)
    assert (await crew.ann.get(f"{crew.path}/invites")).json() == []


async def test_nobody_is_asked_twice_or_into_their_own_team(crew: Crew) -> None:
    await invite(crew.ann, crew)

    for email in ("DAN@example.org", "cid@example.org", "Ann@Example.org"):
        assert (await crew.bea.post(f"{crew.path}/invites", json={"email": email})).status == 409


async def test_a_deactivated_team_asks_nobody(crew: Crew) -> None:
    sent = await invite(crew.ann, crew)
    await crew.house.run_command("teams.set_active", SetTeamActive("crew", False))
    dan = asking_as(crew.house, await person(crew.house, "dan"))

    for answer in (
        await crew.ann.post(f"{crew.path}/invites", json={"email": "flo@example.org"}),
        await crew.ann.post(f"/api/teams/invites/{sent['id']}/resend"),
        await accept(dan, sent["accept_url"]),
        await crew.bea.delete(f"/api/teams/invites/{sent['id']}"),
    ):
        assert refusal(answer)[0] == 403
    assert (await crew.ann.delete(f"/api/teams/invites/{sent['id']}")).status == 204


# --- Sending again, cancelling ---------------------------------------------------------------------------------------


async def test_sent_again_it_has_another_link_and_a_week_of_its_own(crew: Crew, clock: SetClock) -> None:
    sent = await invite(crew.ann, crew)
    clock.set(clock.now() + WEEK * 2)
    assert (await crew.ann.get(f"{crew.path}/invites")).json() == []

    answer = await crew.bea.post(f"/api/teams/invites/{sent['id']}/resend")

    assert (answer.status, answer.body) == (204, b"")
    (again,) = (await crew.ann.get(f"{crew.path}/invites")).json()
    assert (again["id"], again["expires_at"]) == (sent["id"], "2030-01-23T12:00:00Z")
    assert again["accept_url"] == await newest(crew) != sent["accept_url"]
    dan = asking_as(crew.house, await person(crew.house, "dan"))
    assert (await accept(dan, sent["accept_url"])).status == 404
    assert (await accept(dan, again["accept_url"])).status == 200


async def test_a_cancelled_invite_opens_nothing(crew: Crew) -> None:
    sent = await invite(crew.ann, crew)
    dan = asking_as(crew.house, await person(crew.house, "dan"))

    assert (await crew.bea.delete(f"/api/teams/invites/{sent['id']}")).status == 204

    assert refusal(await accept(dan, sent["accept_url"]))[0] == 400
    assert (await crew.ann.get(f"{crew.path}/invites")).json() == []
    assert (await crew.ann.delete(f"/api/teams/invites/{sent['id']}")).status == 400
    assert (await crew.ann.post(f"/api/teams/invites/{sent['id']}/resend")).status == 400
    await invite(crew.ann, crew)


@pytest.mark.parametrize("invite_id", [UNKNOWN, "x", UNKNOWN.upper(), "accept", "%00", "1"])
async def test_an_invite_that_is_not_there_is_not_found(crew: Crew, invite_id: str) -> None:
    assert (await crew.ann.post(f"/api/teams/invites/{invite_id}/resend")).status == 404
    assert (await crew.ann.delete(f"/api/teams/invites/{invite_id}")).status in (404, 405)


async def test_invites_of_others_are_not_ones_own_to_send_or_cancel(crew: Crew) -> None:
    sent = await invite(crew.ann, crew)
    await make_team(crew.eve, "others")

    for client in (crew.cid, crew.eve, asking_as(crew.house, crew.eve_id, is_admin=True)):
        assert refusal(await client.post(f"/api/teams/invites/{sent['id']}/resend"))[0] == 403
        assert refusal(await client.delete(f"/api/teams/invites/{sent['id']}"))[0] == 403
    assert len((await crew.ann.get(f"{crew.path}/invites")).json()) == 1


async def test_an_address_is_not_flooded(crew: Crew) -> None:
    sent = await invite(crew.ann, crew)
    for _ in range(9):
        assert (await crew.ann.post(f"/api/teams/invites/{sent['id']}/resend")).status == 204

    answer = await crew.bea.post(f"/api/teams/invites/{sent['id']}/resend")

    assert refusal(answer)[0] == 429
    assert int(answer.headers["Retry-After"]) <= 360
    other = await make_team(crew.eve, "others")
    assert (await crew.eve.post(f"/api/teams/{other['id']}/invites", json={"email": DAN.upper()})).status == 429
    await invite(crew.ann, crew, "flo@example.org")


# --- Accepting -----------------------------------------------------------------------------------------------------


async def test_who_was_asked_joins_as_what_they_were_asked_to_be(crew: Crew) -> None:
    sent = await invite(crew.ann, crew, "DAN@example.org", role="admin")
    dan = asking_as(crew.house, dan_id := await person(crew.house, "dan"))

    answer = await accept(dan, sent["accept_url"])

    assert (answer.status, answer.json()) == (
        200,
        {**crew.team, "member_count": 4, "my_role": "admin"},
    )
    members = (await dan.get(f"{crew.path}/members")).json()
    assert (members[-1]["user_id"], members[-1]["role"]) == (str(dan_id), "admin")
    assert (await crew.ann.get(f"{crew.path}/invites")).json() == []
    assert "topics.team_invite_accepted" in await actions(crew.house)


async def test_a_key_joins_for_its_person(crew: Crew) -> None:
    sent = await invite(crew.ann, crew)
    dan_id = await person(crew.house, "dan")

    def with_key(*scopes: str) -> Client:
        principal = Principal("api_key", user_id=dan_id, credential_id=new_id(), scopes=frozenset(scopes))
        return Client(crew.house.dispatcher, principals=(principal,))

    assert (await accept(with_key("publish"), sent["accept_url"])).status == 403
    assert (await accept(with_key("teams"), sent["accept_url"])).status == 200


async def test_of_two_people_the_one_joins_who_was_asked(crew: Crew) -> None:
    sent = await invite(crew.ann, crew)
    dan_id = await person(crew.house, "dan")
    both = Client(crew.house.dispatcher, principals=(session_of(crew.eve_id), session_of(dan_id)))

    assert (await accept(both, sent["accept_url"])).status == 200

    assert (await crew.eve.get(crew.path)).status == 403


async def test_an_invite_is_nobody_elses(crew: Crew) -> None:
    sent = await invite(crew.ann, crew)
    nobody = NewUser(username="bot", email=None, tier="FREE", is_bot=True)
    bot = await crew.house.storage.write(lambda transaction: add_user(transaction, nobody))

    for client in (crew.eve, crew.cid, asking_as(crew.house, bot.id)):
        assert refusal(await accept(client, sent["accept_url"]))[0] == 403
    assert (await Client(crew.house.dispatcher).post("/api/teams/invites/accept", json={"token": "x"})).status == 401
    assert len((await crew.ann.get(f"{crew.path}/invites")).json()) == 1


async def test_it_is_used_once(crew: Crew) -> None:
    sent = await invite(crew.ann, crew)
    dan = asking_as(crew.house, dan_id := await person(crew.house, "dan"))
    statuses: list[int] = []

    async def join() -> None:
        statuses.append((await accept(dan, sent["accept_url"])).status)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(join)

    assert sorted(statuses) == [200, 409, 409]
    assert (await crew.ann.delete(f"{crew.path}/members/{dan_id}")).status == 204
    assert (await accept(dan, sent["accept_url"])).status == 409


async def test_it_lasts_a_week(crew: Crew, clock: SetClock) -> None:
    sent = await invite(crew.ann, crew)
    dan = asking_as(crew.house, await person(crew.house, "dan"))
    clock.set(clock.now() + WEEK)

    assert refusal(await accept(dan, sent["accept_url"]))[0] == 400
    await invite(crew.ann, crew)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"token": None}, 422),
        ({"token": 5}, 422),
        ({"token": ["x"]}, 422),
        ({"token": "x" * 1025}, 422),
        ({"token": ""}, 404),
        ({"token": "x"}, 404),
        ({"token": "\u0000"}, 404),
        ({"token": "é" * 200}, 404),
        ({"token": UNKNOWN}, 404),
    ],
)
async def test_what_is_no_token_joins_nothing(crew: Crew, body: dict[str, Any], status: int) -> None:
    assert refusal(await crew.eve.post("/api/teams/invites/accept", json=body))[0] == status


async def test_half_a_character_is_no_token(crew: Crew) -> None:
    answer = await crew.eve.post(
        "/api/teams/invites/accept", body=b'{"token": "\\ud800"}', headers={"Content-Type": "application/json"}
    )

    assert refusal(answer)[0] in (400, 404, 422)


async def test_an_invite_into_a_team_that_is_gone_is_gone(crew: Crew) -> None:
    sent = await invite(crew.ann, crew)
    dan = asking_as(crew.house, await person(crew.house, "dan"))
    await crew.ann.delete(crew.path)

    assert (await accept(dan, sent["accept_url"])).status == 404
    assert (await crew.ann.post(f"/api/teams/invites/{sent['id']}/resend")).status == 404


# --- Seats ---------------------------------------------------------------------------------------------------------


@pytest.mark.manor(config={"tiers": {"FREE": {"base_members": 4}}})
async def test_the_last_seat_is_taken_by_one(crew: Crew) -> None:
    """An invite takes no seat: there may be more of them than seats, until somebody joins."""
    sent = [await invite(crew.ann, crew, f"{name}@example.org") for name in ("dan", "flo", "gus")]
    people = [asking_as(crew.house, await person(crew.house, name)) for name in ("dan", "flo", "gus")]
    answers: list[int] = []

    async def join(number: int) -> None:
        answers.append((await accept(people[number], sent[number]["accept_url"])).status)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(join, number)

    assert sorted(answers) == [200, 403, 403]
    stats = (await crew.ann.get("/api/teams/stats")).json()
    assert (stats["used_members"], stats["available_members"], stats["percentage_used"]) == (4, 0, 100.0)
    assert refusal(await crew.ann.post(f"{crew.path}/invites", json={"email": "h@example.org"}))[0] == 403
    await crew.house.run_command("user.set_tier", SetTier("ann", "BUSINESS"))
    late = [await accept(people[number], sent[number]["accept_url"]) for number in range(3)]
    assert sorted(answer.status for answer in late) == [200, 200, 409]


@pytest.mark.manor(config={"tiers": {"FREE": {"base_members": 4}}})
async def test_the_seats_are_those_of_the_owners_plan_in_all_teams(crew: Crew) -> None:
    await crew.house.run_command("user.set_tier", SetTier("bea", "BUSINESS"))
    dan = asking_as(crew.house, await person(crew.house, "dan"))
    second = await make_team(crew.ann, "second")
    invites = f"/api/teams/{second['id']}/invites"

    # Who has a seat in another team of hers takes no more.
    for email in ("bea@example.org", "cid@example.org", DAN):
        assert (await crew.ann.post(invites, json={"email": email})).status == 201
    assert (await accept(dan, await newest(crew))).status == 200
    assert (await accept(crew.cid, await newest(crew, "cid@example.org"))).status == 200
    assert refusal(await crew.bea.post(f"{crew.path}/invites", json={"email": "flo@example.org"}))[0] == 403
    assert (await crew.ann.get("/api/teams/stats")).json()["used_members"] == 4
    assert (await crew.ann.delete(f"/api/teams/{second['id']}")).status == 204
    await invite(crew.bea, crew, "flo@example.org")
