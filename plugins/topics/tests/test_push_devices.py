"""Devices: registered and changed by whoever holds them, and nobody else's business."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import trio

from manor import Principal
from manor.testing import Client, House, SetClock
from manor_topics.push.addresses import LONGEST_TOKEN
from manor_topics.push.registering import MOST_DEVICES
from tests.topic_people import asking_as, person, refusal, session_of

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
MEMBERS = {
    *("id", "user_id", "push_token", "platform", "device_id", "device_name", "app_version", "is_active", "created_at"),
    *("last_seen", "last_success_at", "last_error_at", "last_error", "failures", "delivered"),
}
PHONE = {"push_token": "ExponentPushToken[ann]", "platform": "ios", "device_id": "phone-1"}
POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


def subscription(endpoint: str = "https://push.example.org/ann", **keys: str) -> str:
    return json.dumps({"endpoint": endpoint, "keys": {"p256dh": POINT, "auth": "BTBZMqHH6r4Tts7J_aSIgg", **keys}})


@pytest.fixture
async def ann(house: House) -> Client:
    return asking_as(house, await person(house, "ann"))


@pytest.fixture
async def bob(house: House) -> Client:
    return asking_as(house, await person(house, "bob"))


async def registered(client: Client, **members: Any) -> dict[str, Any]:
    answer = await client.post("/api/devices/register", json={**PHONE, **members})
    assert answer.status == 201, answer.text
    device: dict[str, Any] = answer.json()
    return device


async def mine(client: Client) -> list[dict[str, Any]]:
    answer = await client.get("/api/devices/my")
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json()
    return found


# --- Registering -----------------------------------------------------------------------------------------------------


async def test_a_device_is_registered_and_seen_by_its_owner(ann: Client) -> None:
    device = await registered(ann, device_name="Ann's phone", app_version="1.2")

    assert set(device) == MEMBERS
    assert {name: device[name] for name in PHONE} == PHONE
    assert (device["device_name"], device["app_version"], device["is_active"]) == ("Ann's phone", "1.2", True)
    assert (device["created_at"], device["last_seen"]) == ("2030-01-02T12:00:00Z", "2030-01-02T12:00:00Z")
    assert (device["last_success_at"], device["last_error"], device["failures"], device["delivered"]) == (
        *(None, None),
        *(0, 0),
    )
    assert await mine(ann) == [device]
    assert (await ann.get(f"/api/devices/{device['id']}")).json() == device
    assert (await ann.get("/api/devices/phone-1")).json() == device


async def test_the_same_device_once_more_keeps_its_id(ann: Client, clock: SetClock) -> None:
    first = await registered(ann)
    clock.set(NOON + timedelta(days=1))
    again = await registered(ann, push_token="ExponentPushToken[new]", platform="expo", device_name="Phone")

    assert again["id"] == first["id"]
    assert (again["push_token"], again["platform"], again["device_name"]) == (
        "ExponentPushToken[new]",
        *("expo", "Phone"),
    )
    assert (again["created_at"], again["last_seen"]) == ("2030-01-02T12:00:00Z", "2030-01-03T12:00:00Z")
    assert await mine(ann) == [again]


async def test_two_people_may_call_their_devices_the_same(ann: Client, bob: Client) -> None:
    anns, bobs = await registered(ann), await registered(bob, push_token="ExponentPushToken[bob]")

    assert anns["id"] != bobs["id"]
    assert (await ann.get("/api/devices/phone-1")).json()["id"] == anns["id"]


async def test_a_push_token_moves_to_whoever_holds_the_device_now(ann: Client, bob: Client) -> None:
    await registered(ann)
    moved = await registered(bob)

    assert await mine(ann) == []
    assert await mine(bob) == [moved]


async def test_a_browser_is_one_device_whatever_its_keys_are(ann: Client, bob: Client) -> None:
    other_key = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
    await registered(ann, platform="web", push_token=subscription())
    moved = await registered(bob, platform="web", push_token=subscription(p256dh=other_key))

    assert await mine(ann) == []
    assert await mine(bob) == [moved]


async def test_a_reinstalled_app_is_not_notified_twice(ann: Client) -> None:
    await registered(ann)
    again = await registered(ann, device_id="phone-2")

    assert await mine(ann) == [again]


async def test_an_id_comes_before_what_another_device_is_called(ann: Client) -> None:
    first = await registered(ann)
    second = await registered(ann, device_id=first["id"], push_token="ExponentPushToken[2]")

    assert (await ann.get(f"/api/devices/{first['id']}")).json() == first
    assert (await ann.delete(f"/api/devices/{first['id']}")).status == 204
    assert (await ann.get(f"/api/devices/{first['id']}")).json() == second


async def test_there_is_a_bound_to_somebodys_devices(ann: Client) -> None:
    for number in range(MOST_DEVICES):
        await registered(ann, device_id=f"phone-{number}", push_token=f"token-{number}")

    answer = await ann.post("/api/devices/register", json={**PHONE, "device_id": "more"})
    assert refusal(answer) == (403, "You have 100 devices; remove one first")
    await registered(ann, device_id="phone-7")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"platform": "windows"}, "platform"),
        ({"platform": "WEB"}, "platform"),
        ({"platform": None}, "platform"),
        ({"push_token": ""}, "push_token"),
        ({"push_token": None}, "push_token"),
        ({"push_token": {"endpoint": "https://push.example.org"}}, "push_token"),
        ({"push_token": "two words"}, "push_token"),
        ({"push_token": "zażółć"}, "push_token"),
        ({"push_token": "x" * (LONGEST_TOKEN + 1)}, "push_token"),
        ({"device_id": ""}, "device_id"),
        ({"device_id": "  "}, "device_id"),
        ({"device_id": "a\nb"}, "device_id"),
        ({"device_id": "x" * 256}, "device_id"),
        ({"device_id": 7}, "device_id"),
        ({"device_name": "a\x1b[31m"}, "device_name"),
        ({"device_name": "x" * 101}, "device_name"),
        ({"app_version": "x" * 51}, "app_version"),
        ({"app_version": 1.2}, "app_version"),
    ],
)
async def test_what_is_wrong_with_a_device_is_said(ann: Client, change: dict[str, Any], said: str) -> None:
    status, detail = refusal(await ann.post("/api/devices/register", json={**PHONE, **change}))

    assert status == 422
    assert said in detail
    assert await mine(ann) == []


@pytest.mark.parametrize("missing", sorted(PHONE))
async def test_what_a_device_lacks_is_said(ann: Client, missing: str) -> None:
    body = {name: value for name, value in PHONE.items() if name != missing}
    status, detail = refusal(await ann.post("/api/devices/register", json=body))

    assert status == 422
    assert missing in detail


@pytest.mark.parametrize(
    "token",
    [
        "not json",
        "[]",
        "{}",
        json.dumps({"endpoint": "https://push.example.org/x"}),
        subscription("http://push.example.org/x"),
        subscription("ftp://push.example.org/x"),
        subscription("https://"),
        subscription("https://user:password@push.example.org/x"),
        subscription("https://push.example.org:99999/x"),
        subscription("https://[::1/x"),
        subscription("https://push.example.org/a b"),
        subscription("https://push.example.org/" + "x" * 2048),
        subscription(p256dh=""),
        subscription(p256dh="!!!!"),
        subscription(p256dh=POINT[:-4]),
        subscription(p256dh="BA" + "A" * 85),
        subscription(auth="c2hvcnQ"),
        subscription(auth="ż"),
    ],
)
async def test_a_browsers_subscription_has_to_be_one(ann: Client, token: str) -> None:
    answer = await ann.post("/api/devices/register", json={**PHONE, "platform": "web", "push_token": token})

    status, detail = refusal(answer)
    assert status == 422
    assert detail.startswith("push_token ")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]"])
async def test_a_body_that_is_no_device_is_refused(ann: Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await ann.post("/api/devices/register", body=body, headers=headers)

    assert answer.status in (400, 422)


# --- Changing, removing ----------------------------------------------------------------------------------------------


async def test_what_is_left_out_of_a_change_stays(ann: Client, clock: SetClock) -> None:
    device = await registered(ann, device_name="Phone", app_version="1")
    clock.set(NOON + timedelta(hours=1))

    answer = await ann.put("/api/devices/phone-1", json={"app_version": "2"})
    assert answer.status == 200
    assert answer.json() == {**device, "app_version": "2", "last_seen": "2030-01-02T13:00:00Z"}
    assert (await ann.put("/api/devices/phone-1", json={"device_name": None})).json()["device_name"] is None


async def test_a_new_push_token_takes_the_place_of_the_old_one(ann: Client, bob: Client) -> None:
    await registered(ann)
    await registered(bob, push_token="ExponentPushToken[bob]")

    changed = await ann.put("/api/devices/phone-1", json={"push_token": "ExponentPushToken[bob]"})
    assert changed.json()["push_token"] == "ExponentPushToken[bob]"
    assert await mine(bob) == []


@pytest.mark.parametrize(
    "change", [{"push_token": ""}, {"push_token": None}, {"push_token": "a b"}, {"device_name": "a\nb"}]
)
async def test_a_change_that_cannot_be_is_refused(ann: Client, change: dict[str, Any]) -> None:
    device = await registered(ann)

    assert (await ann.put("/api/devices/phone-1", json=change)).status == 422
    assert await mine(ann) == [device]


async def test_a_removed_device_is_gone(ann: Client) -> None:
    await registered(ann)

    assert (await ann.delete("/api/devices/phone-1")).status == 204
    assert (await ann.delete("/api/devices/phone-1")).status == 404
    assert await mine(ann) == []


# --- Whose they are --------------------------------------------------------------------------------------------------


async def test_other_peoples_devices_are_not_there(ann: Client, bob: Client) -> None:
    device = await registered(ann)
    path = f"/api/devices/{device['id']}"

    answers = [
        await bob.get(path),
        await bob.put(path, json={"device_name": "mine"}),
        await bob.delete(path),
        await bob.post(f"{path}/test"),
        await bob.get("/api/devices/phone-1"),
        await bob.get(f"/api/devices/{UNKNOWN}"),
    ]
    assert [refusal(answer) for answer in answers] == [(404, "You have no such device")] * 6
    assert await mine(ann) == [device]


async def test_devices_are_people_s_who_have_signed_in(house: House, client: Client) -> None:
    ann = await person(house, "ann")
    key = Principal("api_key", user_id=ann, scopes=frozenset({"publish"}))
    token = Principal("topic_token", scopes=frozenset({"read"}), resource=UUID(UNKNOWN))
    able = Principal("api_key", user_id=ann, scopes=frozenset({"devices"}))

    assert (await client.get("/api/devices/my")).status == 401
    assert (await client(principals=[key]).get("/api/devices/my")).status == 403
    assert (await client(principals=[token]).get("/api/devices/my")).status == 403
    assert (await client(principals=[able]).get("/api/devices/my")).status == 200
    assert (await client(principals=[session_of(ann)]).post("/api/devices/my")).status == 405


# --- Trials ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["ios", "android", "expo", "web"])
async def test_without_a_provider_nothing_is_said_to_have_been_sent(ann: Client, platform: str) -> None:
    await registered(ann, platform=platform, push_token=subscription() if platform == "web" else "ExponentPushToken[x]")

    answer = await ann.post("/api/devices/phone-1/test")
    assert refusal(answer) == (503, f"This server pushes nothing to devices of the platform '{platform}'")
    (device,) = await mine(ann)
    assert (device["is_active"], device["last_error"], device["last_success_at"]) == (True, None, None)


async def test_without_web_push_there_is_no_key_for_browsers(client: Client) -> None:
    assert refusal(await client.get("/api/push/vapid-key")) == (503, "This server pushes nothing to browsers")


# --- In the end ------------------------------------------------------------------------------------------------------


async def test_a_device_that_nobody_has_used_for_a_year_is_forgotten(
    ann: Client, clock: SetClock, autojump_clock: Any
) -> None:
    await registered(ann)
    await registered(ann, device_id="used", push_token="used")
    clock.set(NOON + timedelta(days=360))
    await ann.put("/api/devices/used", json={})
    clock.set(NOON + timedelta(days=366))
    await trio.sleep(7 * 3600)

    assert [device["device_id"] for device in await mine(ann)] == ["used"]


async def test_devices_are_exported_and_erased_with_their_owner(house: House, ann: Client, bob: Client) -> None:
    device, other = await registered(ann), await registered(bob, push_token="ExponentPushToken[bob]")
    ann_id = UUID(device["user_id"])
    topics = next(plugin for plugin in house.running if plugin.name == "topics").instance
    data = topics.manor_personal_data()

    exported = [item async for section, item in data.export(ann_id) if section == "devices"]
    assert [(str(item.id), item.push_token) for item in exported] == [(device["id"], device["push_token"])]
    assert "devices" in data.sections
    while await house.storage.write(lambda transaction: data.erase(transaction, ann_id, 100)):
        pass
    assert await mine(ann) == []
    assert await mine(bob) == [other]


async def test_nobody_registers_a_device_after_their_erasure(house: House, client: Client) -> None:
    gone = client(principals=[session_of(UUID(UNKNOWN))])

    assert (await gone.post("/api/devices/register", json=PHONE)).status == 401
