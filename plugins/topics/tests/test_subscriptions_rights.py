"""Whose subscriptions are whose, and what becomes of them while their topic may not be read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from manor import Principal, add_member, create_team, remove_member, set_team_active
from manor.testing import Client, House
from tests.topic_people import (
    asking_as,
    make_topic,
    person,
    refusal,
    send,
    session_of,
    subscribed,
    subscriptions,
)

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
PATH = "/api/subscriptions"


@pytest.fixture
async def ann(house: House) -> Client:
    """Who has the public topic `news`."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client, "news", access_level="public", description="What is new", is_discoverable=True)
    return client


@pytest.fixture
async def bob(house: House, ann: Client) -> Client:
    """Who has nothing."""
    return asking_as(house, await person(house, "bob"))


# --- Other people --------------------------------------------------------------------------------------------------


async def test_other_peoples_subscriptions_are_not_there(ann: Client, bob: Client) -> None:
    made = await subscribed(bob)

    for answer in (
        await ann.patch(f"{PATH}/{made['id']}", json={"is_pinned": True}),
        await ann.delete(f"{PATH}/{made['id']}"),
    ):
        assert refusal(answer) == (404, "There is no such subscription of yours")
    assert await subscriptions(bob) == [made]
    assert made["id"] not in [each["id"] for each in await subscriptions(ann)]


@pytest.mark.parametrize("id_", [UNKNOWN, UNKNOWN.upper(), "news", "7", "%00", "by-topic", "check"])
async def test_an_id_that_nobody_knows_is_not_found(bob: Client, id_: str) -> None:
    assert (await bob.patch(f"{PATH}/{id_}", json={"is_pinned": True})).status == 404
    assert (await bob.delete(f"{PATH}/{id_}")).status == 404
    assert (await bob.delete(f"{PATH}/by-topic/{id_}")).status == 404


async def test_the_session_acts_where_a_key_of_somebody_else_comes_along(house: House, ann: Client) -> None:
    bob, eve = await person(house, "bob"), await person(house, "eve")
    key = Principal("api_key", user_id=eve, scopes=frozenset({"subscriptions"}))
    both = Client(house.dispatcher, principals=(key, session_of(bob)))

    made = await subscribed(both)

    assert made["user_id"] == str(bob)
    assert [each["id"] for each in await subscriptions(asking_as(house, bob))] == [made["id"]]
    assert await subscriptions(asking_as(house, eve)) == []


async def test_a_topics_token_does_not_open_it_to_its_bearer(house: House, ann: Client) -> None:
    secret = await make_topic(ann, "secret", access_level="private")
    bob = session_of(await person(house, "bob"))
    token = Principal("topic_token", scopes=frozenset({"read"}), resource=UUID(secret["id"]))

    answer = await Client(house.dispatcher, principals=(token, bob)).post(PATH, json={"topic_name": "secret"})

    assert answer.status == 403


# --- Access comes and goes -----------------------------------------------------------------------------------------


async def test_a_subscription_is_hidden_while_its_topic_may_not_be_read(ann: Client, bob: Client) -> None:
    made = await subscribed(bob)
    topic = f"/api/topics/{made['topic_id']}"
    await ann.patch(topic, json={"access_level": "private"})
    await send(ann, "x", "news")

    assert await subscriptions(bob) == []
    assert (await bob.get(f"{PATH}/check/news")).json()["subscribed"] is False
    assert (await bob.patch(f"{PATH}/{made['id']}", json={"is_pinned": True})).status == 404
    assert (await bob.post(PATH, json={"topic_name": "news"})).status == 403
    assert (await bob.get("/api/messages/recent")).json() == []

    await ann.patch(topic, json={"access_level": "public"})

    (again,) = await subscriptions(bob)
    assert (again["id"], again["unread_count"]) == (made["id"], 1)


async def test_a_hidden_subscription_may_be_ended(ann: Client, bob: Client) -> None:
    made = await subscribed(bob)
    await ann.patch(f"/api/topics/{made['topic_id']}", json={"access_level": "private"})

    assert (await bob.delete(f"{PATH}/{made['id']}")).status == 204

    await ann.patch(f"/api/topics/{made['topic_id']}", json={"access_level": "public"})
    assert await subscriptions(bob) == []


async def test_members_see_a_teams_topic_as_long_as_they_are_in_it(house: House) -> None:
    ann, bob = await person(house, "ann"), await person(house, "bob")

    def work(transaction: Any) -> UUID:
        team = create_team(transaction, ann, name="crew", display_name="Crew")
        add_member(transaction, team.id, bob, "member")
        return team.id

    team_id = await house.storage.write(work)
    await make_topic(asking_as(house, ann), "plans", team_id=str(team_id))
    member = asking_as(house, bob)
    made = await subscribed(member, "plans")
    assert made["team_id"] == str(team_id)

    await house.storage.write(lambda transaction: set_team_active(transaction, team_id, is_active=False))
    assert await subscriptions(member) == []
    await house.storage.write(lambda transaction: set_team_active(transaction, team_id, is_active=True))
    assert [each["id"] for each in await subscriptions(member)] == [made["id"]]
    await house.storage.write(lambda transaction: remove_member(transaction, team_id, bob))

    assert await subscriptions(member) == []


async def test_an_administrator_sees_what_is_private(house: House, ann: Client) -> None:
    await make_topic(ann, "secret", access_level="private")
    root = asking_as(house, await person(house, "root", is_admin=True), is_admin=True)

    made = await subscribed(root, "secret")

    assert [each["id"] for each in await subscriptions(root)] == [made["id"]]
