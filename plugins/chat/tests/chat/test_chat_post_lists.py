"""Posts of a channel, of a thread, around what is unread, and those that somebody saved."""

from __future__ import annotations

from typing import Any

import pytest

from manor import Event, to_chat_id
from manor.testing import House, SetClock
from tests.chat_people import API, Crew
from tests.chat_posts import Desk


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


async def written(desk: Desk, count: int) -> list[str]:
    """The ids of new posts in a direct channel of Ann's and Bob's, the oldest first."""
    channel_id = await desk.direct(desk.crew.ann, desk.crew.bob)
    return [(await desk.post(desk.crew.ann, f"{n}", channel_id=channel_id))["id"] for n in range(count)]


async def direct_posts(desk: Desk, **query: str | int) -> Any:
    channel_id = await desk.direct(desk.crew.ann, desk.crew.bob)
    return await desk.get(desk.crew.bob, f"/channels/{channel_id}/posts", **query)


async def test_pages_are_newest_first_and_know_what_is_next_to_them(desk: Desk) -> None:
    a, b, c, d, e = await written(desk, 5)

    assert await ends(desk) == ([e, d, c, b, a], "", "")
    assert await ends(desk, per_page=2) == ([e, d], "", c)
    assert await ends(desk, per_page=2, page=1) == ([c, b], d, a)
    assert await ends(desk, per_page=2, page=2) == ([a], b, "")
    assert await ends(desk, per_page=2, page=9) == ([], "", "")
    assert await ends(desk, before=d, per_page=2) == ([c, b], d, a)
    assert await ends(desk, before=a) == ([], a, "")
    assert await ends(desk, after=b, per_page=2) == ([d, c], e, b)
    assert await ends(desk, after=b, per_page=2, page=1) == ([e], "", d)
    assert await ends(desk, after=e) == ([], "", e)
    assert await ends(desk, per_page="junk", page=-1) == ([e, d, c, b, a], "", "")


async def ends(desk: Desk, **query: str | int) -> tuple[list[str], str, str]:
    found = await direct_posts(desk, **query)
    assert set(found["posts"]) == set(found["order"])
    assert found["first_inaccessible_post_time"] == 0
    return found["order"], found["next_post_id"], found["prev_post_id"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"since": "yesterday"}, 400),
        ({"since": "-5"}, 400),
        ({"since": "9" * 30}, 400),
        ({"before": "nope"}, 400),
        ({"after": "nope"}, 400),
        ({"after": "y" * 26}, 404),
        ({"before": "z" * 26}, 404),
        ({"include_deleted": "true"}, 403),
        ({"page": "9" * 12, "per_page": "9" * 12}, 200),
    ],
)
async def test_what_cannot_be_listed_is_refused(desk: Desk, query: dict[str, str], status: int) -> None:
    answer = await desk.crew.ann.client.get(f"{API}/channels/{desk.channel}/posts", query=query)
    assert answer.status == status, answer.text


async def test_a_list_is_for_those_who_may_read_the_channel(desk: Desk) -> None:
    assert (await desk.crew.eve.client.get(f"{API}/channels/{desk.channel}/posts")).status == 403
    for channel_id, status in (("nope", 400), ("y" * 26, 404)):
        assert (await desk.crew.ann.client.get(f"{API}/channels/{channel_id}/posts")).status == status
    other = await desk.post(desk.crew.ann, channel_id=to_chat_id(desk.crew.town_square.id))
    query = {"before": other["id"]}
    assert (await desk.crew.ann.client.get(f"{API}/channels/{desk.channel}/posts", query=query)).status == 404


async def test_a_list_that_a_client_has_is_not_sent_again(desk: Desk) -> None:
    await desk.post(desk.crew.ann)
    path = f"{API}/channels/{desk.channel}/posts"
    tag = (await desk.crew.bob.client.get(path)).headers["etag"]
    assert (await desk.crew.bob.client.get(path, headers={"If-None-Match": tag})).status == 304
    await desk.post(desk.crew.ann)
    assert (await desk.crew.bob.client.get(path, headers={"If-None-Match": tag})).status == 200


