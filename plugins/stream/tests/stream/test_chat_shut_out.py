"""People and addresses that are shut out of the chat, and that it is in force at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from manor import Event, Head, Headers, Live, Principal
from manor.testing import Client, House, SetClock, open_test_house
from manor.testing.streams import opened_socket
from manor_stream.chat import store
from manor_stream.chat.standing import as_written, read_network
from manor_stream.events import ChatAddressBanned, ChatUserModerated
from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN
from tests.stream_chat import (
    BAN,
    BANS,
    DISABLE,
    HIDE,
    PROMOTE,
    UNBAN,
    chat_of,
    entering,
    make_token,
    register,
    say,
    shown,
    talking,
)
from tests.stream_watching import shared_of

# --- People ------------------------------------------------------------------------------------------------------


async def test_who_is_disabled_is_told_and_sent_away_with_what_they_wrote(
    client: Client, admin: Client, heard: list[Event]
) -> None:
    async with talking(client, "Ada") as ada, talking(client, "Bob") as bob:
        await say(ada, "one"), await say(bob, "two")
        async with talking(client(address="192.0.2.1"), token=ada.token) as elsewhere:
            answer = await admin.post(DISABLE, json={"userId": ada.user["id"], "enabled": False})

            assert answer.json()["success"] is True
            for talker in (ada, elsewhere):
                frames, closing = await talker.rest()
                assert frames[-1]["type"] == "ERROR_USER_DISABLED"
                assert closing is not None
                assert closing.code == 4403
        told = await bob.hear("VISIBILITY-UPDATE")
        assert (told["author"], told["visible"]) == ("Ada", False)
        assert await shown(client) == ["<p>two</p>"]
        listed = (await admin.get("/api/admin/chat/messages")).json()
        assert [(message["author"], message["visible"]) for message in listed] == [("Ada", False), ("Bob", True)]

    async with client.websocket("/ws", query={"accessToken": ada.token}) as socket:
        assert (await socket.json())["type"] == "ERROR_USER_DISABLED"
    disabled = (await admin.get("/api/admin/chat/users/disabled")).json()
    assert [(user["id"], user["displayName"], user["disabledAt"]) for user in disabled] == [
        (ada.user["id"], "Ada", "2030-01-02T12:00:00Z")
    ]
    assert [event.is_enabled for event in heard if isinstance(event, ChatUserModerated)] == [False]


async def test_who_is_enabled_again_is_seen_again_but_for_what_was_hidden(client: Client, admin: Client) -> None:
    async with talking(client, "Ada") as ada:
        hidden = await say(ada, "hidden")
        await say(ada, "shown")
    await admin.post(HIDE, json={"visible": False, "idArray": [hidden["id"]]})
    await admin.post(DISABLE, json={"userId": ada.user["id"], "enabled": False})
    assert await shown(client) == []

    async with entering(client) as old:
        await admin.post(DISABLE, json={"userId": ada.user["id"], "enabled": True})
        told = await old.hear("VISIBILITY-UPDATE")
        assert (told["body"], told["visible"]) == ("<p>shown</p>", True)
        assert await old.hears_nothing()

    assert await shown(client) == ["<p>shown</p>"]
    assert (await admin.get("/api/admin/chat/users/disabled")).json() == []
    async with talking(client, token=ada.token) as ada:
        await say(ada, "back")


async def test_what_a_disabled_user_wrote_hours_ago_is_told_to_nobody(
    client: Client, admin: Client, house: House, clock: SetClock
) -> None:
    async with talking(client, "Ada") as ada:
        await say(ada, "hours ago")
        clock.set(clock.now() + store.HISTORY)
        await say(ada, "now")
        async with entering(client) as old:
            for is_enabled in (False, True):
                await admin.post(DISABLE, json={"userId": ada.user["id"], "enabled": is_enabled})
                # No page shows the older one any more.
                assert (await old.hear("VISIBILITY-UPDATE"))["body"] == "<p>now</p>"
                assert await old.hears_nothing()


async def test_who_was_not_registered_is_sent_away_as_well(client: Client, admin: Client) -> None:
    async with entering(client) as old:
        await old.send("CHAT", author="Bob", body="x")
        user = (await old.hear())["user"]
        await admin.post(DISABLE, json={"userId": user["id"], "enabled": False})

        frames, _ = await old.rest()
        assert frames[-1]["type"] == "ERROR_USER_DISABLED"


async def test_what_a_disabled_user_still_sends_is_not_taken(client: Client, admin: Client, house: House) -> None:
    async with talking(client, "Ada") as ada, talking(client) as other:
        connection = next(iter(chat_of(house).connections))
        await admin.post(DISABLE, json={"userId": ada.user["id"], "enabled": False})
        words = chat_of(house).words("too late")
        assert words is not None
        with pytest.raises(Exception, match="may not take part"):
            await chat_of(house).say(connection, words)
        await ada.send("CHAT", body="too late")
        assert await other.hears_nothing()


async def test_what_was_on_its_way_when_somebody_was_sent_away_is_not_taken(client: Client, house: House) -> None:
    async with entering(client) as old:
        (connection,) = chat_of(house).connections
        chat_of(house).send_away(connection, "ERROR_USER_DISABLED")
        chat_of(house).send_away(connection, "CHAT_DISABLED")
        await old.send("CHAT", author="Bob", body="too late")

        frames, closing = await old.rest()
    assert [frame["type"] for frame in frames] == ["ERROR_USER_DISABLED"]
    assert closing is not None
    assert closing.code == 4403
    assert await shown(client) == []


async def test_who_is_disabled_while_their_socket_opens_does_not_come_in(
    client: Client, admin: Client, house: House
) -> None:
    ada = await register(client, "Ada")
    head = Head(
        "GET", b"/ws", f"accessToken={ada['accessToken']}".encode(), Headers([(b"upgrade", b"websocket")]), upgrade=True
    )
    call = house.dispatcher.begin(head)
    assert await call.admit() is None
    live = await call.answer(b"")
    assert isinstance(live, Live)

    await admin.post(DISABLE, json={"userId": ada["id"], "enabled": False})

    async with opened_socket(live, call.principals) as socket:
        frames = [json.loads(frame) async for frame in socket]
    assert [frame["type"] for frame in frames] == ["CONNECTED_USER_INFO", "ERROR_USER_DISABLED"]
    assert chat_of(house).connected == 0


async def test_who_may_not_take_part_is_known_to_the_next_house(tmp_path: Any) -> None:
    async with open_test_house(tmp_path, plugins=["stream"]) as house:
        client = Client(house.dispatcher)
        admin = client(principals=[Principal(STREAM_ADMIN, credential_id=ADMIN_ID)])
        ada, bob = await register(client, "Ada"), await register(client, "Bob")
        await admin.post(DISABLE, json={"userId": ada["id"], "enabled": False})
        await admin.post(PROMOTE, json={"userId": bob["id"], "isModerator": True})
        await admin.post(BAN, json={"value": "192.0.2.0/24"})
    async with open_test_house(tmp_path, plugins=["stream"]) as house:
        client = Client(house.dispatcher)
        async with client.websocket("/ws", query={"accessToken": ada["accessToken"]}) as socket:
            assert (await socket.json())["type"] == "ERROR_USER_DISABLED"
        async with client(address="192.0.2.9").websocket("/entry") as socket:
            assert (await socket.json())["type"] == "ERROR_USER_DISABLED"
        async with talking(client, token=bob["accessToken"]) as talker:
            assert talker.user["scopes"] == ["MODERATOR"]


# --- Addresses ---------------------------------------------------------------------------------------------------


async def test_a_banned_address_is_sent_away_and_stays_out(client: Client, admin: Client, heard: list[Event]) -> None:
    there = client(address="192.0.2.7")
    async with entering(there) as old, talking(client) as other:
        answer = await admin.post(BAN, json={"value": " 192.0.2.7 "})

        assert answer.json() == {"success": True, "message": "192.0.2.7 is shut out"}
        assert (await old.rest())[0][-1]["type"] == "ERROR_USER_DISABLED"
        assert await other.hears_nothing()
    async with there.websocket("/entry") as socket:
        assert (await socket.json())["type"] == "ERROR_USER_DISABLED"
    assert (await there.post("/api/chat/register")).status == 403
    assert (await admin.get(BANS)).json() == [{"ipAddress": "192.0.2.7", "createdAt": "2030-01-02T12:00:00Z"}]

    await admin.post(BAN, json={"value": "::ffff:192.0.2.7"})
    assert len((await admin.get(BANS)).json()) == 1
    assert (await admin.post(UNBAN, json={"value": "192.0.2.7"})).json()["success"] is True
    async with entering(there) as old:
        assert await old.hears_nothing()
    assert [event.is_banned for event in heard if isinstance(event, ChatAddressBanned)] == [True, False]


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.7/24", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("2001:DB8:0:0:1::/64", "2001:db8::/64"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.7/128", "192.0.2.7"),
        ("::/0", "::/0"),
        ("", None),
        ("x", None),
        ("192.0.2", None),
        ("192.0.2.7/99", None),
    ],
)
def test_addresses_and_networks_are_written_in_one_way(typed: str, written: str | None) -> None:
    network = read_network(typed)

    assert (None if network is None else as_written(network)) == written


async def test_what_is_decided_is_in_the_audit_log_and_the_logbook(client: Client, admin: Client, house: House) -> None:
    ada = await register(client, "Ada")
    acts: list[tuple[str, dict[str, object], str]] = [
        (PROMOTE, {"userId": ada["id"], "isModerator": True}, "chat_moderator_made"),
        (PROMOTE, {"userId": ada["id"], "isModerator": False}, "chat_moderator_unmade"),
        (DISABLE, {"userId": ada["id"], "enabled": False}, "chat_user_disabled"),
        (DISABLE, {"userId": ada["id"], "enabled": True}, "chat_user_enabled"),
        (BAN, {"value": "192.0.2.9/24"}, "chat_address_banned"),
        (UNBAN, {"value": "192.0.2.0/24"}, "chat_address_unbanned"),
    ]
    for path, body, action in acts:
        # What is so already is no decision; nobody is let in twice.
        for _ in range(1 if path == UNBAN else 2):
            assert (await admin.post(path, json=body)).status == 200, action

    rows = await house.storage.read(lambda transaction: list(house.services.audit.list(transaction)))
    assert [(row.action, row.actor) for row in rows] == [(f"stream.{action}", "admin") for _, _, action in acts]
    assert [row.target for row in rows] == [ada["id"]] * 4 + [""] * 2
    assert [json.loads(row.detail or "{}") for row in rows][4:] == [{"address": "192.0.2.0/24"}] * 2
    assert len(shared_of(house).logbook.newest_first()) == len(acts)


async def test_a_bot_that_is_disabled_says_nothing_more(client: Client, admin: Client) -> None:
    bearer = {"Authorization": f"Bearer {await make_token(admin, 'CAN_SEND_MESSAGES')}"}

    async def send() -> int:
        return (await client.post("/api/integrations/chat/send", json={"body": "x"}, headers=bearer)).status

    assert await send() == 200
    (message,) = (await client.get("/api/chat")).json()
    await admin.post(DISABLE, json={"userId": message["user"]["id"], "enabled": False})
    assert await send() == 400
    assert (await client.get("/api/chat")).json() == []
