"""What clients ask for over the socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from manor import new_id, to_chat_id
from manor.testing import House, SetClock
from manor_chat.times import to_milliseconds
from tests.chat_live import Ear, listening, settled_crew
from tests.chat_people import Crew


@pytest.fixture
async def crew(house: House) -> Crew:
    return await settled_crew(house)


async def test_a_ping_is_answered(crew: Crew, clock: SetClock) -> None:
    async with listening(crew.ann.client) as ann:
        answer = await ann.ask("ping")
    now = to_milliseconds(clock.now())
    data = {"text": "pong", "version": "10.5.0", "server_time": now, "node_id": ""}
    assert answer == {"status": "OK", "seq_reply": 1, "data": data}


async def test_typing_is_seen_by_others_in_the_channel(crew: Crew) -> None:
    channel_id, parent_id = to_chat_id(crew.off_topic.id), to_chat_id(new_id())
    async with listening(crew.ann.client) as ann, listening(crew.bob.client) as bob:
        assert await ann.ask("user_typing", channel_id=channel_id) == {"status": "OK", "seq_reply": 1}
        await ann.ask("user_typing", channel_id=channel_id, parent_id=parent_id)
        first, second = await bob.event("typing"), await bob.event("typing")
        assert await ann.is_quiet()
    assert first["data"] == {"parent_id": "", "user_id": crew.ann.chat_id}
    assert first["broadcast"]["omit_users"] == {crew.ann.chat_id: True}
    assert first["broadcast"]["channel_id"] == channel_id
    assert second["data"]["parent_id"] == parent_id


BAD = "api.websocket_handler.invalid_param.app_error"


async def test_what_is_malformed_or_not_permitted_fails_with_its_id(crew: Crew) -> None:
    channel_id = to_chat_id(crew.off_topic.id)
    cases: list[tuple[str, dict[str, Any], str, int]] = [
        ("no_such_action", {}, "api.web_socket_router.bad_action.app_error", 500),
        ("", {}, "api.web_socket_router.no_action.app_error", 400),
        ("user_typing", {"channel_id": channel_id}, "api.context.permissions.app_error", 403),
        ("user_typing", {"channel_id": to_chat_id(new_id())}, "app.channel.get.existing.app_error", 404),
        ("user_typing", {"channel_id": "x"}, BAD, 400),
        ("user_typing", {"channel_id": 5}, BAD, 400),
        ("user_typing", {}, BAD, 400),
        ("user_typing", {"channel_id": channel_id, "parent_id": "x"}, BAD, 400),
        ("get_statuses_by_ids", {}, BAD, 400),
        ("get_statuses_by_ids", {"user_ids": []}, BAD, 400),
        ("get_statuses_by_ids", {"user_ids": ["x"]}, BAD, 400),
        ("get_statuses_by_ids", {"user_ids": [5]}, BAD, 400),
        ("get_statuses_by_ids", {"user_ids": ["y" * 26] * 2001}, BAD, 400),
        ("user_update_active_status", {}, BAD, 400),
        ("user_update_active_status", {"user_is_active": "yes"}, BAD, 400),
        ("user_update_active_status", {"user_is_active": True, "manual": 1}, BAD, 400),
    ]
    async with listening(crew.eve.client) as eve:
        for action, data, code, status in cases:
            answer = await eve.ask(action, **data)
            error = answer["error"]
            assert (answer["status"], error["id"], error["status_code"]) == ("FAIL", code, status), (action, data)
            assert "data" not in answer
        for seq in (0, -1):
            await eve.socket.send(json.dumps({"seq": seq, "action": "ping"}))
            while "event" in (answer := await eve.next()):
                pass
            assert answer["error"]["id"] == "api.web_socket_router.bad_seq.app_error"


async def test_what_needs_nothing_done_is_taken(crew: Crew) -> None:
    async with listening(crew.ann.client) as ann:
        for action in ("presence", "posted_notify_ack"):
            assert (await ann.ask(action, channel_id="x", is_thread_view=True))["status"] == "OK"


async def test_statuses_are_those_of_teammates_or_of_whom_one_asks(crew: Crew) -> None:
    async with listening(crew.ann.client) as ann, listening(crew.eve.client) as eve:
        everybody = await ann.ask("get_statuses")
        alone = await eve.ask("get_statuses")
        nobody = "y" * 26
        asked = await ann.ask("get_statuses_by_ids", user_ids=[crew.eve.chat_id, crew.ada.chat_id, nobody])
    assert everybody["data"] == {crew.ann.chat_id: "online", crew.bob.chat_id: "offline"}
    assert alone["data"] == {crew.eve.chat_id: "online"}
    assert asked["data"] == {crew.eve.chat_id: "online", crew.ada.chat_id: "offline", nobody: "offline"}


async def status(ear: Ear, user_id: str) -> str:
    found: str = (await ear.ask("get_statuses_by_ids", user_ids=[user_id]))["data"][user_id]
    return found


async def test_who_is_at_no_client_any_more_is_away(crew: Crew) -> None:
    me = crew.ann.chat_id
    async with listening(crew.bob.client) as bob, listening(crew.ann.client) as desk:
        async with listening(crew.ann.client) as phone:
            await desk.ask("user_update_active_status", user_is_active=False)
            assert await status(bob, me) == "online"
            await phone.ask("user_update_active_status", user_is_active=False)
            assert await status(bob, me) == "away"
            await phone.ask("user_update_active_status", user_is_active=True)
            assert await status(bob, me) == "online"
        assert await status(bob, me) == "away"
        await desk.ask("user_update_active_status", user_is_active=True)
        await desk.ask("user_update_active_status", user_is_active=False, manual=True)
        await desk.ask("user_update_active_status", user_is_active=True)
        assert await status(bob, me) == "away"
        await desk.ask("user_update_active_status", user_is_active=True, manual=True)
        assert await status(bob, me) == "online"


async def test_who_asks_too_fast_is_read_slower(crew: Crew, autojump_clock: MockClock) -> None:
    began = trio.current_time()
    async with listening(crew.ann.client) as ann:
        for _ in range(150):
            assert (await ann.ask("ping"))["status"] == "OK"
    assert 2 <= trio.current_time() - began <= 60