async def test_since_gives_what_has_changed_and_what_is_gone(desk: Desk) -> None:
    ann = desk.crew.ann
    a, b, c, d = [await desk.post(ann, name) for name in "abcd"]
    then = desk.wait()
    desk.wait()
    await desk.do(ann, "DELETE", f"/posts/{b['id']}")
    desk.wait()
    await desk.do(ann, "PUT", f"/posts/{c['id']}/patch", {"message": "changed"})
    e = await desk.post(ann, "e")

    found = await desk.get(desk.crew.bob, f"/channels/{desk.channel}/posts", since=then)
    assert found["order"] == [e["id"], c["id"], b["id"]]
    gone = found["posts"][b["id"]]
    assert gone["delete_at"] > then
    assert (gone["message"], gone["props"], gone["metadata"]) == ("", {}, {})
    assert found["posts"][c["id"]]["message"] == "changed"
    normal = await desk.get(desk.crew.bob, f"/channels/{desk.channel}/posts")
    assert normal["order"][:4] == [e["id"], d["id"], c["id"], a["id"]]


async def test_administrators_may_see_what_is_deleted(desk: Desk) -> None:
    crew = desk.crew
    post = await desk.post(crew.ann, "secret")
    await desk.do(crew.ann, "DELETE", f"/posts/{post['id']}")
    query = {"include_deleted": "true"}

    listed = await desk.get(crew.ada, f"/channels/{desk.channel}/posts", **query)
    assert listed["posts"][post["id"]]["message"] == "secret"
    assert (await desk.get(crew.ada, f"/posts/{post['id']}", **query))["message"] == "secret"
    assert (await crew.ann.client.get(f"{API}/posts/{post['id']}", query=query)).status == 403
    assert (await crew.ada.client.get(f"{API}/posts/{post['id']}")).status == 404


async def test_roots_of_replies_come_along_and_replies_may_stay_in_their_threads(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann, "root")
    await desk.post(crew.ann, "between")
    reply = await desk.reply(crew.bob, root)
    path = f"/channels/{desk.channel}/posts"

    whole = await desk.get(crew.bob, path, per_page=1)
    assert whole["order"] == [reply["id"]]
    assert set(whole["posts"]) == {reply["id"], root["id"]}
    assert whole["posts"][reply["id"]]["reply_count"] == whole["posts"][root["id"]]["reply_count"] == 1
    bare = await desk.get(crew.bob, path, per_page=1, skipFetchThreads="true")
    assert set(bare["posts"]) == {reply["id"]}
    collapsed = await desk.get(crew.bob, path, per_page=2, collapsedThreads="true", collapsedThreadsExtended="true")
    assert reply["id"] not in collapsed["posts"]
    shown = collapsed["posts"][root["id"]]
    assert (shown["reply_count"], shown["last_reply_at"], shown["is_following"]) == (1, reply["create_at"], True)
    assert [each["username"] for each in shown["participants"]] == ["bob"]
    changed = await desk.get(crew.bob, path, since=reply["create_at"] - 1, collapsedThreads="true")
    assert changed["order"] == [root["id"]]


async def test_a_thread_is_whole_or_comes_in_parts(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann)
    replies = [(await desk.reply(crew.bob, root, str(n)))["id"] for n in range(5)]
    path = f"/posts/{replies[0]}/thread"

    whole = await desk.get(crew.ann, path)
    assert whole["order"] == [*replies[::-1], root["id"]]
    assert whole["has_next"] is False
    assert [each["id"] for each in whole["posts"][root["id"]]["participants"]] == [crew.bob.chat_id]
    down = await desk.get(crew.ann, path, perPage=2, direction="down")
    assert (down["order"], down["has_next"]) == ([root["id"], *replies[:2]], True)
    last = down["posts"][down["order"][-1]]
    cursor = {"fromPost": last["id"], "fromCreateAt": last["create_at"]}
    onwards = await desk.get(crew.ann, path, perPage=3, direction="down", **cursor)
    assert (onwards["order"], onwards["has_next"]) == ([root["id"], *replies[2:]], False)
    up = await desk.get(crew.ann, path, perPage=2, direction="up", fromCreateAt=last["create_at"] + 1500)
    assert (up["order"], up["has_next"]) == ([root["id"], replies[2], replies[1]], True)
    assert (await crew.eve.client.get(API + path)).status == 403
    for query in ({"perPage": "many"}, {"fromPost": "nope"}, {"fromCreateAt": "now"}):
        assert (await crew.ann.client.get(API + path, query=query)).status == 400


