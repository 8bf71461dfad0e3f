"""How people are there, and what they say about it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from manor import new_id, to_chat_id
from manor.testing import House, SetClock, open_test_house
from manor_chat.presence import Status
from manor_chat.status.store import read_statuses
from manor_chat.store.people import find_person
from manor_chat.times import to_milliseconds
from tests.chat_live import listening, settled_crew
from tests.chat_people import API, Chatter, Crew, chatter, chatting_as, said

BODY = "api.context.invalid_body_param.app_error"
URL_PARAM = "api.context.invalid_url_param.app_error"


@pytest.fixture
async def crew(house: House) -> Crew:
    return await settled_crew(house)


async def status_of(who: Chatter, asking: Chatter | None = None) -> Any:
    answer = await (asking or who).client.get(f"{API}/users/{who.chat_id}/status")
    assert answer.status == 200
    return answer.json()


async def choose(who: Chatter, status: str, **more: Any) -> Any:
    body = {"user_id": who.chat_id, "status": status, **more}
    answer = await who.client.put(f"{API}/users/me/status", json=body)
    assert answer.status == 200, answer.text
    return answer.json()


async def test_who_is_connected_is_online_and_offline_with_the_last_socket(crew: Crew, clock: SetClock) -> None:
    unknown = {"user_id": crew.ann.chat_id, "status": "offline", "manual": False, "last_activity_at": 0}
    assert await status_of(crew.ann) == unknown | {"dnd_end_time": 0}
    async with listening(crew.ann.client):
        async with listening(crew.ann.client):
            pass
        now = to_milliseconds(clock.now())
        online = {"status": "online", "last_activity_at": now}
        assert await status_of(crew.ann, crew.bob) == unknown | online | {"dnd_end_time": 0}
    assert (await status_of(crew.ann))["status"] == "offline"


async def test_people_hear_of_their_own_status_alone(crew: Crew) -> None:
    async with listening(crew.ann.client) as ann, listening(crew.bob.client) as bob:
        await ann.event("status_change")
        await bob.event("status_change")
        await choose(crew.ann, "dnd")
        heard = await ann.event("status_change")
        assert await bob.is_quiet()
    assert heard["data"] == {"status": "dnd", "user_id": crew.ann.chat_id}
    assert heard["broadcast"]["user_id"] == crew.ann.chat_id


@pytest.mark.parametrize("status", ["away", "dnd", "offline", "ooo"])
async def test_what_somebody_chose_stays_whatever_they_do(house: House, crew: Crew, status: str) -> None:
    assert (await choose(crew.ann, status))["manual"] is True
    async with listening(crew.ann.client) as ann:
        await ann.ask("user_update_active_status", user_is_active=True)
        assert (await status_of(crew.ann))["status"] == status
    assert (await status_of(crew.ann))["status"] == status
    assert await choose(crew.ann, "online") == await status_of(crew.ann)
    assert (await status_of(crew.ann))["manual"] is False


async def test_not_being_disturbed_ends_at_its_time(crew: Crew, clock: SetClock, autojump_clock: MockClock) -> None:
    now = clock.now()
    ends = int(now.timestamp()) + 600
    async with listening(crew.ann.client) as ann:
        await ann.event("status_change")
        assert (await choose(crew.ann, "dnd", dnd_end_time=ends))["dnd_end_time"] == ends
        await choose(crew.bob, "dnd", dnd_end_time=ends)
        assert (await ann.event("status_change"))["data"]["status"] == "dnd"
        clock.set(now + timedelta(seconds=599))
        await trio.sleep(60)
        assert (await status_of(crew.ann))["status"] == "dnd"
        clock.set(now + timedelta(seconds=600))
        assert (await ann.event("status_change"))["data"]["status"] == "online"
    after = await status_of(crew.bob)
    assert (after["status"], after["manual"], after["dnd_end_time"]) == ("offline", False, 0)


async def test_who_was_only_active_for_a_moment_is_offline_after_five_minutes(
    house: House, crew: Crew, clock: SetClock, autojump_clock: MockClock
) -> None:
    await choose(crew.ann, "online")
    assert (await status_of(crew.ann))["status"] == "online"
    clock.set(clock.now() + timedelta(minutes=4))
    await trio.sleep(60)
    assert (await status_of(crew.ann))["status"] == "online"
    clock.set(clock.now() + timedelta(minutes=1))
    await trio.sleep(60)
    assert (await status_of(crew.ann))["status"] == "offline"


async def test_who_writes_is_online_unless_their_client_says_otherwise(crew: Crew) -> None:
    for query, expected in (("?set_online=false", "offline"), ("", "online")):
        post = {"channel_id": to_chat_id(crew.off_topic.id), "message": "here I am"}
        assert (await crew.ann.client.post(f"{API}/posts{query}", json=post)).status == 201
        assert (await status_of(crew.ann))["status"] == expected


async def test_here_means_those_who_are_online(house: House, crew: Crew) -> None:
    async with listening(crew.bob.client) as bob:
        await said(house, crew.ann, crew.off_topic, "@here nobody asked the presence")
        assert "mentions" not in (await bob.event("posted"))["data"]


async def test_several_peoples_statuses_are_asked_at_once(crew: Crew) -> None:
    nobody = to_chat_id(new_id())
    await choose(crew.bob, "away")
    ids = [crew.bob.chat_id, nobody, crew.bob.chat_id]
    answer = await crew.eve.client.post(f"{API}/users/status/ids", json=ids)
    assert [(each["user_id"], each["status"], each["manual"]) for each in answer.json()] == [
        (crew.bob.chat_id, "away", True),
        (nobody, "offline", False),
    ]


async def test_what_is_wrong_is_refused_with_its_id(crew: Crew, clock: SetClock) -> None:
    ann, bob, nobody = crew.ann.chat_id, crew.bob.chat_id, to_chat_id(new_id())
    now = int(clock.now().timestamp())
    cases: list[tuple[str, str, Any, int, str]] = [
        ("POST", "/users/status/ids", [], 400, BODY),
        ("POST", "/users/status/ids", ["x"], 400, BODY),
        ("POST", "/users/status/ids", {"ids": []}, 400, BODY),
        ("POST", "/users/status/ids", [5], 400, BODY),
        ("GET", "/users/x/status", None, 400, URL_PARAM),
        ("GET", f"/users/{nobody}/status", None, 404, "api.status.user_not_found.app_error"),
        ("PUT", "/users/me/status", {"user_id": bob, "status": "away"}, 400, BODY),
        ("PUT", "/users/me/status", {"status": "away"}, 400, BODY),
        ("PUT", "/users/me/status", {"user_id": ann, "status": "busy"}, 400, BODY),
        ("PUT", "/users/me/status", {"user_id": ann, "status": "dnd", "dnd_end_time": now}, 400, BODY),
        ("PUT", "/users/me/status", {"user_id": ann, "status": "dnd", "dnd_end_time": -1}, 400, BODY),
        ("PUT", "/users/me/status", {"user_id": ann, "status": "dnd", "dnd_end_time": 2**62}, 400, BODY),
        ("PUT", "/users/me/status", {"user_id": ann, "status": "dnd", "dnd_end_time": "soon"}, 400, BODY),
        (
            "PUT",
            f"/users/{bob}/status",
            {"user_id": bob, "status": "away"},
            403,
            "api.context.permissions.app_error",
        ),
        (
            "PUT",
            f"/users/{nobody}/status",
            {"user_id": nobody, "status": "away"},
            404,
            "api.status.user_not_found.app_error",
        ),
        ("PUT", f"/users/{bob}/status/custom", {"text": "x"}, 403, "api.context.permissions.app_error"),
        ("DELETE", f"/users/{bob}/status/custom", None, 403, "api.context.permissions.app_error"),
        (
            "POST",
            f"/users/{bob}/status/custom/recent/delete",
            {"text": "x"},
            403,
            "api.context.permissions.app_error",
        ),
        ("PUT", "/users/me/status/custom", {}, 400, BODY),
        ("PUT", "/users/me/status/custom", {"emoji": None, "text": None}, 400, BODY),
        ("PUT", "/users/me/status/custom", {"text": "x", "duration": "ages"}, 400, BODY),
        ("PUT", "/users/me/status/custom", {"text": "x", "duration": "one_hour"}, 400, BODY),
        ("PUT", "/users/me/status/custom", {"text": "x", "expires_at": "soon"}, 400, BODY),
        ("PUT", "/users/me/status/custom", {"text": "x", "expires_at": "2031-01-01T00:00:00"}, 400, BODY),
        ("PUT", "/users/me/status/custom", {"text": "x", "expires_at": "2029-01-01T00:00:00Z"}, 400, BODY),
        ("PUT", "/users/me/status/custom", {"emoji": "e" * 65}, 400, BODY),
    ]
    for method, path, body, status, code in cases:
        more = {} if body is None else {"json": body}
        answer = await crew.ann.client.request(method, API + path, **more)
        assert (answer.status, answer.json()["id"]) == (status, code), (method, path, body)
    assert (await status_of(crew.ann))["status"] == "offline"


async def test_an_administrator_may_choose_for_others(crew: Crew) -> None:
    body = {"user_id": crew.bob.chat_id, "status": "away", "dnd_end_time": None}
    answer = await crew.ada.client.put(f"{API}/users/{crew.bob.chat_id}/status", json=body)
    assert (answer.status, answer.json()["status"]) == (200, "away")


# --- Custom statuses -----------------------------------------------------------------------------------------------


async def custom_of(house: House, who: Chatter) -> Any:
    person: Any = await house.storage.read(lambda transaction: find_person(transaction, who.id))
    return person.profile.props.get("customStatus")


async def put_custom(who: Chatter, **status: Any) -> None:
    answer = await who.client.put(f"{API}/users/me/status/custom", json=status)
    assert (answer.status, answer.json()) == (200, {"status": "OK"})


async def recent_told(ear: Any) -> list[Any]:
    told = await ear.event("preferences_changed")
    (preference,) = json.loads(told["data"]["preferences"])
    assert (preference["category"], preference["name"]) == ("custom_status", "recent_custom_statuses")
    found: list[Any] = json.loads(preference["value"])
    return found


async def test_a_custom_status_is_seen_by_everybody_and_remembered(house: House, crew: Crew) -> None:
    expires_at = "2030-01-02T15:00:00Z"
    lunch = {"emoji": "ramen", "text": "Lunch", "duration": "one_hour", "expires_at": expires_at}
    async with listening(crew.ann.client) as ann, listening(crew.eve.client) as eve:
        await put_custom(crew.ann, **lunch)
        seen = await eve.event("user_updated")
        assert json.loads(seen["data"]["user"]["props"]["customStatus"]) == lunch
        assert await recent_told(ann) == [lunch]

        await put_custom(crew.ann, text="x" * 150, emoji=None, duration=None, expires_at=None)
        (first, second) = await recent_told(ann)
        assert first == {
            "emoji": "speech_balloon",
            "text": "x" * 100,
            "duration": "",
            "expires_at": "0001-01-01T00:00:00Z",
        }
        assert second == lunch
        for n in range(5):
            await put_custom(crew.ann, text=f"{n}")
            recent = await recent_told(ann)
        assert [each["text"] for each in recent] == ["4", "3", "2", "1", "0"]
        await put_custom(crew.ann, text="2")
        assert [each["text"] for each in await recent_told(ann)] == ["2", "4", "3", "1", "0"]

        answer = await crew.ann.client.post(f"{API}/users/me/status/custom/recent/delete", json=recent[0])
        assert answer.json() == {"status": "OK"}
        assert [each["text"] for each in await recent_told(ann)] == ["2", "3", "1", "0"]

        assert json.loads(await custom_of(house, crew.ann))["text"] == "2"
        answer = await crew.ann.client.delete(f"{API}/users/me/status/custom")
        assert answer.json() == {"status": "OK"}
        assert not await custom_of(house, crew.ann)


# --- Keeping -------------------------------------------------------------------------------------------------------


async def test_statuses_are_written_a_moment_later(house: House, crew: Crew, autojump_clock: MockClock) -> None:
    before = house.storage.commits
    await choose(crew.ann, "dnd")
    await choose(crew.bob, "away")
    await choose(crew.bob, "offline")
    assert house.storage.commits == before
    await trio.sleep(11)
    kept = await house.storage.read(read_statuses)
    assert {kept[crew.ann.id].status, kept[crew.bob.id].status} == {"dnd", "offline"}
    assert kept[crew.ann.id].prev_status == "offline"


async def test_after_a_restart_only_what_was_chosen_is_left(tmp_path: Path, clock: SetClock) -> None:
    async with open_test_house(tmp_path / "house", plugins=["chat"], clock=clock) as house:
        ann, bob = await chatter(house, "ann"), await chatter(house, "bob")
        await choose(ann, "dnd")
        async with listening(bob.client):
            await trio.testing.wait_all_tasks_blocked()
            assert house.services.clock is clock
    async with open_test_house(tmp_path / "house", plugins=["chat"], clock=clock) as house:
        for who, expected in ((ann, "dnd"), (bob, "offline")):
            client = chatting_as(house, who.id)
            answer = await client.get(f"{API}/users/me/status")
            assert answer.json()["status"] == expected
        kept = await house.storage.read(read_statuses)
        assert kept[ann.id] == Status("dnd", True, to_milliseconds(clock.now()), 0, "offline")
