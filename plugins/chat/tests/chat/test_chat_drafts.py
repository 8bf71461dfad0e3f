"""Drafts, and the list of scheduled posts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manor import Event, to_chat_id
from manor.testing import Answer, House, SetClock
from tests.chat_people import API, Chatter, Crew
from tests.chat_posts import Desk


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


async def keep(desk: Desk, who: Chatter, **body: Any) -> Answer:
    desk.wait()
    sent = {"channel_id": desk.channel, "message": "Dear"} | body
    return await who.client.post(f"{API}/drafts", json=sent, headers={"Connection-Id": "c1"})


async def drafts(desk: Desk, who: Chatter) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await desk.get(who, f"/users/me/teams/{desk.crew.team}/drafts")
    return found


async def test_a_draft_goes_on_elsewhere(desk: Desk) -> None:
    ann = desk.crew.ann
    answer = await keep(desk, ann, props={"a": 1}, priority={"priority": "urgent"}, user_id=desk.crew.bob.chat_id)
    now = desk.wait(0)

    assert answer.status == 201
    draft = answer.json()
    assert draft == {
        "create_at": now,
        "update_at": now,
        "delete_at": 0,
        "user_id": ann.chat_id,
        "channel_id": desk.channel,
        "root_id": "",
        "message": "Dear",
        "props": {"a": 1},
        "metadata": {},
        "priority": {"priority": "urgent"},
    }
    assert await drafts(desk, ann) == [draft]
    assert await drafts(desk, desk.crew.bob) == []
    told = desk.told("draft_created")[-1]
    assert (told.user_id, told.omit_connection) == (ann.id, "c1")
    assert json.loads(json.loads(told.data)["draft"]) == draft

    later = (await keep(desk, ann, message="Dear all")).json()
    assert (later["create_at"], later["message"]) == (now, "Dear all")
    assert later["update_at"] > now
    assert json.loads(desk.data("draft_updated")["draft"]) == later
    assert await drafts(desk, ann) == [later]


async def test_each_thread_and_each_channel_has_its_draft(desk: Desk) -> None:
    ann = desk.crew.ann
    root = await desk.post(ann)
    direct = await desk.direct(ann, desk.crew.bob)
    for body in ({}, {"root_id": root["id"]}, {"channel_id": direct}):
        assert (await keep(desk, ann, **body)).status == 201
    assert [(each["channel_id"], each["root_id"]) for each in await drafts(desk, ann)] == [
        (direct, ""),
        (desk.channel, root["id"]),
        (desk.channel, ""),
    ]
    mine = f"/users/me/channels/{desk.channel}/drafts"
    await desk.do(ann, "DELETE", f"{mine}/{root['id']}")
    assert json.loads(desk.data("draft_deleted")["draft"])["root_id"] == root["id"]
    for _ in range(2):
        assert await desk.do(ann, "DELETE", mine) == {"status": "OK"}
    assert len(desk.told("draft_deleted")) == 2
    assert [each["channel_id"] for each in await drafts(desk, ann)] == [direct]


async def test_an_empty_draft_is_none(desk: Desk) -> None:
    ann = desk.crew.ann
    await keep(desk, ann)
    gone = await keep(desk, ann, message="")
    assert (gone.status, gone.json()["delete_at"]) == (201, desk.wait(0))
    assert len(desk.told("draft_deleted")) == 1
    assert await drafts(desk, ann) == []
    assert (await keep(desk, ann, message=None)).status == 201
    assert len(desk.told("draft_deleted")) == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"channel_id": ""}, 400, "api.context.invalid_body_param.app_error"),
        ({"channel_id": "y" * 26}, 404, "app.channel.get.existing.app_error"),
        ({"root_id": "nope"}, 400, "api.context.invalid_body_param.app_error"),
        ({"root_id": "y" * 26}, 400, "api.context.invalid_body_param.app_error"),
        ({"message": "x" * 16_384}, 400, "model.post.is_valid.msg.app_error"),
        ({"file_ids": ["y" * 26] * 11}, 400, "model.post.is_valid.file_ids.app_error"),
        ({"props": {"a": "x" * 800_000}}, 400, "model.post.is_valid.props.app_error"),
        ({"priority": nested(150)}, 400, "model.post.is_valid.props.app_error"),
        ({"props": nested(150)}, 400, "model.post.is_valid.props.app_error"),
        ({"message": []}, 400, "api.context.invalid_body_param.app_error"),
    ],
)
async def test_what_could_be_no_post_is_no_draft(desk: Desk, body: dict[str, Any], status: int, code: str) -> None:
    answer = await keep(desk, desk.crew.ann, **body)
    assert (answer.status, answer.json()["id"]) == (status, code)


async def test_drafts_are_ones_own_alone(desk: Desk) -> None:
    crew = desk.crew
    await keep(desk, crew.ann)
    assert (await keep(desk, crew.eve)).status == 403
    for who in (crew.bob, crew.ada):
        assert (await who.client.get(f"{API}/users/{crew.ann.chat_id}/teams/{crew.team}/drafts")).status == 403
        path = f"{API}/users/{crew.ann.chat_id}/channels/{desk.channel}/drafts"
        assert (await who.client.delete(path)).status == 403
    assert (await crew.eve.client.get(f"{API}/users/me/teams/{crew.team}/drafts")).status == 403
    assert (await crew.ann.client.get(f"{API}/users/me/teams/{'y' * 26}/drafts")).status == 404
    assert (await crew.ann.client.delete(f"{API}/users/me/channels/{'y' * 26}/drafts")).status == 404
    assert len(await drafts(desk, crew.ann)) == 1


async def test_nothing_is_scheduled(desk: Desk) -> None:
    crew = desk.crew
    path = f"/posts/scheduled/team/{crew.team}"
    assert await desk.get(crew.ann, path) == {crew.team: []}
    assert await desk.get(crew.ann, path, includeDirectChannels="true") == {crew.team: [], "directChannels": []}
    assert (await crew.eve.client.get(API + path)).status == 403
    assert (await crew.ann.client.get(f"{API}/posts/scheduled/team/{'y' * 26}")).status == 404
    assert to_chat_id(crew.team_id) == crew.team
