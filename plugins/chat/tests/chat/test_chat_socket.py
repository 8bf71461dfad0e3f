"""The WebSocket's handshake, its frames, and who hears what."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import msgpack
import pytest
import trio
from trio.testing import MockClock

from manor import (
    Transaction,
    add_member,
    remove_member,
    set_admin,
    to_chat_id,
)
from manor.testing import Client, House, NotAStream
from manor_chat.channels.membership import join_channel, leave_channel
from manor_chat.store.people import find_person
from manor_chat.telling import tell
from tests.chat_live import URL, listening, settled_crew, token_of
from tests.chat_people import Chatter, Crew, said

NOWHERE = {
    "omit_users": None,
    "user_id": "",
    "channel_id": "",
    "team_id": "",
    "connection_id": "",
    "omit_connection_id": "",
}


@pytest.fixture
async def crew(house: House) -> Crew:
    return await settled_crew(house)


async def told(house: House, event: str = "custom_tests_told", **aim: Any) -> None:
    data = aim.pop("data", {"n": 1})
    await house.storage.write(lambda transaction: tell(transaction, event, data, **aim))


# --- The handshake -------------------------------------------------------------------------------------------------


async def test_a_client_that_is_signed_in_is_greeted_at_once(crew: Crew) -> None:
    async with crew.ann.client.websocket(URL) as socket:
        hello, status = await socket.json(), await socket.json()

    connection_id = hello["data"]["connection_id"]
    assert len(connection_id) == 26
    version = hello["data"]["server_version"]
    assert version.startswith("10.5.0.")
    data = {"server_version": version, "connection_id": connection_id}
    assert hello == {"event": "hello", "data": data, "broadcast": NOWHERE, "seq": 0}
    assert status == {
        "event": "status_change",
        "data": {"status": "online", "user_id": crew.ann.chat_id},
        "broadcast": NOWHERE | {"user_id": crew.ann.chat_id},
        "seq": 1,
    }


async def test_a_challenge_signs_in_and_a_second_one_is_not_answered(house: House, crew: Crew, client: Client) -> None:
    token = await token_of(house, crew.ann.id)
    async with client.websocket(URL) as socket:
        challenge = {"seq": 1, "action": "authentication_challenge", "data": {"token": token}}
        await socket.send(json.dumps(challenge))
        frames = [await socket.json() for _ in range(3)]
        await socket.send(json.dumps(challenge | {"seq": 2}))
        await socket.send(json.dumps({"seq": 3, "action": "ping"}))
        answer = await socket.json()

    assert [frame.get("event") for frame in frames] == ["hello", None, "status_change"]
    assert frames[1] == {"status": "OK", "seq_reply": 1}
    assert (answer["status"], answer["seq_reply"]) == ("OK", 3)


@pytest.mark.parametrize("token", ["p" + "y" * 25, "", 5, None, ["x"], "x" * 3000, "p\udcff"])
async def test_a_bad_token_closes_the_socket(client: Client, token: object) -> None:
    async with client.websocket(URL) as socket:
        await socket.send(json.dumps({"seq": 1, "action": "authentication_challenge", "data": {"token": token}}))
        assert [frame async for frame in socket] == []
    assert socket.closing is not None
    assert socket.closing.code == 4401


async def test_a_token_that_came_as_a_cookie_and_is_over_is_a_bad_one(client: Client) -> None:
    token = "s" + "y" * 25
    async with client.websocket(URL, headers={"Cookie": f"MMAUTHTOKEN={token}"}) as socket:
        await socket.send(json.dumps({"seq": 1, "action": "authentication_challenge", "data": {"token": token}}))
        assert [frame async for frame in socket] == []
    assert socket.closing is not None
    assert socket.closing.code == 4401


async def test_who_does_not_say_who_they_are_is_closed_after_five_seconds(
    client: Client, autojump_clock: MockClock
) -> None:
    before = trio.current_time()
    async with client.websocket(URL) as socket:
        assert [frame async for frame in socket] == []
    assert trio.current_time() - before == pytest.approx(5)


@pytest.mark.parametrize(
    ("request_", "code", "status"),
    [
        ({"seq": 1, "action": "ping"}, "api.web_socket_router.not_authenticated.app_error", 401),
        ({"seq": 1, "action": "no such"}, "api.web_socket_router.not_authenticated.app_error", 401),
        ({"seq": 1}, "api.web_socket_router.no_action.app_error", 400),
        ({"action": "ping"}, "api.web_socket_router.bad_seq.app_error", 400),
    ],
)
async def test_before_that_nothing_is_done(client: Client, request_: Any, code: str, status: int) -> None:
    async with client.websocket(URL) as socket:
        await socket.send(json.dumps(request_))
        answer = await socket.json()
    error = answer.pop("error")
    assert (error["id"], error["status_code"], error["detailed_error"]) == (code, status, "")
    assert error["message"]
    assert answer == {"status": "FAIL"} | ({"seq_reply": 1} if "seq" in request_ else {})


async def test_a_page_of_another_origin_opens_no_socket(crew: Crew) -> None:
    with pytest.raises(NotAStream) as refused:
        async with crew.ann.client.websocket(URL, headers={"Origin": "https://evil.example"}):
            pass
    assert refused.value.answer.status == 403


async def test_a_plain_request_is_told_to_upgrade(crew: Crew) -> None:
    assert (await crew.ann.client.get(URL)).status == 426


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[]",
        "nonsense",
        '{"seq": "1"}',
        '{"data": 5}',
        '{"seq": 1000000000000000000000000000000, "action": "ping"}',
        '{"seq": 1e400}',
        '{"seq": 1, "action": "ping", "data": {"a": ',
        "[" * 5000,
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\x90" * 9000,
    ],
)
async def test_what_cannot_be_read_closes_the_socket(crew: Crew, frame: str | bytes) -> None:
    async with listening(crew.ann.client) as ann:
        await ann.socket.send(frame)
        assert all("event" in json.loads(frame) for frame in [frame async for frame in ann.socket])
    assert ann.socket.closing is not None
    assert ann.socket.closing.code == 1007


async def test_binary_frames_are_messagepack(crew: Crew) -> None:
    async with listening(crew.ann.client) as ann:
        await ann.socket.send(msgpack.packb({"seq": 7, "action": "ping", "data": {}}))
        while "event" in (answer := await ann.next()):
            pass
    assert (answer["seq_reply"], answer["data"]["text"]) == (7, "pong")


# --- Who hears what ------------------------------------------------------------------------------------------------


async def test_a_post_is_heard_by_its_channel_and_of_mentions_each_hears_their_own(house: House, crew: Crew) -> None:
    async with listening(crew.ann.client) as ann, listening(crew.bob.client) as bob, listening(crew.eve.client) as eve:
        post_id = await said(house, crew.ann, crew.off_topic, "Hi @bob, it's “fine” \U0001f600")
        heard = await bob.event("posted")
        hers = await ann.event("posted")
        assert (await eve.event("status_change"))["seq"] == 1
        assert await eve.is_quiet()

    post = json.loads(heard["data"].pop("post"))
    assert heard.pop("seq") >= 2
    assert (post["id"], post["message"]) == (post_id, "Hi @bob, it's “fine” \U0001f600")
    assert heard == {
        "event": "posted",
        "data": {
            "channel_display_name": "Off-Topic",
            "channel_name": "off-topic",
            "channel_type": "O",
            "sender_name": "@ann",
            "set_online": True,
            "team_id": crew.team,
            "mentions": json.dumps([crew.bob.chat_id]),
        },
        "broadcast": NOWHERE | {"channel_id": to_chat_id(crew.off_topic.id)},
    }
    assert "mentions" not in hers["data"]


async def test_followers_of_a_thread_are_told_so(house: House, crew: Crew) -> None:
    async with listening(crew.ann.client) as ann, listening(crew.bob.client) as bob:
        await told(house, channel_id=crew.off_topic.id, mentions=[crew.ann.id], followers=[crew.ann.id, crew.bob.id])
        hers, his = await ann.event("custom_tests_told"), await bob.event("custom_tests_told")
    own = json.dumps([crew.ann.chat_id])
    assert hers["data"] == {"n": 1, "mentions": own, "followers": own}
    assert his["data"] == {"n": 1, "followers": json.dumps([crew.bob.chat_id])}


async def test_an_event_goes_to_whom_it_is_aimed_at(house: House, crew: Crew) -> None:
    eve, channel, team = {"user_id": crew.eve.id}, {"channel_id": crew.off_topic.id}, {"team_id": crew.team_id}
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "ada ann bob eve"),
        (eve, "eve"),
        (eve | channel | team, "eve"),
        (channel | team, "ann bob"),
        (team, "ann bob"),
        (team | {"omit_users": [crew.ann.id, crew.eve.id]}, "bob"),
        ({"audience": "admins"}, "ada"),
        ({"audience": "others"}, "ann bob eve"),
        ({"channel_id": crew.team_id}, ""),
    ]
    async with (
        listening(crew.ann.client) as ann,
        listening(crew.bob.client) as bob,
        listening(crew.eve.client) as eve_,
        listening(crew.ada.client) as ada,
    ):
        for aim, expected in cases:
            await told(house, **aim)
            await told(house, "custom_tests_end")
            hearing = []
            for name, ear in (("ada", ada), ("ann", ann), ("bob", bob), ("eve", eve_)):
                while (frame := await ear.next())["event"] != "custom_tests_end":
                    if frame["event"] == "custom_tests_told":
                        hearing.append(name)
                        ids = {key: to_chat_id(aim[key]) for key in ("user_id", "channel_id", "team_id") if key in aim}
                        omitted = {to_chat_id(each): True for each in aim.get("omit_users", ())} or None
                        assert frame["broadcast"] == NOWHERE | ids | {"omit_users": omitted}
            assert hearing == expected.split(), aim


async def test_the_connection_that_caused_it_is_left_out_and_nobody_elses(house: House, crew: Crew) -> None:
    async with listening(crew.ann.client) as desk, listening(crew.ann.client) as phone:
        await told(house, user_id=crew.ann.id, omit_connection=desk.connection_id)
        heard = await phone.event("custom_tests_told")
        await told(house, user_id=crew.ann.id, omit_connection='"no such')
        assert (await phone.event("custom_tests_told"))["broadcast"]["omit_connection_id"] == '"no such'
        first = await desk.event("custom_tests_told")
    assert heard["broadcast"]["omit_connection_id"] == desk.connection_id
    assert first["broadcast"]["omit_connection_id"] == '"no such'


async def test_who_comes_into_a_channel_hears_it_and_who_leaves_does_not(house: House, crew: Crew) -> None:
    def act(transaction: Transaction, change: Any, who: Chatter) -> None:
        person = find_person(transaction, who.id)
        assert person is not None
        change(transaction, crew.off_topic, person)

    async with listening(crew.eve.client) as eve, listening(crew.bob.client) as bob:
        await house.storage.write(partial(act, change=join_channel, who=crew.eve))
        assert (await eve.event("user_added"))["data"]["user_id"] == crew.eve.chat_id
        await said(house, crew.ann, crew.off_topic, "welcome")
        while "welcome" not in (await eve.event("posted"))["data"]["post"]:
            pass
        await house.storage.write(partial(act, change=leave_channel, who=crew.eve))
        assert (await eve.event("user_removed"))["data"]["remover_id"] == crew.eve.chat_id
        await said(house, crew.ann, crew.off_topic, "gone?")
        while "gone?" not in (await bob.event("posted"))["data"]["post"]:
            pass
        while True:
            frame = await eve.next()
            if frame.get("event") == "user_removed":
                break
        assert await eve.is_quiet()


async def test_teams_and_rights_are_those_of_the_moment(house: House, crew: Crew) -> None:
    async with listening(crew.eve.client) as eve:
        await house.storage.write(lambda transaction: add_member(transaction, crew.team_id, crew.eve.id))
        await told(house, "custom_tests_team", team_id=crew.team_id)
        await house.storage.write(lambda transaction: remove_member(transaction, crew.team_id, crew.eve.id))
        await told(house, "custom_tests_left", team_id=crew.team_id)
        await house.storage.write(lambda transaction: set_admin(transaction, crew.eve.id, is_admin=True))
        await told(house, "custom_tests_admins", audience="admins")
        await house.storage.write(lambda transaction: set_admin(transaction, crew.eve.id, is_admin=False))
        await told(house, "custom_tests_not", audience="admins")
        await told(house, "custom_tests_end")
        names = []
        while (frame := await eve.next())["event"] != "custom_tests_end":
            names.append(frame["event"])
    assert [name for name in names if name.startswith("custom")] == ["custom_tests_team", "custom_tests_admins"]
