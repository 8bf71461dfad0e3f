"""What members have not read: counters of channels, and marking posts as unread."""

from __future__ import annotations

import pytest

from manor import Event
from manor.testing import House, SetClock
from tests.chat_people import API, Crew, said
from tests.chat_posts import Desk, id_of


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


async def test_posts_count_for_those_who_have_not_read_them(desk: Desk) -> None:
    crew = desk.crew
    assert await desk.counts(crew.bob) == (0, 0, 0, 0)
    root = await desk.post(crew.ann, "@bob")
    await desk.reply(crew.ann, root, "@bob again")
    await desk.reply(crew.ann, root)
    assert await desk.counts(crew.bob) == (3, 1, 2, 1)
    assert await desk.counts(crew.ann) == (0, 0, 0, 0)
    await desk.post(crew.bob)
    assert await desk.counts(crew.bob) == (0, 0, 0, 0)
    assert await desk.counts(crew.ann) == (1, 1, 0, 0)
    await desk.do(crew.ann, "POST", "/channels/members/me/view", {"channel_id": desk.channel})
    assert await desk.counts(crew.ann) == (0, 0, 0, 0)


async def test_a_post_marked_unread_is_unread_with_all_after_it(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann, "@bob one")
    middle = await desk.post(crew.ann, "two")
    await desk.reply(crew.ann, root, "`@bob` three")
    await desk.reply(crew.ann, root, "@channel four")
    gone = await desk.post(crew.ann, "@bob gone")
    await desk.do(crew.ann, "DELETE", f"/posts/{gone['id']}")
    await desk.post(crew.bob, "five, mine @bob")
    assert await desk.counts(crew.bob) == (0, 0, 0, 0)
    answer = await desk.do(crew.bob, "POST", f"/users/me/posts/{middle['id']}/set_unread", {"other": 1})

    assert await desk.counts(crew.bob) == (4, 2, 1, 0)
    member = await desk.member(crew.bob)
    assert answer == {
        "team_id": crew.team,
        "user_id": crew.bob.chat_id,
        "channel_id": desk.channel,
        "msg_count": member.msg_count,
        "mention_count": 1,
        "mention_count_root": 0,
        "urgent_mention_count": 0,
        "msg_count_root": member.msg_count_root,
        "last_viewed_at": middle["create_at"] - 1,
        "notify_props": {},
    }
    told = desk.told("post_unread")[-1]
    assert (told.user_id, told.channel_id, told.team_id) == (crew.bob.id, crew.off_topic.id, crew.team_id)
    assert desk.data("post_unread") == {
        name: answer[name]
        for name in (
            "msg_count",
            "msg_count_root",
            "mention_count",
            "mention_count_root",
            "urgent_mention_count",
            "last_viewed_at",
        )
    } | {"post_id": middle["id"]}
    await desk.do(crew.bob, "POST", f"/users/me/posts/{root['id']}/set_unread")
    assert await desk.counts(crew.bob) == (5, 3, 2, 1)


async def test_in_channels_of_people_each_post_of_others_is_a_mention(desk: Desk) -> None:
    crew = desk.crew
    direct = await desk.direct(crew.ann, crew.bob)
    first = await desk.post(crew.ann, "x", channel_id=direct)
    await desk.post(crew.bob, "y", channel_id=direct)
    await desk.post(crew.ann, "z", channel_id=direct)
    await desk.do(crew.bob, "POST", f"/users/me/posts/{first['id']}/set_unread", {})
    assert await desk.counts(crew.bob, direct) == (3, 3, 2, 2)


async def test_only_oneself_and_administrators_mark_unread(desk: Desk) -> None:
    crew, post = desk.crew, await desk.post(desk.crew.ann)
    path = f"{API}/users/{crew.bob.chat_id}/posts/{post['id']}/set_unread"
    for who, status in ((crew.bob, 200), (crew.ann, 403), (crew.eve, 403), (crew.ada, 200)):
        assert (await who.client.post(path, json={})).status == status, who.username
    for post_id, status in (("nope", 400), ("y" * 26, 404)):
        assert (await crew.bob.client.post(f"{API}/users/me/posts/{post_id}/set_unread", json={})).status == status
    not_in = f"{API}/users/{crew.eve.chat_id}/posts/{post['id']}/set_unread"
    assert (await crew.ada.client.post(not_in, json={})).status == 404
    assert (await crew.ada.client.post(f"{API}/users/{'y' * 26}/posts/{post['id']}/set_unread", json={})).status == 404


async def test_comings_and_goings_are_not_unread(desk: Desk) -> None:
    crew = desk.crew
    for _ in range(3):
        await desk.post(crew.ann)
    await desk.do(crew.ada, "POST", f"/teams/{crew.team}/members", {"team_id": crew.team, "user_id": crew.eve.chat_id})
    await desk.post(crew.ann)
    listed = await desk.get(crew.ann, f"/channels/{desk.channel}/posts")
    joined = listed["posts"][listed["order"][1]]
    assert joined["type"].startswith("system_")
    await desk.do(crew.bob, "POST", f"/users/me/posts/{joined['id']}/set_unread", {})
    assert await desk.counts(crew.bob) == (1, 1, 0, 0)


async def test_what_a_webhook_writes_in_somebodys_name_they_have_not_read(desk: Desk) -> None:
    crew = desk.crew
    hooked = {"props": {"from_webhook": "true"}}
    desk.wait()
    root = await said(desk.house, crew.ann, crew.off_topic, "@ann, look", **hooked)
    assert await desk.counts(crew.ann) == (1, 1, 1, 1)
    await desk.post(crew.bob, "So it is", root_id=root)
    threads = await desk.get(crew.ann, f"/users/me/teams/{crew.team}/threads", threadsOnly="true")
    assert threads["threads"] != []
    other = await said(desk.house, crew.ann, crew.off_topic, "plain", **hooked)
    await desk.post(crew.bob, "So it is", root_id=other)
    assert desk.told("posted")[-1].followers == (crew.bob.id,)
    await said(desk.house, crew.ann, crew.off_topic, "plain", root_id=id_of(root), **hooked)
    thread = await desk.get(crew.ann, f"/users/me/teams/{crew.team}/threads/{root}")
    assert (thread["reply_count"], thread["unread_replies"]) == (2, 2)
