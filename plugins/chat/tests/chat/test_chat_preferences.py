"""What people prefer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manor import Event
from manor.testing import House, SetClock
from tests.chat_people import API, Chatter, Crew
from tests.chat_posts import Desk


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


def preference(who: Chatter, category: str = "display_settings", name: str = "x", value: str = "1") -> dict[str, str]:
    return {"user_id": who.chat_id, "category": category, "name": name, "value": value}


async def test_preferences_are_kept_told_and_forgotten(desk: Desk) -> None:
    ann = desk.crew.ann
    wanted = [preference(ann), preference(ann, name="y", value=""), preference(ann, "theme", "", '{"type":"Onyx"}')]
    assert await desk.do(ann, "PUT", "/users/me/preferences", wanted) == {"status": "OK"}
    told = desk.told("preferences_changed")[-1]
    assert told.user_id == ann.id
    assert json.loads(json.loads(told.data)["preferences"]) == wanted
    assert await desk.get(ann, "/users/me/preferences") == wanted
    await desk.do(ann, "PUT", "/users/me/preferences", [preference(ann, value="2"), preference(ann, value="3")])
    path = "/users/me/preferences/display_settings"
    assert [each["value"] for each in await desk.get(ann, path)] == ["3", ""]
    assert await desk.get(ann, f"{path}/name/x") == preference(ann, value="3")

    await desk.do(ann, "POST", "/users/me/preferences/delete", [preference(ann), preference(ann, name="none")])
    assert json.loads(desk.data("preferences_deleted")["preferences"])[0]["name"] == "x"
    assert [each["name"] for each in await desk.get(ann, path)] == ["y"]
    for rest in ("/nothing", "/display_settings/name/x"):
        answer = await ann.client.get(f"{API}/users/me/preferences{rest}")
        assert (answer.status, answer.json()["id"]) == (404, "app.preference.get.app_error")
    assert await desk.get(desk.crew.bob, "/users/me/preferences") == []


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"category": ""}, 400, "model.preference.is_valid.category.app_error"),
        ({"category": "x" * 33}, 400, "model.preference.is_valid.category.app_error"),
        ({"name": "x" * 33}, 400, "model.preference.is_valid.name.app_error"),
        ({"value": "x" * 20_001}, 400, "model.preference.is_valid.value.app_error"),
        ({"value": 5}, 400, "api.context.invalid_body_param.app_error"),
        ({"category": "theme", "value": "dark"}, 400, "model.preference.is_valid.theme.app_error"),
        ({"category": "theme", "value": "[" * 5000}, 400, "model.preference.is_valid.theme.app_error"),
        ({"category": "flagged_post", "name": "nope"}, 400, "model.preference.is_valid.name.app_error"),
        ({"category": "flagged_post", "name": "y" * 26}, 403, "api.context.permissions.app_error"),
        ({"user_id": "nope"}, 400, "api.context.invalid_body_param.app_error"),
        ({"user_id": "y" * 26}, 403, "api.context.permissions.app_error"),
    ],
)
async def test_preferences_that_do_not_fit_are_refused(
    desk: Desk, changes: dict[str, Any], status: int, code: str
) -> None:
    ann = desk.crew.ann
    answer = await ann.client.put(f"{API}/users/me/preferences", json=[preference(ann), preference(ann) | changes])
    assert (answer.status, answer.json()["id"]) == (status, code)
    assert await desk.get(ann, "/users/me/preferences") == []


async def test_a_hundred_preferences_come_at_once(desk: Desk) -> None:
    ann = desk.crew.ann
    many = [preference(ann, name=f"n{n}") for n in range(101)]
    for body, status in ((many, 400), (many[:100], 200), ([], 400), ({}, 400)):
        assert (await ann.client.put(f"{API}/users/me/preferences", json=body)).status == status


async def test_preferences_are_ones_own(desk: Desk) -> None:
    crew = desk.crew
    path = f"{API}/users/{crew.ann.chat_id}/preferences"
    body = [preference(crew.ann)]
    for who, status in ((crew.ann, 200), (crew.bob, 403), (crew.ada, 200)):
        assert (await who.client.put(path, json=body)).status == status
        assert (await who.client.get(path)).status == status
        assert (await who.client.post(f"{path}/delete", json=body)).status == status
    assert (await crew.ada.client.get(f"{API}/users/{'y' * 26}/preferences")).status == 404
    post = await desk.post(crew.ann, channel_id=await desk.direct(crew.ann, crew.bob))
    for who, status in ((crew.bob, 200), (crew.eve, 403)):
        saved = [preference(who, "flagged_post", post["id"], "true")]
        assert (await who.client.put(f"{API}/users/me/preferences", json=saved)).status == status
