"""What is read and what is not: views, and what a channel has unread."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from manor import Event, from_chat_id
from manor_chat.tables.posts import thread_members
from tests.chat_channels import direct, kept, made, refused, told
from tests.chat_people import API, Crew, said

UNKNOWN = "y" * 26
UNREAD_KEYS = {
    "team_id", "channel_id", "msg_count", "mention_count", "mention_count_root", "urgent_mention_count",
    "msg_count_root", "notify_props",
}  # fmt: skip
VIEW = f"{API}/channels/members/me/view"


async def unread(crew: Crew, channel: dict[str, Any]) -> dict[str, Any]:
    """What Bob has not read."""
    answer = await crew.bob.client.get(f"{API}/users/me/channels/{channel['id']}/unread")
    assert (answer.status, set(answer.json())) == (200, UNREAD_KEYS)
    body: dict[str, Any] = answer.json()
    return body


def counts(unread: dict[str, Any]) -> list[int]:
    return [unread[name] for name in ("msg_count", "msg_count_root", "mention_count", "mention_count_root")]


async def with_posts(crew: Crew, name: str) -> tuple[dict[str, Any], str]:
    """A channel with Bob in it, a thread of two that names him, and the thread's root."""
    channel = await made(crew, crew.ann, name)
    await crew.bob.client.post(f"{API}/channels/{channel['id']}/members", json={"user_id": crew.bob.chat_id})
    root = await said(crew.house, crew.ann, await kept(crew, channel), "A question for @bob")
    await said(crew.house, crew.ann, await kept(crew, channel), "@bob?", root_id=from_chat_id(root))
    return channel, root


async def test_a_view_leaves_nothing_unread_and_tells_ones_other_clients(crew: Crew, heard: list[Event]) -> None:
    channel, _ = await with_posts(crew, "helm")
    assert counts(await unread(crew, channel)) == [2, 1, 2, 1]
    heard.clear()
    body = {"channel_id": channel["id"], "prev_channel_id": "", "collapsed_threads_supported": True}
    answer = await crew.bob.client.post(VIEW, json=body)

    times = {channel["id"]: (await kept(crew, channel)).last_post_at}
    assert answer.json() == {"status": "OK", "last_viewed_at_times": times}
    assert counts(await unread(crew, channel)) == [0, 0, 0, 0]
    member = (await crew.bob.client.get(f"{API}/channels/{channel['id']}/members/me")).json()
    assert (member["msg_count"], member["last_viewed_at"]) == (2, times[channel["id"]])
    ((event, data),) = told(heard, "multiple_channels_viewed")
    assert (event.user_id, data) == (crew.bob.id, {"channel_times": times})
    assert [(event.user_id, data) for event, data in told(heard, "channel_viewed")] == [
        (crew.bob.id, {"channel_id": channel["id"]})
    ]
    assert told(heard, "thread_read_changed") == []


async def test_a_client_without_threads_reads_them_with_their_channel(crew: Crew, heard: list[Event]) -> None:
    channel, root = await with_posts(crew, "helm")
    heard.clear()
    await crew.bob.client.post(VIEW, json={"channel_id": channel["id"]})

    query = select(thread_members.c.seen_replies, thread_members.c.unread_mentions).where(
        thread_members.c.root_id == from_chat_id(root), thread_members.c.user_id == crew.bob.id
    )
    row = await crew.house.storage.read(lambda transaction: transaction.connection.execute(query).one())
    assert tuple(row) == (1, 0)
    ((event, data),) = told(heard, "thread_read_changed")
    assert (event.user_id, event.channel_id, set(data)) == (crew.bob.id, from_chat_id(channel["id"]), {"timestamp"})


async def test_the_channel_before_is_read_too_and_a_blurred_window_reads_nothing(crew: Crew) -> None:
    first, second = (await with_posts(crew, "helm"))[0], (await with_posts(crew, "galley"))[0]
    blurred = await crew.bob.client.post(VIEW, json={"channel_id": ""})
    assert blurred.json() == {"status": "OK", "last_viewed_at_times": {}}
    assert (await unread(crew, first))["msg_count"] == 2
    body = {"channel_id": second["id"], "prev_channel_id": first["id"]}
    answer = await crew.bob.client.post(VIEW, json=body)
    assert set(answer.json()["last_viewed_at_times"]) == {first["id"], second["id"]}
    assert counts(await unread(crew, first)) == counts(await unread(crew, second)) == [0, 0, 0, 0]


