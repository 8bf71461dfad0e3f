"""Lists of people: who is in them, in which order, and who may see them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, update

from manor import Transaction, add_member, new_id, set_active, to_chat_id
from manor.testing import House
from manor_chat.channels.membership import join_channel
from manor_chat.store.channels import Channel, add_channel
from manor_chat.store.people import change_profile, find_person
from manor_chat.tables.channels import channel_members
from manor_chat.tables.personal import statuses
from manor_chat.teams.keeping import keep_member
from tests.chat_people import API, Crew, chatter
from tests.chat_sign_in import told_id

BAD_BODY = (400, "api.context.invalid_body_param.app_error")
BAD_URL = (400, "api.context.invalid_url_param.app_error")
FORBIDDEN = (403, "api.context.permissions.app_error")
NO_GROUPS = (501, "api.ldap_groups.license_error")


async def names(client: Any, query: str) -> list[str]:
    answer = await client.get(f"{API}/users{query}")
    assert answer.status == 200, answer.text
    return [user["username"] for user in answer.json()]


async def profile(house: House, user_id: UUID, **changes: Any) -> None:
    def work(transaction: Transaction) -> None:
        person = find_person(transaction, user_id)
        assert person is not None
        change_profile(transaction, person, **changes)

    await house.storage.write(work)


async def group_of(house: House, *ids: UUID, kind: str = "G", team_id: UUID | None = None) -> Channel:
    channel = Channel(
        id=new_id(), team_id=team_id, type=kind, name=str(new_id()), display_name="", create_at=1, update_at=1
    )

    def work(transaction: Transaction) -> None:
        add_channel(transaction, channel)
        for user_id in ids:
            person = find_person(transaction, user_id)
            assert person is not None
            join_channel(transaction, channel, person, is_said=False)

    await house.storage.write(work)
    return channel


async def test_people_stand_by_their_names_page_by_page(crew: Crew) -> None:
    bob = crew.bob.client

    assert await names(bob, "") == ["ada", "ann", "bob", "eve"]
    assert await names(bob, "?per_page=3&page=1") == ["eve"]
    assert await names(bob, "?per_page=junk&page=-1") == ["ada", "ann", "bob", "eve"]
    assert await names(bob, "?per_page=9999999") == ["ada", "ann", "bob", "eve"]
    answer = await bob.get(f"{API}/users")
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await bob.get(f"{API}/users", headers=known)).status == 304


async def test_a_list_is_of_those_who_are_where_it_says(house: House, crew: Crew) -> None:
    bob, team = crew.bob.client, crew.team
    channel = to_chat_id((await group_of(house, crew.bob.id, crew.eve.id)).id)
    await house.storage.write(lambda transaction: set_active(transaction, crew.eve.id, False))

    assert await names(bob, f"?in_team={team}") == ["ann", "bob"]
    assert await names(bob, f"?not_in_team={team}") == ["ada", "eve"]
    assert await names(bob, f"?in_channel={channel}") == ["bob", "eve"]
    assert await names(bob, f"?in_channel={channel}&active=true") == ["bob"]
    assert await names(bob, f"?in_channel={channel}&inactive=true") == ["eve"]
    assert await names(bob, f"?in_team={team}&not_in_channel={channel}") == ["ann"]
    assert await names(bob, "?active=1") == ["ada", "ann", "bob"]
    assert await names(crew.ada.client, "?without_team=true") == ["ada", "eve"]
    assert await names(bob, "?role=system_admin") == ["ada"]
    assert await names(bob, "?roles=system_admin,system_user") == ["ada", "ann", "bob", "eve"]
    assert await names(bob, f"?in_team={team}&team_roles=team_admin") == ["ann"]
    assert await names(bob, f"?in_team={team}&team_roles=team_user") == ["bob"]
    assert await names(bob, "?team_roles=team_user") == []
    assert await names(bob, f"?in_channel={channel}&channel_roles=channel_user") == ["bob", "eve"]
    assert await names(bob, f"?in_channel={channel}&channel_roles=channel_admin") == []
    await profile(house, crew.ann.id, roles="system_user_access_token")
    assert await names(bob, "?role=system_user_access_token") == ["ann"]


async def test_a_list_stands_in_the_order_that_is_asked_for(house: House, crew: Crew) -> None:
    zoe = await chatter(house, "zoe")

    def work(transaction: Transaction) -> None:
        add_member(transaction, crew.team_id, zoe.id)
        keep_member(transaction, crew.team_id, zoe.id)
        for user_id, status, seen in ((crew.bob.id, "online", 5), (zoe.id, "away", 9)):
            row = {"user_id": user_id, "status": status, "manual": False, "last_activity_at": seen}
            transaction.connection.execute(insert(statuses).values(row | {"dnd_end_time": 0, "prev_status": ""}))

    await house.storage.write(work)
    bob, team = crew.bob.client, f"?in_team={crew.team}"

    assert await names(bob, f"{team}&sort=last_activity_at") == ["zoe", "bob", "ann"]
    assert await names(bob, f"{team}&sort=create_at") == ["ann", "bob", "zoe"]
    channel = f"?in_channel={to_chat_id(crew.off_topic.id)}"
    assert await names(bob, f"{channel}&sort=status") == ["bob", "zoe", "ann"]

    def lead(transaction: Transaction) -> None:
        leads = (channel_members.c.channel_id == crew.off_topic.id) & (channel_members.c.user_id == zoe.id)
        transaction.connection.execute(update(channel_members).where(leads).values(is_admin=True))

    await house.storage.write(lead)
    assert await names(bob, f"{channel}&sort=admin") == ["zoe", "ann", "bob"]
    assert await names(bob, f"{channel}&sort=admin&per_page=1&page=1") == ["ann"]


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("?in_team=x", BAD_URL),
        ("?in_channel=%00", BAD_URL),
        ("?not_in_team=" + "y" * 27, BAD_URL),
        ("?active=true&inactive=true", BAD_URL),
        ("?sort=password", BAD_URL),
        ("?sort=create_at", BAD_URL),
        ("?role=king", BAD_URL),
        ("?team_roles=king", BAD_URL),
        ("?in_team=" + "y" * 26, (404, "app.team.get.find.app_error")),
        ("?in_channel=" + "y" * 26, (404, "app.channel.get.existing.app_error")),
        ("?in_group=" + "y" * 26, NO_GROUPS),
        ("?group_constrained=true", NO_GROUPS),
        ("?without_team=true", FORBIDDEN),
    ],
)
async def test_what_is_no_list_is_refused(crew: Crew, query: str, refusal: tuple[int, str]) -> None:
    assert told_id(await crew.bob.client.get(f"{API}/users{query}")) == refusal


async def test_strangers_to_a_team_see_nobody_in_it(house: House, crew: Crew) -> None:
    channel = to_chat_id(crew.off_topic.id)
    for query in (f"?in_team={crew.team}", f"?not_in_team={crew.team}", f"?in_channel={channel}"):
        assert told_id(await crew.eve.client.get(f"{API}/users{query}")) == FORBIDDEN
    for body in ({"term": "a", "team_id": crew.team}, {"term": "a", "not_in_channel_id": channel}):
        assert told_id(await crew.eve.client.post(f"{API}/users/search", json=body)) == FORBIDDEN
    for query in (f"in_team={crew.team}", f"in_channel={channel}"):
        assert told_id(await crew.eve.client.get(f"{API}/users/autocomplete?name=a&{query}")) == FORBIDDEN


async def test_several_are_asked_for_by_id_or_name(house: House, crew: Crew) -> None:
    bob = crew.bob.client
    await profile(house, crew.eve.id, update_at=2_000_000_000_000)

    async def posted(path: str, body: Any) -> list[str]:
        answer = await bob.post(f"{API}/users/{path}", json=body)
        assert answer.status == 200, answer.text
        return [user["username"] for user in answer.json()]

    assert await posted("ids", [crew.eve.chat_id, crew.ann.chat_id, "y" * 26]) == ["ann", "eve"]
    assert await posted("ids?since=1999999999999", [crew.eve.chat_id, crew.ann.chat_id]) == ["eve"]
    assert await posted("ids?since=junk", [crew.ann.chat_id]) == ["ann"]
    assert await posted("usernames", ["EVE", "nobody"]) == ["eve"]
    for path, body in (
        ("ids", []),
        ("ids", ["x"]),
        ("ids", {}),
        ("ids", [1]),
        ("usernames", []),
        ("usernames", [None]),
    ):
        assert told_id(await bob.post(f"{API}/users/{path}", json=body)) == BAD_BODY
    assert told_id(await bob.post(f"{API}/users/usernames", json=["x"] * 1001)) == BAD_BODY


async def test_the_others_of_ones_own_group_channels_are_found(house: House, crew: Crew) -> None:
    mine = to_chat_id((await group_of(house, crew.ann.id, crew.bob.id, crew.eve.id)).id)
    others = to_chat_id((await group_of(house, crew.ann.id, crew.eve.id, crew.ada.id)).id)
    direct = to_chat_id((await group_of(house, crew.bob.id, crew.eve.id, kind="D")).id)

    answer = await crew.bob.client.post(f"{API}/users/group_channels", json=[mine, others, direct])

    assert {key: [user["username"] for user in users] for key, users in answer.json().items()} == {mine: ["ann", "eve"]}
    assert told_id(await crew.bob.client.post(f"{API}/users/group_channels", json=[])) == BAD_BODY


async def test_whom_one_shares_a_channel_with_is_known(house: House, crew: Crew) -> None:
    assert (await crew.bob.client.get(f"{API}/users/known")).json() == [crew.ann.chat_id]
    assert (await crew.eve.client.get(f"{API}/users/known")).json() == []
    await group_of(house, crew.bob.id, crew.eve.id, kind="D")
    assert set((await crew.bob.client.get(f"{API}/users/known")).json()) == {crew.ann.chat_id, crew.eve.chat_id}


async def test_the_active_are_counted(house: House, crew: Crew) -> None:
    assert (await crew.bob.client.get(f"{API}/users/stats")).json() == {"total_users_count": 4}
    await house.storage.write(lambda transaction: set_active(transaction, crew.eve.id, False))
    assert (await crew.bob.client.get(f"{API}/users/stats")).json() == {"total_users_count": 3}


async def test_people_are_found_by_the_beginning_of_any_name(house: House, crew: Crew) -> None:
    await profile(
        house, crew.ann.id, first_name="Marie Luise", last_name="Lee_100%", nickname="\u042e\u0440\u0438\u0439"
    )

    async def found(term: str, **more: Any) -> list[str]:
        answer = await crew.bob.client.post(f"{API}/users/search", json={"term": term, **more})
        assert answer.status == 200, answer.text
        return [user["username"] for user in answer.json()]

    for term in (
        "an",
        "@AN",
        "mar",
        "luise",
        "lee_1",
        "Ann@exa",
        "\u044e\u0440",
        "\u042e\u0420",
        "ann lee",
        "lee marie",
    ):
        assert await found(term) == ["ann"], term
    for term in ("nn", "_", "%", "le%", "ann bob", "\u00fc", "' OR 1=1 --", "\x00"):
        assert await found(term) == [], term
    assert await found("a", limit=1) == ["ada"]
    assert await found("a", team_id=crew.team) == ["ann"]
    assert await found("a", not_in_team_id=crew.team) == ["ada"]
    assert await found("b", in_channel_id=to_chat_id(crew.off_topic.id)) == ["bob"]
    assert await found("a", not_in_channel_id=to_chat_id(crew.off_topic.id)) == ["ada"]
    await house.storage.write(lambda transaction: set_active(transaction, crew.ann.id, False))
    assert await found("an") == []
    assert await found("an", allow_inactive=True) == ["ann"]


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, BAD_BODY),
        ({"term": ""}, BAD_BODY),
        ({"term": 1}, BAD_BODY),
        ({"term": "a", "limit": 0}, BAD_BODY),
        ({"term": "a", "limit": 1001}, BAD_BODY),
        ({"term": "a", "team_id": "x"}, BAD_BODY),
        ({"term": "a", "in_channel_id": "x"}, BAD_BODY),
        ({"term": "a", "team_id": "y" * 26}, (404, "app.team.get.find.app_error")),
        ({"term": "a", "in_group_id": "y" * 26}, NO_GROUPS),
        ({"term": "a", "without_team": True}, FORBIDDEN),
    ],
)
async def test_what_is_no_search_is_refused(crew: Crew, body: dict[str, Any], refusal: tuple[int, str]) -> None:
    assert told_id(await crew.bob.client.post(f"{API}/users/search", json=body)) == refusal


@pytest.mark.parametrize("style", [("in_team", "in_channel"), ("team_id", "channel_id")])
async def test_what_is_typed_finds_those_in_the_channel_and_those_of_the_team(
    house: House, crew: Crew, style: tuple[str, str]
) -> None:
    zoe, abe = await chatter(house, "zoe"), await chatter(house, "abe")

    def work(transaction: Transaction) -> None:
        for each in (zoe, abe):
            add_member(transaction, crew.team_id, each.id)

    await house.storage.write(work)
    deck = await group_of(house, crew.ann.id, crew.bob.id, kind="O", team_id=crew.team_id)
    team, channel = style
    bob, off_topic = crew.bob.client, to_chat_id(deck.id)

    async def typed(query: str) -> dict[str, list[str] | None]:
        answer = await bob.get(f"{API}/users/autocomplete?{query}")
        assert answer.status == 200, answer.text
        return {key: [user["username"] for user in users] for key, users in answer.json().items()}

    assert await typed("name=a") == {"users": ["abe", "ada", "ann"]}
    assert await typed(f"name=a&{team}={crew.team}") == {"users": ["abe", "ann"]}
    expected = {"users": ["ann"], "out_of_channel": ["abe"]}
    assert await typed(f"name=a&{team}={crew.team}&{channel}={off_topic}") == expected
    assert await typed(f"name=a&{channel}={off_topic}&limit=1") == expected
    assert await typed(f"name=&{channel}={off_topic}&limit=junk") == {
        "users": ["ann", "bob"],
        "out_of_channel": ["abe", "zoe"],
    }
    direct = to_chat_id((await group_of(house, crew.bob.id, crew.eve.id, kind="D")).id)
    assert await typed(f"name=e&{team}={crew.team}&{channel}={direct}") == {"users": ["eve"], "out_of_channel": []}
    for bad in (f"{team}=x", f"{channel}=x"):
        assert told_id(await bob.get(f"{API}/users/autocomplete?name=a&{bad}")) == BAD_URL
