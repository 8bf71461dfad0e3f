"""Editing and pinning posts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manor import Event
from manor.testing import House, SetClock
from manor_chat.events import PostEdited
from tests.chat_people import API, Crew
from tests.chat_posts import Desk


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


async def edited(desk: Desk, post: dict[str, Any], **changes: Any) -> dict[str, Any]:
    desk.wait()
    changed: dict[str, Any] = await desk.do(desk.crew.ann, "PUT", f"/posts/{post['id']}/patch", changes)
    return changed


async def test_an_edit_keeps_what_was_said_before(desk: Desk) -> None:
    ann, post = desk.crew.ann, await desk.post(desk.crew.ann, "One #first")
    second = await edited(desk, post, message="Two #second")
    third = await edited(desk, post, message="Three")

    assert (second["message"], second["hashtags"]) == ("Two #second", "#second")
    assert post["update_at"] < second["update_at"] < third["update_at"]
    assert third["edit_at"] == third["update_at"]
    assert third["create_at"] == post["create_at"]
    assert json.loads(desk.data("post_edited")["post"]) == third
    assert desk.told("post_edited")[-1].channel_id == desk.crew.off_topic.id
    assert [type(each) for each in desk.heard].count(PostEdited) == 2
    history = await desk.get(ann, f"/posts/{post['id']}/edit_history")
    assert [each["message"] for each in history] == ["Two #second", "One #first"]
    assert {each["original_id"] for each in history} == {post["id"]}
    queries: list[dict[str, str]] = [{}, {"since": "1"}, {"include_deleted": "true"}]
    for query in queries:
        listed = await desk.get(desk.crew.ada, f"/channels/{desk.channel}/posts", **query)
        assert not {each["id"] for each in history} & set(listed["posts"])
    assert (await ann.client.get(f"{API}/posts/{history[0]['id']}")).status == 404


async def test_only_its_author_sees_what_a_post_said_before(desk: Desk) -> None:
    post = await desk.post(desk.crew.ann)
    for who, status in ((desk.crew.ann, 200), (desk.crew.bob, 403), (desk.crew.ada, 403), (desk.crew.eve, 403)):
        assert (await who.client.get(f"{API}/posts/{post['id']}/edit_history")).status == status


async def test_what_is_the_same_is_no_edit(desk: Desk) -> None:
    post = await desk.post(desk.crew.ann, "Same", props={"a": 1})
    same = await edited(desk, post, message="Same", props={"a": 1}, is_pinned=False)
    assert same == post
    assert desk.told("post_edited") == []
    other = await edited(desk, post, props={"a": 2, "from_bot": "true"}, is_pinned=True, has_reactions=True)
    assert (other["props"], other["is_pinned"], other["edit_at"]) == ({"a": 2}, True, 0)
    assert "has_reactions" not in other
    assert await desk.get(desk.crew.ann, f"/posts/{post['id']}/edit_history") == []


async def test_the_whole_update_names_the_post_twice(desk: Desk) -> None:
    ann, post = desk.crew.ann, await desk.post(desk.crew.ann)
    path = f"{API}/posts/{post['id']}"
    for body in ({"message": "x"}, {"id": "y" * 26, "message": "x"}, {"id": "nope"}):
        assert (await ann.client.put(path, json=body)).status == 400
    answer = await ann.client.put(path, json={"id": post["id"], "message": "New"})
    assert (answer.status, answer.json()["message"]) == (200, "New")


async def test_posts_are_edited_by_their_authors_and_by_administrators(desk: Desk) -> None:
    crew, post = desk.crew, await desk.post(desk.crew.bob)
    for who, status in ((crew.eve, 403), (crew.ann, 403), (crew.bob, 200), (crew.ada, 200)):
        body = {"message": f"by {who.username}"}
        assert (await who.client.put(f"{API}/posts/{post['id']}/patch", json=body)).status == status
    for post_id, status in (("nope", 400), ("y" * 26, 404)):
        assert (await crew.bob.client.put(f"{API}/posts/{post_id}/patch", json={})).status == status


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"message": ""}, "api.context.invalid_body_param.app_error"),
        ({"message": "x" * 16_384}, "model.post.is_valid.msg.app_error"),
        ({"message": 1}, "api.context.invalid_body_param.app_error"),
        ({"file_ids": ["y" * 26] * 11}, "model.post.is_valid.file_ids.app_error"),
        ({"props": {"a": "x" * 800_000}}, "model.post.is_valid.props.app_error"),
    ],
)
async def test_an_edit_that_does_not_fit_is_refused(desk: Desk, body: dict[str, Any], code: str) -> None:
    post = await desk.post(desk.crew.ann)
    answer = await desk.crew.ann.client.put(f"{API}/posts/{post['id']}/patch", json=body)
    assert (answer.status, answer.json()["id"]) == (400, code)


async def test_what_the_server_wrote_nobody_edits(desk: Desk) -> None:
    channel_id = desk.channel
    await desk.do(desk.crew.ann, "PUT", f"/channels/{channel_id}/patch", {"header": "New header"})
    system = (await desk.get(desk.crew.ann, f"/channels/{channel_id}/posts"))["order"][0]
    answer = await desk.crew.ada.client.put(f"{API}/posts/{system}/patch", json={"message": "x"})
    assert (answer.status, answer.json()["id"]) == (400, "api.post.update_post.system_message.app_error")


@pytest.mark.manor(plugins=["chat"], config={"plugins": {"chat": {"post_edit_seconds": 60}}})
async def test_after_a_while_it_is_too_late(desk: Desk) -> None:
    post = await desk.post(desk.crew.ann)
    desk.wait(50)
    await edited(desk, post, message="in time")
    desk.wait(60)
    path = f"{API}/posts/{post['id']}/patch"
    answer = await desk.crew.ann.client.put(path, json={"message": "late"})
    assert (answer.status, answer.json()["id"]) == (400, "api.post.update_post.permissions_time_limit.app_error")
    assert (await desk.crew.ann.client.put(path, json={"is_pinned": True})).status == 200


async def test_pinning_is_told_as_an_edit(desk: Desk) -> None:
    crew, post = desk.crew, await desk.post(desk.crew.ann)
    for verb, is_pinned in (("pin", True), ("unpin", False)):
        desk.wait()
        assert await desk.do(crew.bob, "POST", f"/posts/{post['id']}/{verb}") == {"status": "OK"}
        assert json.loads(desk.data("post_edited")["post"])["is_pinned"] is is_pinned
        pinned = await desk.get(crew.ann, f"/channels/{desk.channel}/pinned")
        assert pinned["order"] == ([post["id"]] if is_pinned else [])
    assert len(desk.told("post_edited")) == 2
    await desk.do(crew.bob, "POST", f"/posts/{post['id']}/unpin")
    assert len(desk.told("post_edited")) == 2
    assert (await crew.eve.client.post(f"{API}/posts/{post['id']}/pin")).status == 403
    assert (await crew.bob.client.post(f"{API}/posts/{'y' * 26}/pin")).status == 404
    await desk.do(crew.ada, "DELETE", f"/channels/{desk.channel}")
    assert (await crew.bob.client.post(f"{API}/posts/{post['id']}/pin")).status == 400
