"""The two sockets, and what is told on both."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest
import trio
from trio.testing import MockClock

from manor import Event, Principal
from manor.testing import Client, House, SetClock
from manor_stream.chat import pace, rules
from manor_stream.events import ChatMessageSent, ChatNameChanged
from manor_stream.http.api import CHAT_USER
from tests.stream_chat import chat_of, entering, register, talking
from tests.stream_watching import ENDED, go_live, go_offline, shared_of


async def test_both_sockets_hear_one_message_in_the_same_bytes(client: Client) -> None:
    async with talking(client, "Ada") as ada, entering(client) as old:
        await ada.send("CHAT", body="hello **all** :)")
        frame = await anext(ada.socket)
        assert await anext(old.socket) == frame

        told = json.loads(frame)
        assert told["user"] == ada.user
        UUID(told.pop("id"))
        assert told.pop("user")["displayName"] == "Ada"
        assert told == {
            "type": "CHAT",
            "timestamp": "2030-01-02T12:00:00Z",
            "author": "Ada",
            "body": "<p>hello <strong>all</strong> :)</p>",
            "visible": True,
            "clientId": 1,
        }


async def test_without_registration_people_are_who_they_say(client: Client) -> None:
    async with entering(client) as old, talking(client) as other:
        await old.send("CHAT", author="Bob", body="one")
        first = await other.hear()
        await old.send("CHAT", author="Bobby", body="two")
        second = await other.hear()

    assert (first["author"], first["user"]["displayName"]) == ("Bob", "Bob")
    assert (second["author"], second["user"]["displayName"]) == ("Bobby", "Bobby")
    assert first["user"]["id"] == second["user"]["id"]
    assert second["user"]["previousNames"] == ["Bob", "Bobby"]


async def test_a_message_without_an_author_is_of_whoever_was_known(client: Client) -> None:
    async with entering(client) as old:
        await old.send("CHAT", author=" \u202e ", body="one")
        made_up = (await old.hear())["author"]
        await old.send("CHAT", author="Bob", body="two")
        await old.hear()
        await old.send("CHAT", body="three")

        assert made_up
        assert (await old.hear())["author"] == "Bob"


async def test_with_registration_nobody_says_who_they_are(client: Client) -> None:
    async with talking(client, "Ada") as ada:
        await ada.send("CHAT", author="Somebody else", body="x")

        assert (await ada.hear())["author"] == "Ada"


async def test_a_message_is_on_disk_before_it_is_told(client: Client, house: House, heard: list[Event]) -> None:
    async with talking(client, "Ada") as ada:
        await ada.send("CHAT", body="<b>x</b> *y*")
        frame = await ada.hear()

    (sent,) = [event for event in heard if isinstance(event, ChatMessageSent)]
    assert (str(sent.id), sent.raw_body, sent.body, sent.kind) == (frame["id"], "<b>x</b> *y*", frame["body"], "CHAT")
    assert (await client.get("/api/chat")).json() == [frame]


@pytest.mark.parametrize("query", [{}, {"accessToken": ""}, {"accessToken": "chat_unknown"}, {"accessToken": "é\x00"}])
async def test_without_a_good_token_one_is_told_to_register(client: Client, query: dict[str, str]) -> None:
    async with client.websocket("/ws", query=query) as socket:
        frames = [json.loads(frame) async for frame in socket]

    assert [frame["type"] for frame in frames] == ["ERROR_NEEDS_REGISTRATION"]
    assert socket.closing is not None
    assert socket.closing.code == 4401


async def test_a_user_whose_row_is_gone_registers_anew(house: House) -> None:
    nobody = Client(house.dispatcher, principals=(Principal(CHAT_USER, credential_id=UUID(int=7)),))
    async with nobody.websocket("/ws") as socket:
        assert (await socket.json())["type"] == "ERROR_NEEDS_REGISTRATION"


@pytest.mark.parametrize("path", ["/ws", "/entry"])
async def test_a_plain_request_is_told_to_upgrade(client: Client, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status, answer.json()["success"]) == (426, False)


@pytest.mark.parametrize("path", ["/ws", "/entry"])
async def test_a_chat_that_is_switched_off_says_so(client: Client, house: House, path: str) -> None:
    token = (await register(client))["accessToken"]
    await shared_of(house).settings.change(is_chat_disabled=True)
    async with client.websocket(path, query={"accessToken": token}) as socket:
        frames = [json.loads(frame) async for frame in socket]

    assert [frame["type"] for frame in frames] == ["CHAT_DISABLED"]


async def test_switching_the_chat_off_ends_it_for_everybody(client: Client, house: House) -> None:
    async with talking(client) as ada, entering(client) as old:
        await shared_of(house).settings.change(is_chat_disabled=True)

        for talker in (ada, old):
            frames, closing = await talker.rest()
            assert [frame["type"] for frame in frames] == ["CHAT_DISABLED"]
            assert closing is not None
            assert closing.code == 4503
    assert chat_of(house).connected == 0


async def test_a_user_has_so_many_connections(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "CONNECTIONS_OF_A_USER", 2)
    token = (await register(client))["accessToken"]
    async with (
        talking(client, token=token),
        talking(client(address="192.0.2.1"), token=token),
        client(address="192.0.2.2").websocket("/ws", query={"accessToken": token}) as third,
    ):
        assert (await third.json())["type"] == "ERROR_MAX_CONNECTIONS_EXCEEDED"
    async with talking(client, token=token):
        pass


async def test_an_address_has_so_many_connections(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "CONNECTIONS_OF_AN_ADDRESS", 2)
    async with entering(client), talking(client):
        async with client.websocket("/entry") as third:
            assert (await third.json())["type"] == "ERROR_MAX_CONNECTIONS_EXCEEDED"
        async with entering(client(address="192.0.2.1")) as elsewhere:
            assert await elsewhere.hears_nothing()


BROKEN = [
    "",
    "nonsense",
    "[]",
    '{"type":"SYSTEM","body":"x"}',
    '{"type":"CHAT","body":7}',
    '{"type":"CHAT","body":"   "}',
    '{"type":"CHAT","body":"<script>x</script>"}',
    '{"type":"PONG"}',
    '{"type":"USER_JOINED","username":"x"}',
    "[" * 10_000,
]


@pytest.mark.parametrize("text", BROKEN)
async def test_what_nobody_understands_is_dropped_without_a_word(client: Client, text: str) -> None:
    async with talking(client) as ada, talking(client) as other:
        await ada.socket.send(text)

        assert await other.hears_nothing()
        assert await ada.hears_nothing()


async def test_several_objects_in_one_frame_are_several_messages(client: Client) -> None:
    async with talking(client) as ada:
        await ada.socket.send('{"type":"CHAT","body":"a"}\n{"type":"?"}\n{"type":"CHAT","body":"b"}')

        assert [(await ada.hear())["body"] for _ in range(2)] == ["<p>a</p>", "<p>b</p>"]


async def test_a_message_that_is_too_long_is_not_taken(client: Client) -> None:
    async with talking(client, "Ada") as ada, talking(client) as other:
        await ada.send("CHAT", body="é" * 1025)
        told = await ada.hear()

        assert (told["type"], told["author"]) == ("SYSTEM", "Manor")
        assert "2048 bytes" in told["body"]
        assert await other.hears_nothing()
        await ada.send("CHAT", body="é" * 1024)
        assert (await other.hear())["type"] == "CHAT"


async def test_a_frame_that_is_too_long_ends_the_socket(client: Client) -> None:
    async with talking(client) as ada:
        await ada.socket.send("x" * (rules.MOST_FRAME_BYTES + 1))
        frames, closing = await ada.rest()

    assert frames == []
    assert closing is not None
    assert closing.code == 1009


async def test_five_at_once_and_then_three_in_five_seconds(client: Client, autojump_clock: MockClock) -> None:
    async with talking(client) as ada:
        for _ in range(7):
            await ada.send("CHAT", body="x")
        told = [(await ada.hear())["type"] for _ in range(6)]
        assert told == ["CHAT"] * 5 + ["SYSTEM"]

        await trio.sleep(5)
        for _ in range(4):
            await ada.send("CHAT", body="y")
        assert [(await ada.hear())["type"] for _ in range(3)] == ["CHAT"] * 3


async def test_several_sockets_of_a_user_do_not_help(client: Client, house: House, heard: list[Event]) -> None:
    async with talking(client) as one, talking(client(address="192.0.2.1"), token=one.token) as two:
        for _ in range(5):
            await one.send("CHAT", body="x")
            await two.send("CHAT", body="x")

    assert sum(isinstance(event, ChatMessageSent) for event in heard) == 5


async def test_many_names_at_one_address_do_not_help(client: Client, heard: list[Event], mock_clock: MockClock) -> None:
    for _ in range(5):
        async with entering(client) as old:
            for _ in range(5):
                await old.send("CHAT", author="x", body="x")

    assert sum(isinstance(event, ChatMessageSent) for event in heard) == pace.SPEAKING_FROM_ONE_ADDRESS.burst


async def test_a_socket_that_floods_is_ended(client: Client) -> None:
    async with entering(client) as old:
        for _ in range(pace.FRAMES.burst + 1):
            await old.socket.send("nonsense")
        _, closing = await old.rest()

    assert closing is not None
    assert closing.code == 1008


# --- Names and colors --------------------------------------------------------------------------------------------


async def test_everybody_hears_of_another_name(client: Client, heard: list[Event]) -> None:
    async with talking(client, "Ada") as ada, entering(client) as old:
        await ada.send("NAME_CHANGE", newName="  Countess\u202e ")
        told = await old.hear()
        await ada.send("CHAT", body="x")
        message = await old.hear()

    assert (told["type"], told["oldName"], told["newName"]) == ("NAME_CHANGE", "Ada", "Countess")
    assert (told["user"]["displayName"], told["user"]["previousNames"]) == ("Countess", ["Ada", "Countess"])
    assert {"id", "image", "timestamp"} <= told.keys()
    assert message["author"] == "Countess"
    (changed,) = [event for event in heard if isinstance(event, ChatNameChanged)]
    assert (changed.old_name, changed.new_name) == ("Ada", "Countess")


async def test_a_name_may_change_before_the_first_word(client: Client) -> None:
    async with entering(client) as old:
        await old.send("NAME_CHANGE", oldName="Bob", newName="Rob")
        told = await old.hear()
        await old.send("CHAT", body="x")

        assert (told["oldName"], told["newName"]) == ("Bob", "Rob")
        assert (await old.hear())["user"]["id"] == told["user"]["id"]


@pytest.mark.parametrize("name", ["Manor", "m a n o r", "Admin", "the ÁDMIN"])
async def test_forbidden_names_are_not_to_be_had(client: Client, house: House, name: str) -> None:
    await shared_of(house).settings.change(forbidden_usernames=("admin",))
    async with talking(client, "Ada") as ada, entering(client) as old:
        await ada.send("NAME_CHANGE", newName=name)
        assert (await ada.hear())["type"] == "SYSTEM"
        await old.send("CHAT", author=name, body="x")
        assert (await old.hear())["type"] == "SYSTEM"
        await ada.send("CHAT", body="x")
        assert (await old.hear())["author"] == "Ada"
    assert (await register(client, name))["displayName"] != name


@pytest.mark.parametrize("name", ["", " \u200b ", "Ada"])
async def test_no_other_name_is_no_change(client: Client, name: str) -> None:
    async with talking(client, "Ada") as ada:
        await ada.send("NAME_CHANGE", newName=name)

        assert await ada.hears_nothing()


async def test_another_color_is_told_and_kept(client: Client) -> None:
    async with talking(client) as ada, entering(client) as old:
        color = (ada.user["displayColor"] + 1) % 8
        await ada.send("COLOR_CHANGE", newColor=color)
        told = await old.hear()
        assert (told["type"], told["newColor"], told["user"]["displayColor"]) == ("COLOR_CHANGE", color, color)
        async with talking(client, token=ada.token) as again:
            assert again.user["displayColor"] == color


# --- When people may write ---------------------------------------------------------------------------------------


async def test_minutes_after_the_broadcast_nobody_may_write(client: Client, house: House, clock: SetClock) -> None:
    go_live(house)
    async with entering(client) as old:
        go_offline(house)
        clock.set(ENDED + timedelta(minutes=4, seconds=59))
        await old.send("CHAT", author="Bob", body="x")
        assert (await old.hear())["type"] == "CHAT"
        clock.set(ENDED + timedelta(minutes=5))
        await old.send("CHAT", author="Bob", body="y")
        told = await old.hear()
        assert (told["type"], "ended" in told["body"]) == ("SYSTEM", True)
        go_live(house)
        await old.send("CHAT", author="Bob", body="z")
        assert (await old.hear())["body"] == "<p>z</p>"


async def test_who_does_not_read_is_sent_away_and_nobody_waits_for_them(client: Client, house: House) -> None:
    async with entering(client) as slow, entering(client) as quick:
        for number in range(300):
            await chat_of(house).say_system(str(number))
            assert (await quick.hear())["body"] == f"<p>{number}</p>"
        frames, closing = await slow.rest()

    assert closing is not None
    assert closing.code == 1013
    assert len(frames) < 300
