"""Threads: who follows them, and what they have read."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from manor import Event
from manor.testing import House, SetClock
from tests.chat_people import API, Chatter, Crew
from tests.chat_posts import Desk


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


def path(desk: Desk, rest: str = "", who: Chatter | None = None) -> str:
    whose = "me" if who is None else who.chat_id
    return f"/users/{whose}/teams/{desk.crew.team}/threads{rest}"


def hearers(desk: Desk) -> set[UUID | None]:
    """Who was told of a thread."""
    return {event.user_id for event in desk.told("thread_updated")}


async def listed(desk: Desk, who: Chatter, **query: str | int) -> list[str]:
    """The messages of the roots of somebody's threads."""
    found = await desk.get(who, path(desk), **query)
    return [each["post"]["message"] for each in found["threads"]]


async def totals(desk: Desk, who: Chatter) -> tuple[int, int, int]:
    found = await desk.get(who, path(desk), totalsOnly="true")
    assert found["threads"] is None
    assert found["total_unread_urgent_mentions"] == 0
    return found["total"], found["total_unread_threads"], found["total_unread_mentions"]


async def test_who_is_not_in_a_channel_any_more_hears_nothing_of_its_threads(desk: Desk) -> None:
    crew = desk.crew
    deck = await desk.do(
        crew.ann, "POST", "/channels", {"team_id": crew.team, "name": "deck", "display_name": "Deck", "type": "O"}
    )
    members = f"/channels/{deck['id']}/members"
    for who in (crew.bob, crew.ada):
        await desk.do(crew.ann, "POST", f"/teams/{crew.team}/members", {"team_id": crew.team, "user_id": who.chat_id})
    await desk.do(crew.ada, "POST", members, {"user_id": crew.ada.chat_id})
    adas, anns = [await desk.post(who, "root", channel_id=deck["id"]) for who in (crew.ada, crew.ann)]
    await desk.reply(crew.ann, anns)
    # Bob may read a public channel of his team, and follow its threads, without being in it.
    await desk.do(crew.bob, "PUT", path(desk, f"/{anns['id']}/following"))
    await desk.reply(crew.ann, anns)
    assert hearers(desk) == {crew.ann.id, crew.bob.id}
    desk.heard.clear()

    await desk.do(crew.ann, "PUT", f"/channels/{deck['id']}/privacy", {"privacy": "P"})
    await desk.do(crew.ann, "DELETE", f"{members}/{crew.ada.chat_id}")
    await desk.reply(crew.ann, anns)
    await desk.reply(crew.ann, adas)

    assert hearers(desk) == {crew.ann.id}


async def test_who_leaves_a_team_hears_nothing_of_its_threads(desk: Desk) -> None:
    crew = desk.crew
    deck = await desk.do(
        crew.ann, "POST", "/channels", {"team_id": crew.team, "name": "deck", "display_name": "Deck", "type": "O"}
    )
    root = await desk.post(crew.ann, "root", channel_id=deck["id"])
    await desk.do(crew.bob, "PUT", path(desk, f"/{root['id']}/following"))
    await desk.do(crew.ann, "DELETE", f"/teams/{crew.team}/members/{crew.bob.chat_id}")
    desk.heard.clear()

    await desk.reply(crew.ann, root)

    assert hearers(desk) == {crew.ann.id}


async def test_nobody_has_read_what_is_still_to_come(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann, "root")
    await desk.reply(crew.bob, root, "one")
    fast = desk.wait() + 3_600_000

    await desk.do(crew.ann, "PUT", path(desk, f"/{root['id']}/read/{fast}"))
    assert desk.data("thread_read_changed")["timestamp"] == fast - 3_600_000
    reply = await desk.reply(crew.bob, root, "@ann two")
    assert await totals(desk, crew.ann) == (1, 1, 1)
    await desk.do(crew.bob, "DELETE", f"/posts/{reply['id']}")

    # Had that counted as read, one that they had read would be unread now.
    assert await totals(desk, crew.ann) == (1, 0, 0)


async def test_a_thread_is_followed_by_its_author_by_who_replies_and_by_who_is_mentioned(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann, "root")
    assert await listed(desk, crew.ann) == []
    await desk.reply(crew.ada, root, "one")
    assert await listed(desk, crew.ann) == ["root"]
    assert await listed(desk, crew.bob) == []
    reply = await desk.reply(crew.ann, root, "@bob two")

    (thread,) = (await desk.get(crew.bob, path(desk)))["threads"]
    assert thread == {
        "id": root["id"],
        "reply_count": 2,
        "last_reply_at": reply["create_at"],
        "last_viewed_at": 0,
        "participants": [{"id": crew.ada.chat_id}, {"id": crew.ann.chat_id}],
        "post": thread["post"],
        "unread_replies": 2,
        "unread_mentions": 1,
        "is_urgent": False,
        "delete_at": 0,
    }
    assert thread["post"]["id"] == root["id"]
    assert await totals(desk, crew.bob) == (1, 1, 1)
    assert await totals(desk, crew.ann) == (1, 0, 0)
    # She is not in the channel.
    assert await totals(desk, crew.ada) == (0, 0, 0)
    assert set(desk.told("posted")[-1].followers) == {crew.ann.id, crew.ada.id, crew.bob.id}


