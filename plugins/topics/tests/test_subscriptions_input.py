"""What nobody should send about subscriptions, and what is answered to it."""

from __future__ import annotations

from typing import Any

import pytest

from manor import Principal
from manor.testing import Client, House
from tests.topic_people import asking_as, make_topic, person, refusal

PATH = "/api/subscriptions"
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"

OPERATIONS = [
    ("GET", PATH),
    ("POST", PATH),
    ("PATCH", f"{PATH}/{UNKNOWN}"),
    ("DELETE", f"{PATH}/{UNKNOWN}"),
    ("DELETE", f"{PATH}/by-topic/news"),
    ("GET", f"{PATH}/check/news"),
    ("GET", "/api/messages/recent"),
]


@pytest.fixture
async def ann(house: House) -> Client:
    """Who has the topic `news`, and is not subscribed to it."""
    client = asking_as(house, await person(house, "ann"))
    await make_topic(client, "news", access_level="public")
    await client.delete(f"{PATH}/by-topic/news")
    return client


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_nobody_has_subscriptions_without_a_credential(client: Client, method: str, path: str) -> None:
    answer = await client.request(method, path, json={"topic_name": "news"})

    assert refusal(answer)[0] == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_a_key_needs_the_scope(house: House, method: str, path: str) -> None:
    key = Principal("api_key", user_id=await person(house, "ann"), scopes=frozenset({"publish", "topics:write"}))

    answer = await Client(house.dispatcher, principals=(key,)).request(method, path, json={"topic_name": "news"})

    assert refusal(answer)[0] == 403


BAD_SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"web_notifications_enabled": "yes"}, "web_notifications_enabled"),
    ({"mobile_notifications_enabled": 1}, "mobile_notifications_enabled"),
    ({"mobile_notification_settings": []}, "mobile_notification_settings"),
    ({"mobile_notification_settings": "loud"}, "mobile_notification_settings"),
    ({"mobile_notification_settings": {"priority_threshold": 0}}, "priority_threshold"),
    ({"mobile_notification_settings": {"priority_threshold": 6}}, "priority_threshold"),
    ({"mobile_notification_settings": {"priority_threshold": 2.5}}, "priority_threshold"),
    ({"mobile_notification_settings": {"priority_threshold": "3"}}, "priority_threshold"),
    ({"mobile_notification_settings": {"priority_threshold": 10**30}}, "priority_threshold"),
    ({"mobile_notification_settings": {"priority_threshold": True}}, "priority_threshold"),
    ({"mobile_notification_settings": {"sound_enabled": "no"}}, "sound_enabled"),
    ({"mobile_notification_settings": {"vibrate_enabled": 0}}, "vibrate_enabled"),
    ({"mobile_notification_settings": {"tags_filter": "disk,fire"}}, "tags_filter"),
    ({"mobile_notification_settings": {"tags_filter": [7]}}, "tags_filter"),
    ({"mobile_notification_settings": {"tags_filter": ["x" * 51]}}, "tags_filter"),
    ({"mobile_notification_settings": {"tags_filter": ["a\nb"]}}, "tags_filter"),
    ({"mobile_notification_settings": {"tags_filter": [str(n) for n in range(21)]}}, "tags_filter"),
    ({"mobile_notification_settings": {"notification_sound": ""}}, "notification_sound"),
    ({"mobile_notification_settings": {"notification_sound": "x" * 101}}, "notification_sound"),
    ({"mobile_notification_settings": {"notification_sound": "a\0b"}}, "notification_sound"),
    ({"mobile_notification_settings": {"notification_sound": 7}}, "notification_sound"),
]


@pytest.mark.parametrize(("body", "field"), BAD_SETTINGS)
async def test_a_setting_that_cannot_be_is_refused_and_changes_nothing(
    ann: Client, body: dict[str, Any], field: str
) -> None:
    created = await ann.post(PATH, json={"topic_name": "news", **body})
    made = (await ann.post(PATH, json={"topic_name": "news"})).json()
    changed = await ann.patch(f"{PATH}/{made['id']}", json={"is_pinned": True, **body})

    for answer in (created, changed):
        assert refusal(answer)[0] == 422
        assert field in refusal(answer)[1]
    assert (await ann.get(PATH)).json()["subscriptions"] == [made]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"is_pinned": "x"}, "is_pinned"),
        ({"last_viewed_at": "yesterday"}, "last_viewed_at"),
        ({"last_viewed_at": 1893456000}, "last_viewed_at"),
        ({"last_viewed_at": "2030-02-30T00:00:00Z"}, "last_viewed_at"),
        ({"last_viewed_at": ""}, "last_viewed_at"),
    ],
)
async def test_a_change_that_cannot_be_is_refused(ann: Client, body: dict[str, Any], field: str) -> None:
    made = (await ann.post(PATH, json={"topic_name": "news"})).json()

    answer = await ann.patch(f"{PATH}/{made['id']}", json=body)

    assert refusal(answer)[0] == 422
    assert field in refusal(answer)[1]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (None, 422),
        (7, 422),
        (["news"], 422),
        ("", 404),
        ("NEWS", 404),
        ("news\0", 404),
        ("../news", 404),
        ("x" * 10_000, 404),
        (UNKNOWN, 404),
        ("01890A5D-AC96-774B-BCCE-B302099A8057", 404),
    ],
)
async def test_a_name_that_is_none_has_no_topic(ann: Client, name: Any, status: int) -> None:
    assert refusal(await ann.post(PATH, json={"topic_name": name}))[0] == status


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"news", 400),
        (b"[]", 422),
        (b"null", 422),
        (b'{"topic_name": "news", "x": "' + b"y" * 20_000 + b'"}', 413),
    ],
)
async def test_a_body_that_is_none_is_refused(ann: Client, method: str, body: bytes, status: int) -> None:
    path = PATH if method == "POST" else f"{PATH}/{UNKNOWN}"

    answer = await ann.request(method, path, body=body, headers={"Content-Type": "application/json"})

    assert refusal(answer)[0] == status


async def test_members_that_nobody_knows_are_overlooked(ann: Client) -> None:
    made = await ann.post(PATH, json={"topic_name": "news", "user_id": UNKNOWN, "unread_count": 7})

    assert (made.status, made.json()["unread_count"]) == (201, 0)
    assert made.json()["user_id"] != UNKNOWN
    changed = await ann.patch(f"{PATH}/{made.json()['id']}", json={"topic_id": UNKNOWN, "gone": 7, "unread_count": 7})
    assert changed.json() == made.json()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_a_method_that_is_none_of_its_own_is_405(ann: Client, method: str) -> None:
    answer = await ann.request(method, PATH)

    assert refusal(answer)[0] == 405
    assert "POST" in answer.headers["Allow"]
