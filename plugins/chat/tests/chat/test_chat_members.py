"""Who is in a channel: coming, leaving, leading it, and how they hear of it."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing
from sqlalchemy import select

from manor import Event, add_member, from_chat_id
from manor_chat.events import ChannelMemberChanged
from manor_chat.store.people import change_profile, find_person
from manor_chat.tables.posts import thread_members
from tests.chat_channels import MEMBER_KEYS, kept, made, posts_of, refused, told
from tests.chat_people import API, Chatter, Crew, chatter, said

UNKNOWN = "y" * 26
NOTIFY_KEYS = {
    "desktop", "email", "push", "mark_unread", "ignore_channel_mentions", "desktop_threads", "push_threads",
    "channel_auto_follow_threads",
}  # fmt: skip


def members(channel: dict[str, Any], rest: str = "") -> str:
    return f"{API}/channels/{channel['id']}/members{rest}"


async def in_crew(crew: Crew, name: str) -> Chatter:
    new = await chatter(crew.house, name)
    await crew.house.storage.write(lambda transaction: add_member(transaction, crew.team_id, new.id))
    return new


# --- Coming --------------------------------------------------------------------------------------------------------


async def test_one_of_the_team_joins_a_public_channel(crew: Crew, heard: list[Event]) -> None:
    channel = await made(crew, crew.ann, "helm")
    heard.clear()
    answer = await crew.bob.client.post(members(channel), json={"user_id": crew.bob.chat_id})

    member = answer.json()
    assert (answer.status, set(member), set(member["notify_props"])) == (201, MEMBER_KEYS, NOTIFY_KEYS)
    assert (member["roles"], member["scheme_admin"], member["mention_count"]) == ("channel_user", False, 0)
    ((event, data),) = told(heard, "user_added")
    assert event.channel_id == from_chat_id(channel["id"])
    assert data == {"user_id": crew.bob.chat_id, "team_id": crew.team}
    post = (await posts_of(crew, channel))[0]
    assert (post["type"], post["user_id"], post["props"]) == ("system_join_channel", crew.bob.id, {"username": "bob"})
    heard.clear()
    again = await crew.bob.client.post(members(channel), json={"user_id": crew.bob.chat_id})
    assert (again.status, again.json()["user_id"]) == (201, crew.bob.chat_id)
    assert told(heard, "user_added") == told(heard, "posted") == []


async def test_who_is_added_by_another_is_named_in_a_post(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm", type="P")
    root = await said(crew.house, crew.ann, await kept(crew, channel), "Shall Bob come?")
    answer = await crew.ann.client.post(members(channel), json={"user_id": crew.bob.chat_id, "post_root_id": root})

    assert answer.status == 201
    post = (await posts_of(crew, channel))[0]
    assert (post["type"], post["user_id"], post["root_id"]) == (
        "system_add_to_channel",
        crew.ann.id,
        from_chat_id(root),
    )
    assert post["props"] == {
        "userId": crew.ann.chat_id,
        "username": "ann",
        "addedUserId": crew.bob.chat_id,
        "addedUsername": "bob",
    }
    assert (await crew.bob.client.get(members(channel, "/me"))).json()["mention_count"] == 1
    wrong = {"user_id": crew.ada.chat_id, "post_root_id": "short"}
    assert refused(await crew.ann.client.post(members(channel), json=wrong))[0] == 400


async def test_several_are_added_at_once_but_for_those_outside_the_team(crew: Crew) -> None:
    zoe, channel = await in_crew(crew, "zoe"), await made(crew, crew.ann, "helm")
    ids = [crew.bob.chat_id, crew.eve.chat_id, zoe.chat_id, UNKNOWN]
    answer = await crew.ann.client.post(members(channel), json={"user_ids": ids})
    assert [each["user_id"] for each in answer.json()] == [crew.bob.chat_id, zoe.chat_id]
    nobody = await crew.ann.client.post(members(channel), json={"user_ids": [crew.eve.chat_id, UNKNOWN]})
    assert refused(nobody) == (400, "api.channel.add_members.error")


async def test_who_may_not_come_is_refused_for_what_is_wrong(crew: Crew) -> None:
    open_, closed = await made(crew, crew.ann, "helm"), await made(crew, crew.ann, "galley", type="P")
    bob, eve = {"user_id": crew.bob.chat_id}, {"user_id": crew.eve.chat_id}

    assert refused(await crew.bob.client.post(members(closed), json=bob))[0] == 403
    assert refused(await crew.bob.client.post(members(open_), json={"user_ids": [crew.ada.chat_id]}))[0] == 403
    assert refused(await crew.eve.client.post(members(open_), json=eve))[0] == 403
    outside = await crew.ann.client.post(members(open_), json=eve)
    assert refused(outside) == (404, "app.team.get_member.missing.app_error")
    unknown = await crew.ann.client.post(members(open_), json={"user_id": UNKNOWN})
    assert refused(unknown) == (404, "app.user.missing_account.const")
    bodies: tuple[Any, ...] = (
        {},
        {"user_id": "short"},
        {"user_ids": []},
        {"user_ids": [UNKNOWN] * 257},
        {"user_ids": "all"},
    )
    for body in bodies:
        assert refused(await crew.ann.client.post(members(open_), json=body))[0] == 400
    await crew.ann.client.delete(f"{API}/channels/{open_['id']}")
    archived = await crew.bob.client.post(members(open_), json=bob)
    assert refused(archived) == (400, "api.channel.add_user.to.channel.failed.deleted.app_error")


# --- Leaving -------------------------------------------------------------------------------------------------------


async def test_everybody_may_leave_a_channel(crew: Crew, heard: list[Event]) -> None:
    channel = await made(crew, crew.bob, "helm")
    root = from_chat_id(await said(crew.house, crew.bob, await kept(crew, channel), "A question"))
    await said(crew.house, crew.bob, await kept(crew, channel), "An answer", root_id=root)
    heard.clear()
    assert (await crew.bob.client.delete(members(channel, "/me"))).json() == {"status": "OK"}

    removed = told(heard, "user_removed")
    channel_id = from_chat_id(channel["id"])
    assert [(event.channel_id, event.user_id, data) for event, data in removed] == [
        (channel_id, None, {"user_id": crew.bob.chat_id, "remover_id": crew.bob.chat_id}),
        (None, crew.bob.id, {"channel_id": channel["id"], "remover_id": crew.bob.chat_id}),
    ]
    assert [event.is_member for event in heard if isinstance(event, ChannelMemberChanged)] == [False]
    assert (await posts_of(crew, channel))[0]["type"] == "system_leave_channel"
    assert refused(await crew.bob.client.get(members(channel, "/me")))[0] == 404
    assert refused(await crew.bob.client.delete(members(channel, "/me")))[0] == 404
    query = select(thread_members.c.following, thread_members.c.has_replied).where(thread_members.c.root_id == root)
    rows = await crew.house.storage.read(lambda transaction: transaction.connection.execute(query).all())
    assert [tuple(row) for row in rows] == [(False, True)]


async def test_members_may_let_others_out(crew: Crew, heard: list[Event]) -> None:
    channel = await made(crew, crew.ann, "helm")
    await crew.bob.client.post(members(channel), json={"user_id": crew.bob.chat_id})
    zoe = await in_crew(crew, "zoe")
    assert refused(await zoe.client.delete(members(channel, f"/{crew.bob.chat_id}")))[0] == 403
    heard.clear()
    assert (await crew.ann.client.delete(members(channel, f"/{crew.bob.chat_id}"))).status == 200

    assert [data["remover_id"] for _, data in told(heard, "user_removed")] == [crew.ann.chat_id] * 2
    post = (await posts_of(crew, channel))[0]
    assert (post["type"], post["props"]["removedUsername"]) == ("system_remove_from_channel", "bob")
    assert refused(await crew.ann.client.delete(members(channel, f"/{crew.bob.chat_id}")))[0] == 404


async def test_nobody_leaves_the_default_channel(crew: Crew) -> None:
    town_square = (await crew.bob.client.get(f"{API}/teams/{crew.team}/channels/name/town-square")).json()
    refusal = await crew.bob.client.delete(members(town_square, "/me"))
    assert refused(refusal) == (400, "api.channel.remove.default.app_error")
    off_topic = (await crew.bob.client.get(f"{API}/teams/{crew.team}/channels/name/off-topic")).json()
    assert (await crew.bob.client.delete(members(off_topic, "/me"))).status == 200


# --- Looking -------------------------------------------------------------------------------------------------------


async def test_members_are_listed_in_pages_and_by_ids(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm")
    await crew.bob.client.post(members(channel), json={"user_id": crew.bob.chat_id})
    everybody = (await crew.bob.client.get(members(channel))).json()
    assert {each["user_id"] for each in everybody} == {crew.ann.chat_id, crew.bob.chat_id}
    assert all(set(each) == MEMBER_KEYS for each in everybody)
    pages = [(await crew.bob.client.get(members(channel, f"?per_page=1&page={page}"))).json() for page in range(3)]
    assert [each for page in pages for each in page] == everybody
    assert (await crew.bob.client.get(members(channel, "?per_page=-1&page=x"))).json() == everybody

    some = await crew.bob.client.post(members(channel, "/ids"), json=[crew.bob.chat_id, crew.eve.chat_id, UNKNOWN])
    assert [each["user_id"] for each in some.json()] == [crew.bob.chat_id]
    assert refused(await crew.bob.client.post(members(channel, "/ids"), json=[]))[0] == 400
    missing = await crew.bob.client.get(members(channel, f"/{crew.eve.chat_id}"))
    assert refused(missing) == (404, "app.channel.get_member.missing.app_error")
    for path in ("", "/me", f"/{crew.ann.chat_id}"):
        assert refused(await crew.eve.client.get(members(channel, path)))[0] == 403
    assert refused(await crew.eve.client.post(members(channel, "/ids"), json=[UNKNOWN]))[0] == 403


async def test_somebodys_memberships_in_a_team_are_theirs_and_administrators_to_see(crew: Crew) -> None:
    await made(crew, crew.ann, "helm")
    mine = (await crew.ann.client.get(f"{API}/users/me/teams/{crew.team}/channels/members")).json()
    assert len(mine) == 3
    assert all(set(each) == MEMBER_KEYS and each["user_id"] == crew.ann.chat_id for each in mine)
    anns = f"{API}/users/{crew.ann.chat_id}/teams/{crew.team}/channels/members"
    assert refused(await crew.bob.client.get(anns))[0] == 403
    assert (await crew.ada.client.get(anns)).json() == mine
    assert refused(await crew.eve.client.get(f"{API}/users/me/teams/{crew.team}/channels/members"))[0] == 403


async def test_time_zones_are_told_once_each(crew: Crew) -> None:
    def work(transaction: Any) -> None:
        zones: list[tuple[Chatter, dict[str, str]]] = [
            (crew.ann, {"useAutomaticTimezone": "true", "automaticTimezone": "Europe/Berlin", "manualTimezone": "x"}),
            (crew.bob, {"useAutomaticTimezone": "false", "manualTimezone": "Europe/Berlin"}),
            (crew.ada, {"manualTimezone": "Asia/Tokyo"}),
        ]
        for who, timezone in zones:
            person = find_person(transaction, who.id)
            assert person is not None
            change_profile(transaction, person, timezone=timezone)

    await crew.house.storage.write(work)
    path = f"{API}/channels/{(await of_team(crew, 'off-topic'))['id']}/timezones"
    assert (await crew.ann.client.get(path)).json() == ["Europe/Berlin"]
    assert refused(await crew.eve.client.get(path))[0] == 403


async def of_team(crew: Crew, name: str) -> dict[str, Any]:
    found: dict[str, Any] = (await crew.ann.client.get(f"{API}/teams/{crew.team}/channels/name/{name}")).json()
    return found


async def test_how_many_are_in_channels_is_told_to_those_who_may_read_all_of_them(crew: Crew) -> None:
    open_, closed = await made(crew, crew.ann, "helm"), await made(crew, crew.ann, "galley", type="P")
    path, ids = f"{API}/channels/stats/member_count", [open_["id"], closed["id"]]
    assert (await crew.ann.client.post(path, json=ids)).json() == {open_["id"]: 1, closed["id"]: 1}
    assert (await crew.bob.client.post(path, json=ids[:1])).json() == {open_["id"]: 1}
    assert refused(await crew.bob.client.post(path, json=ids))[0] == 403
    assert refused(await crew.ann.client.post(path, json=[*ids, UNKNOWN]))[0] == 404
    assert refused(await crew.ann.client.post(path, json=["short"]))[0] == 400


# --- Settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rest", "leads", "follows"),
    [
        ("roles", {"roles": "channel_user channel_admin"}, {"roles": "channel_user"}),
        (
            "schemeRoles",
            {"scheme_admin": True, "scheme_user": True},
            {"scheme_admin": False, "scheme_user": True, "scheme_guest": False},
        ),
    ],
)
async def test_a_channel_is_led_by_whom_its_leaders_say(
    crew: Crew, heard: list[Event], rest: str, leads: dict[str, Any], follows: dict[str, Any]
) -> None:
    channel = await made(crew, crew.ann, "helm")
    await crew.bob.client.post(members(channel), json={"user_id": crew.bob.chat_id})
    bobs = members(channel, f"/{crew.bob.chat_id}")
    assert refused(await crew.bob.client.put(f"{bobs}/{rest}", json=leads))[0] == 403
    heard.clear()
    assert (await crew.ann.client.put(f"{bobs}/{rest}", json=leads)).json() == {"status": "OK"}

    shown = (await crew.bob.client.get(bobs)).json()
    assert (shown["roles"], shown["scheme_admin"]) == ("channel_user channel_admin", True)
    ((event, data),) = told(heard, "channel_member_updated")
    assert (event.user_id, data["channelMember"]) == (crew.bob.id, shown)
    assert (await crew.bob.client.put(members(channel, f"/{crew.ann.chat_id}/{rest}"), json=follows)).status == 200
    assert not (await crew.ann.client.get(members(channel, "/me"))).json()["scheme_admin"]
    missing = await crew.bob.client.put(members(channel, f"/{crew.ada.chat_id}/{rest}"), json=leads)
    assert refused(missing)[0] == 404


@pytest.mark.parametrize("roles", ["system_admin", "channel_user team_admin", "channel_guest", "nonsense", 7, None])
async def test_only_roles_of_channels_are_given(crew: Crew, roles: Any) -> None:
    channel = await made(crew, crew.ann, "helm")
    refusal = await crew.ann.client.put(members(channel, "/me/roles"), json={"roles": roles})
    assert refused(refusal)[0] == 400
    guest = {"scheme_admin": True, "scheme_user": False}
    assert refused(await crew.ann.client.put(members(channel, "/me/schemeRoles"), json=guest))[0] == 400


async def test_notify_props_change_one_by_one(crew: Crew, heard: list[Event]) -> None:
    channel = await made(crew, crew.ann, "helm")
    path = members(channel, "/me/notify_props")
    heard.clear()
    assert (await crew.ann.client.put(path, json={"mark_unread": "mention", "channel_id": "x"})).status == 200
    assert (await crew.ann.client.put(path, json={"desktop": "none", "strange": "x"})).json() == {"status": "OK"}

    props = (await crew.ann.client.get(members(channel, "/me"))).json()["notify_props"]
    assert set(props) == NOTIFY_KEYS
    assert (props["mark_unread"], props["desktop"], props["push"]) == ("mention", "none", "default")
    assert told(heard, "channel_member_updated")[-1][1]["channelMember"]["notify_props"] == props
    bodies: tuple[Any, ...] = ({"desktop": "loud"}, {"mark_unread": True}, [], "x")
    for wrong in bodies:
        assert refused(await crew.ann.client.put(path, json=wrong))[0] == 400
    anns = members(channel, f"/{crew.ann.chat_id}/notify_props")
    assert refused(await crew.bob.client.put(anns, json={"desktop": "all"}))[0] == 403
    assert (await crew.ada.client.put(anns, json={"desktop": "all"})).status == 200
    assert refused(await crew.bob.client.put(path, json={"desktop": "all"}))[0] == 404


async def test_newcomers_come_into_public_default_channels_alone(crew: Crew) -> None:
    off_topic = await of_team(crew, "off-topic")
    await crew.ann.client.put(f"{API}/channels/{off_topic['id']}/privacy", json={"privacy": "P"})
    zoe = await in_crew(crew, "zoe")
    await trio.testing.wait_all_tasks_blocked()

    found = (await zoe.client.get(f"{API}/users/me/teams/{crew.team}/channels")).json()
    assert [channel["name"] for channel in found] == ["town-square"]