async def test_whom_a_root_mentions_follows_once_there_is_a_reply(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann, "@bob, look")
    await desk.reply(crew.ann, root)
    (thread,) = (await desk.get(crew.bob, path(desk)))["threads"]
    assert (thread["unread_replies"], thread["unread_mentions"]) == (1, 0)


async def test_who_follows_all_threads_of_a_channel_follows_each(desk: Desk) -> None:
    crew = desk.crew
    props = {"channel_auto_follow_threads": "on"}
    await desk.do(crew.bob, "PUT", f"/channels/{desk.channel}/members/{crew.bob.chat_id}/notify_props", props)
    root = await desk.post(crew.ann, "root")
    await desk.reply(crew.ann, root)
    assert await listed(desk, crew.bob) == ["root"]


async def test_followers_are_told_what_a_thread_looks_like_to_them(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann, "root")
    await desk.reply(crew.bob, root, "one")
    await desk.reply(crew.bob, root, "@ann two")

    told = {each.user_id: each for each in desk.told("thread_updated")[-2:]}
    assert set(told) == {crew.ann.id, crew.bob.id}
    assert {each.team_id for each in told.values()} == {crew.team_id}
    data = json.loads(told[crew.ann.id].data)
    assert (data["previous_unread_mentions"], data["previous_unread_replies"]) == (0, 1)
    assert json.loads(data["thread"]) == (await desk.get(crew.ann, path(desk)))["threads"][0] | {
        "post": json.loads(data["thread"])["post"]
    }
    mine = json.loads(json.loads(told[crew.bob.id].data)["thread"])
    assert (mine["unread_replies"], mine["unread_mentions"], mine["reply_count"]) == (0, 0, 2)


async def three(desk: Desk) -> list[dict[str, Any]]:
    """Threads of Ann's named a, b and c; c was answered last."""
    roots = [await desk.post(desk.crew.ann, name) for name in "abc"]
    for root in roots:
        await desk.reply(desk.crew.bob, root)
    return roots


async def test_threads_come_by_their_last_reply_page_by_page(desk: Desk) -> None:
    ann = desk.crew.ann
    a, b, c = await three(desk)
    assert await listed(desk, ann) == ["c", "b", "a"]
    await desk.reply(desk.crew.bob, a)
    assert await listed(desk, ann) == ["a", "c", "b"]
    assert await listed(desk, ann, pageSize=2) == ["a", "c"]
    assert await listed(desk, ann, per_page=1) == ["a"]
    assert await listed(desk, ann, before=c["id"]) == ["b"]
    assert await listed(desk, ann, after=b["id"], per_page=1) == ["c"]
    assert await listed(desk, ann, after=b["id"]) == ["a", "c"]
    assert await listed(desk, ann, threadsOnly="true") == ["a", "c", "b"]
    await desk.do(ann, "PUT", path(desk, f"/{c['id']}/read/{desk.wait()}"))
    assert await listed(desk, ann, unread="true") == ["a", "b"]
    assert await listed(desk, ann, since=desk.wait()) == []
    await desk.reply(desk.crew.bob, b)
    assert await listed(desk, ann, since=desk.wait(0)) == ["b"]
    found = await desk.get(ann, path(desk), extended="true")
    assert found["threads"][0]["participants"][0]["username"] == "bob"
    await desk.do(ann, "DELETE", f"/posts/{a['id']}")
    assert await listed(desk, ann) == ["b", "c"]
    assert len(await listed(desk, ann, deleted="true")) == 3


async def test_reading_one_thread_until_some_time(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann, "root")
    first = await desk.reply(crew.bob, root, "@ann one")
    await desk.reply(crew.bob, root, "two")
    await desk.reply(crew.bob, root, "@channel three")
    assert await totals(desk, crew.ann) == (1, 1, 2)

    thread = await desk.do(crew.ann, "PUT", path(desk, f"/{root['id']}/read/{first['create_at']}"))
    assert (thread["unread_replies"], thread["unread_mentions"]) == (2, 1)
    assert thread["last_viewed_at"] == first["create_at"]
    told = desk.told("thread_read_changed")[-1]
    assert (told.user_id, told.team_id) == (crew.ann.id, crew.team_id)
    assert desk.data("thread_read_changed") == {
        "thread_id": root["id"],
        "timestamp": first["create_at"],
        "unread_mentions": 1,
        "unread_replies": 2,
        "previous_unread_mentions": 2,
        "previous_unread_replies": 3,
        "channel_id": desk.channel,
    }
    await desk.do(crew.ann, "PUT", path(desk, f"/{root['id']}/read/{desk.wait()}"))
    assert await totals(desk, crew.ann) == (1, 0, 0)
    await desk.reply(crew.bob, root)
    assert await totals(desk, crew.ann) == (1, 1, 0)
    await desk.reply(crew.ann, root, "@ann, mine")
    back = await desk.do(crew.ann, "POST", path(desk, f"/{root['id']}/set_unread/{first['id']}"))
    assert (back["unread_replies"], back["unread_mentions"]) == (5, 2)