async def test_a_view_of_a_channel_that_one_is_not_in_changes_nothing(crew: Crew) -> None:
    channel = await made(crew, crew.ann, "helm")
    nothing = {"status": "OK", "last_viewed_at_times": {}}
    assert (await crew.bob.client.post(VIEW, json={"channel_id": channel["id"]})).json() == nothing
    assert (await crew.bob.client.post(VIEW, json={"channel_id": "", "prev_channel_id": UNKNOWN})).json() == nothing
    assert refused(await crew.bob.client.post(VIEW, json={"channel_id": UNKNOWN}))[0] == 404
    bodies: tuple[Any, ...] = (
        {"channel_id": "short"},
        {"channel_id": 7},
        [],
        {"channel_id": "", "prev_channel_id": "short"},
    )
    for wrong in bodies:
        assert refused(await crew.bob.client.post(VIEW, json=wrong))[0] == 400


async def test_who_looks_at_a_channel_is_online_and_who_is_looked_for_is_not(crew: Crew) -> None:
    async def status() -> str:
        shown: str = (await crew.bob.client.get(f"{API}/users/me/status")).json()["status"]
        return shown

    channel, _ = await with_posts(crew, "helm")
    await crew.ada.client.post(f"{API}/channels/members/{crew.bob.chat_id}/view", json={"channel_id": channel["id"]})
    assert await status() == "offline"
    await crew.bob.client.post(VIEW, json={"channel_id": ""})
    assert await status() == "online"


async def test_several_channels_are_marked_as_read(crew: Crew) -> None:
    first, second = (await with_posts(crew, "helm"))[0], (await with_posts(crew, "galley"))[0]
    path = f"{API}/channels/members/{crew.bob.chat_id}/mark_read"
    ids = [first["id"], second["id"]]
    assert refused(await crew.ann.client.post(path, json=ids))[0] == 403
    answer = await crew.bob.client.post(path, json=[*ids, UNKNOWN])
    assert set(answer.json()) == {"status", "last_viewed_at_times"}
    assert set(answer.json()["last_viewed_at_times"]) == set(ids)
    assert counts(await unread(crew, second)) == [0, 0, 0, 0]
    assert refused(await crew.bob.client.post(path, json=["short"]))[0] == 400
    assert (await crew.ada.client.post(path, json=ids)).status == 200


async def test_a_view_is_of_oneself_or_by_an_administrator(crew: Crew) -> None:
    channel, _ = await with_posts(crew, "helm")
    bobs = f"{API}/channels/members/{crew.bob.chat_id}/view"
    assert refused(await crew.ann.client.post(bobs, json={"channel_id": channel["id"]}))[0] == 403
    assert (await crew.ada.client.post(bobs, json={"channel_id": channel["id"]})).status == 200
    nobody = await crew.ada.client.post(f"{API}/channels/members/{UNKNOWN}/view", json={"channel_id": ""})
    assert refused(nobody)[0] == 404


async def test_unread_is_told_to_members_alone(crew: Crew) -> None:
    channel, pair = await made(crew, crew.ann, "helm", type="P"), await direct(crew.ann, crew.bob)
    await said(crew.house, crew.ann, await kept(crew, pair), "Ahoy")
    assert counts(await unread(crew, pair)) == [1, 1, 1, 1]
    assert (await unread(crew, pair))["team_id"] == ""
    path = f"{API}/users/me/channels/{channel['id']}/unread"
    assert refused(await crew.bob.client.get(path))[0] == 403
    assert refused(await crew.ada.client.get(path))[0] == 404
    anns = f"{API}/users/{crew.ann.chat_id}/channels/{channel['id']}/unread"
    assert refused(await crew.bob.client.get(anns))[0] == 403
    assert (await crew.ada.client.get(anns)).json()["team_id"] == crew.team
    assert refused(await crew.bob.client.get(f"{API}/users/me/channels/{UNKNOWN}/unread"))[0] == 404
