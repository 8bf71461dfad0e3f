"""Deleting posts."""

from __future__ import annotations

import json

import pytest

from manor import Event
from manor.testing import House, SetClock
from manor_chat.events import PostDeleted
from manor_chat.store.threads import find_thread_member
from tests.chat_people import API, Crew
from tests.chat_posts import Desk, id_of


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


async def test_a_deleted_post_is_there_no_more(desk: Desk) -> None:
    crew, post = desk.crew, await desk.post(desk.crew.ann, "secret")
    desk.wait()
    assert await desk.do(crew.ann, "DELETE", f"/posts/{post['id']}") == {"status": "OK"}

    assert (await crew.ann.client.get(f"{API}/posts/{post['id']}")).status == 404
    assert (await crew.ann.client.delete(f"{API}/posts/{post['id']}")).status == 404
    others, admins = desk.told("post_deleted")
    assert (others.audience, admins.audience) == ("others", "admins")
    told = json.loads(json.loads(others.data)["post"])
    assert (told["id"], told["state"], told["message"]) == (post["id"], "DELETED", "")
    assert told["delete_at"] == told["update_at"] > post["update_at"]
    assert "delete_by" not in json.loads(others.data)
    assert json.loads(admins.data)["delete_by"] == crew.ann.chat_id
    assert PostDeleted(post_id=id_of(post["id"]), channel_id=crew.off_topic.id) in desk.heard


async def test_own_posts_and_those_of_others(desk: Desk) -> None:
    crew = desk.crew
    for who, status in ((crew.eve, 403), (crew.bob, 403), (crew.ann, 200), (crew.ada, 200)):
        # Ann administers the team.
        post = await desk.post(crew.ann if who is crew.bob else crew.bob)
        assert (await who.client.delete(f"{API}/posts/{post['id']}")).status == status, who.username
    own = await desk.post(crew.bob)
    assert (await crew.bob.client.delete(f"{API}/posts/{own['id']}")).status == 200
    for post_id, status in (("nope", 400), ("y" * 26, 404)):
        assert (await crew.bob.client.delete(f"{API}/posts/{post_id}")).status == status


async def test_what_nobody_has_read_is_unread_no_more(desk: Desk) -> None:
    crew = desk.crew
    read = await desk.post(crew.ann, "@bob read")
    await desk.post(crew.bob, "I have")
    unread = await desk.post(crew.ann, "@bob @channel")
    await desk.post(crew.ann, "still")
    assert await desk.counts(crew.bob) == (2, 2, 1, 1)
    await desk.do(crew.ann, "DELETE", f"/posts/{read['id']}")
    assert await desk.counts(crew.bob) == (2, 2, 1, 1)
    await desk.do(crew.ann, "DELETE", f"/posts/{unread['id']}")
    assert await desk.counts(crew.bob) == (1, 1, 0, 0)
    assert await desk.counts(crew.ann) == (0, 0, 0, 0)


async def test_what_made_nothing_unread_leaves_all_as_it_was(desk: Desk) -> None:
    crew = desk.crew
    await desk.do(crew.ada, "POST", f"/teams/{crew.team}/members", {"team_id": crew.team, "user_id": crew.eve.chat_id})
    came = (await desk.get(crew.ann, f"/channels/{desk.channel}/posts"))["order"][0]
    await desk.post(crew.ann)
    await desk.do(crew.bob, "POST", f"/users/me/posts/{came}/set_unread")
    assert await desk.counts(crew.bob) == (1, 1, 0, 0)
    await desk.do(crew.ada, "DELETE", f"/posts/{came}")
    assert await desk.counts(crew.bob) == (1, 1, 0, 0)


async def test_of_a_thread_that_is_deleted_only_what_was_not_read_counts(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann, "@bob")
    await desk.reply(crew.ann, root)
    await desk.do(crew.bob, "POST", "/channels/members/me/view", {"channel_id": desk.channel})
    await desk.reply(crew.ann, root, "@bob")
    await desk.post(crew.ann, "@bob")
    assert await desk.counts(crew.bob) == (2, 1, 2, 1)
    await desk.do(crew.ann, "DELETE", f"/posts/{root['id']}")
    assert await desk.counts(crew.bob) == (1, 1, 1, 1)


async def test_whom_a_post_mentioned_before_it_was_edited_counts(desk: Desk) -> None:
    crew, post = desk.crew, await desk.post(desk.crew.ann, "@bob")
    await desk.do(crew.ann, "PUT", f"/posts/{post['id']}/patch", {"message": "nobody"})
    assert (await desk.counts(crew.bob))[2] == 1
    await desk.do(crew.ann, "DELETE", f"/posts/{post['id']}")
    assert await desk.counts(crew.bob) == (0, 0, 0, 0)


async def test_replies_go_with_their_root(desk: Desk) -> None:
    crew, root = desk.crew, await desk.post(desk.crew.ann, "root")
    replies = [await desk.reply(crew.ann, root, f"@bob {n}") for n in range(3)]
    await desk.do(crew.ann, "POST", "/drafts", {"channel_id": desk.channel, "root_id": root["id"], "message": "d"})
    then = desk.wait()
    desk.wait()
    assert await desk.counts(crew.bob) == (4, 1, 3, 0)
    await desk.do(crew.ann, "DELETE", f"/posts/{root['id']}")

    assert await desk.counts(crew.bob) == (0, 0, 0, 0)
    for each in (root, *replies):
        assert (await crew.bob.client.get(f"{API}/posts/{each['id']}")).status == 404
    gone = await desk.get(crew.bob, f"/channels/{desk.channel}/posts", since=then)
    assert set(gone["order"]) == {root["id"], *(each["id"] for each in replies)}
    assert (await desk.get(crew.bob, f"/users/me/teams/{crew.team}/threads"))["total"] == 0
    assert await desk.get(crew.ann, f"/users/me/teams/{crew.team}/drafts") == []


async def test_a_thread_has_a_reply_less(desk: Desk) -> None:
    crew, root = desk.crew, await desk.post(desk.crew.ann, "root")
    first = await desk.reply(crew.bob, root, "first")
    second = await desk.reply(crew.ada, root, "second @ann")
    await desk.do(crew.ada, "DELETE", f"/posts/{second['id']}")

    shown = await desk.get(crew.ann, f"/posts/{root['id']}")
    assert (shown["reply_count"], shown["last_reply_at"]) == (1, first["create_at"])
    assert [each["id"] for each in shown["participants"]] == [crew.bob.chat_id]
    threads = (await desk.get(crew.ann, f"/users/me/teams/{crew.team}/threads"))["threads"]
    assert [(each["unread_replies"], each["unread_mentions"]) for each in threads] == [(1, 0)]
    await desk.do(crew.bob, "DELETE", f"/posts/{first['id']}")
    shown = await desk.get(crew.ann, f"/posts/{root['id']}")
    assert (shown["reply_count"], shown["last_reply_at"], shown["participants"]) == (0, 0, None)
    bob = await desk.house.storage.read(
        lambda transaction: find_thread_member(transaction, id_of(root["id"]), crew.bob.id)
    )
    assert bob is not None
    assert (bob.seen_replies, bob.has_replied) == (0, False)