async def test_reading_all_threads(desk: Desk) -> None:
    crew = desk.crew
    await three(desk)
    direct = await desk.direct(crew.ann, crew.bob)
    await desk.reply(crew.bob, await desk.post(crew.ann, "d", channel_id=direct), "@ann")
    assert await totals(desk, crew.ann) == (4, 4, 1)
    assert await listed(desk, crew.ann, excludeDirect="true") == ["c", "b", "a"]
    await desk.do(crew.ann, "PUT", path(desk, "/read"))
    assert await totals(desk, crew.ann) == (4, 0, 0)
    assert set(desk.data("thread_read_changed")) == {"timestamp"}
    await desk.reply(crew.bob, (await three(desk))[0])
    assert await totals(desk, crew.ann) == (7, 3, 0)


async def test_whoever_follows_no_more_is_brought_back_by_a_mention_only(desk: Desk) -> None:
    crew = desk.crew
    root = await desk.post(crew.ann, "root")
    await desk.reply(crew.bob, root)
    await desk.do(crew.ann, "DELETE", path(desk, f"/{root['id']}/following"))
    assert desk.data("thread_follow_changed") == {"thread_id": root["id"], "state": False, "reply_count": 1}
    assert desk.told("thread_follow_changed")[-1].user_id == crew.ann.id
    assert (await crew.ann.client.get(API + path(desk, f"/{root['id']}"))).status == 404
    await desk.reply(crew.bob, root)
    assert await listed(desk, crew.ann) == []
    assert (await desk.get(crew.ann, f"/posts/{root['id']}"))["is_following"] is False
    await desk.reply(crew.bob, root, "@ann")
    assert await listed(desk, crew.ann) == ["root"]

    await desk.do(crew.ann, "DELETE", path(desk, f"/{root['id']}/following"))
    await desk.do(crew.ann, "PUT", path(desk, f"/{root['id']}/following"))
    assert desk.data("thread_follow_changed")["state"] is True
    assert await totals(desk, crew.ann) == (1, 0, 0)
    other = await desk.post(crew.bob, "other")
    reply = await desk.reply(crew.bob, other)
    await desk.do(crew.ann, "PUT", path(desk, f"/{reply['id']}/following"))
    assert await listed(desk, crew.ann) == ["other", "root"]


async def test_threads_of_channels_that_one_has_left_are_gone(desk: Desk) -> None:
    crew = desk.crew
    await three(desk)
    await desk.do(crew.ann, "DELETE", f"/channels/{desk.channel}/members/me")
    assert await totals(desk, crew.ann) == (0, 0, 0)


async def test_threads_are_their_followers_own(desk: Desk) -> None:
    crew = desk.crew
    (root, *_) = await three(desk)
    for who, status in ((crew.ann, 200), (crew.bob, 403), (crew.eve, 403), (crew.ada, 200)):
        for rest in ("", f"/{root['id']}"):
            assert (await who.client.get(API + path(desk, rest, crew.ann))).status == status, (who.username, rest)
    assert (await crew.eve.client.get(API + path(desk))).status == 403
    assert (await crew.ada.client.get(f"{API}/users/{'y' * 26}/teams/{crew.team}/threads")).status == 404
    secret = await desk.post(crew.ann, channel_id=await desk.direct(crew.ann, crew.ada))
    assert (await crew.bob.client.put(API + path(desk, f"/{secret['id']}/following"))).status == 403


@pytest.mark.parametrize(
    ("method", "rest", "query", "status"),
    [
        ("GET", "", {"before": "nope"}, 400),
        ("GET", "", {"after": "y" * 26}, 404),
        ("GET", "", {"since": "x"}, 400),
        ("GET", "", {"totalsOnly": "true", "threadsOnly": "true"}, 400),
        ("GET", "", {"pageSize": "junk", "per_page": "-3"}, 200),
        ("GET", "/nope", {}, 400),
        ("GET", f"/{'y' * 26}", {}, 404),
        ("PUT", "/ROOT/read/soon", {}, 400),
        ("PUT", f"/{'y' * 26}/read/1", {}, 404),
        ("PUT", f"/{'y' * 26}/following", {}, 404),
        ("DELETE", "/nope/following", {}, 400),
        ("POST", f"/ROOT/set_unread/{'y' * 26}", {}, 404),
        ("POST", "/ROOT/set_unread/nope", {}, 400),
        ("POST", "/ROOT/set_unread/OTHER", {}, 400),
    ],
)
async def test_what_is_no_thread_is_refused(
    desk: Desk, method: str, rest: str, query: dict[str, str], status: int
) -> None:
    root, other = await desk.post(desk.crew.ann), await desk.post(desk.crew.ann)
    await desk.reply(desk.crew.bob, root)
    rest = rest.replace("ROOT", root["id"]).replace("OTHER", other["id"])
    answer = await desk.crew.ann.client.request(method, API + path(desk, rest), query=query)
    assert answer.status == status, answer.text