async def test_replies_of_one_moment_are_in_one_part_each(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann)
    body = {"channel_id": desk.channel, "message": "x", "root_id": root["id"]}
    replies = [(await crew.bob.client.post(f"{API}/posts", json=body)).json()["id"] for _ in range(4)]
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(2):
        part = await desk.get(crew.ann, f"/posts/{root['id']}/thread", perPage=2, direction="down", **cursor)
        seen += part["order"][1:]
        cursor = {"fromPost": seen[-1], "fromCreateAt": part["posts"][seen[-1]]["create_at"]}
    assert seen == replies


async def test_what_is_unread_stands_in_the_middle(desk: Desk) -> None:
    crew = desk.crew
    ids = await written(desk, 6)
    channel_id = await desk.direct(crew.ann, crew.bob)
    path = f"/users/me/channels/{channel_id}/posts/unread"
    await desk.do(crew.bob, "POST", f"/users/me/posts/{ids[3]}/set_unread", {})

    found = await desk.get(crew.bob, path, limit_before=2, limit_after=2)
    assert found["order"] == [ids[4], ids[3], ids[2], ids[1]]
    assert (found["next_post_id"], found["prev_post_id"]) == (ids[5], ids[0])
    read = await desk.get(crew.ann, path, limit_before=2)
    assert read["order"] == [ids[5], ids[4]]
    assert (await crew.bob.client.get(API + path, query={"limit_after": "0"})).status == 400
    assert (await desk.get(crew.bob, path, limit_before="-1", limit_after="x"))["order"] == ids[::-1]
    others = f"{API}/users/{crew.ann.chat_id}/channels/{channel_id}/posts/unread"
    assert (await crew.bob.client.get(others)).status == 403
    assert (await crew.ada.client.get(others)).status == 200
    assert (await crew.eve.client.get(API + path)).status == 403


async def test_saved_posts_are_those_that_one_may_still_read(desk: Desk) -> None:
    crew = desk.crew
    a, b, gone = [await desk.post(crew.ann, name) for name in "abc"]
    private = await desk.post(crew.ann, channel_id=await desk.direct(crew.ann, crew.bob))
    saved = [
        {"user_id": crew.bob.chat_id, "category": "flagged_post", "name": each["id"], "value": "true"}
        for each in (a, b, gone, private)
    ]
    await desk.do(crew.bob, "PUT", "/users/me/preferences", saved)
    await desk.do(crew.ann, "DELETE", f"/posts/{gone['id']}")
    path = "/users/me/posts/flagged"

    assert (await desk.get(crew.bob, path))["order"] == [private["id"], b["id"], a["id"]]
    assert (await desk.get(crew.bob, path, per_page=1, page=1))["order"] == [b["id"]]
    assert (await desk.get(crew.bob, path, channel_id=desk.channel))["order"] == [b["id"], a["id"]]
    assert (await desk.get(crew.bob, path, team_id=crew.team))["order"] == [private["id"], b["id"], a["id"]]
    assert (await desk.get(crew.ann, path))["order"] == []
    assert (await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}/posts/flagged")).status == 403
    assert (await crew.bob.client.get(API + path, query={"team_id": "nope"})).status == 400
    await desk.do(crew.bob, "DELETE", f"/channels/{desk.channel}/members/{crew.bob.chat_id}")
    await desk.do(crew.ada, "DELETE", f"/teams/{crew.team}/members/{crew.bob.chat_id}")
    assert (await desk.get(crew.bob, path))["order"] == [private["id"]]
