"""Keeping order: what administrators and moderators may do, and that it is in force at once."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from manor import Event, Head, Headers, Live
from manor.testing import Client, House
from manor.testing.streams import opened_socket
from manor_stream.chat.standing import as_written, read_network
from manor_stream.events import ChatAddressBanned, ChatUserModerated, ChatVisibilityChanged
from tests.stream_chat import Talker, chat_of, entering, make_token, register, talking

DISABLE = "/api/admin/chat/users/setenabled"
PROMOTE = "/api/admin/chat/users/setmoderator"
HIDE = "/api/admin/chat/updatemessagevisibility"
BAN = "/api/admin/chat/users/ipbans/create"
UNBAN = "/api/admin/chat/users/ipbans/remove"
BANS = "/api/admin/chat/users/ipbans"


async def say(talker: Talker, body: str) -> dict[str, Any]:
    """Have somebody say something, and hear themselves."""
    await talker.send("CHAT", body=body)
    while True:
        frame = await talker.hear("CHAT")
        if frame["body"] == f"<p>{body}</p>":
            return frame


async def shown(client: Client) -> list[str]:
    """What viewers who come now see."""
    return [message["body"] for message in (await client.get("/api/chat")).json()]


async def promote(admin: Client, talker: Talker, *, is_moderator: bool = True) -> None:
    """Make somebody a moderator, or take it from them."""
    answer = await admin.post(PROMOTE, json={"userId": talker.user["id"], "isModerator": is_moderator})
    assert answer.json()["success"] is True, answer.text


# --- Messages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [HIDE, "/api/admin/chat/messagevisibility"])
async def test_a_hidden_message_is_told_and_gone(client: Client, admin: Client, heard: list[Event], path: str) -> None:
    async with talking(client, "Ada") as ada, entering(client) as old:
        one, two = await say(ada, "one"), await say(ada, "two")
        await old.hear(), await old.hear()

        answer = await admin.post(path, json={"visible": False, "idArray": [one["id"], two["id"]]})
        told = [await old.hear(), await old.hear()]

        assert answer.json() == {"success": True, "message": "2 messages changed"}
        assert told[0] == {**one, "type": "VISIBILITY-UPDATE", "visible": False, "ids": [one["id"]]}
        assert (told[1]["ids"], told[1]["visible"]) == ([two["id"]], False)
        assert await shown(client) == []
        listed = (await admin.get("/api/admin/chat/messages")).json()
        assert [(message["id"], message["visible"]) for message in listed] == [(one["id"], False), (two["id"], False)]

        await admin.post(path, json={"visible": True, "idArray": [one["id"]]})
        assert (await old.hear())["visible"] is True
        assert await shown(client) == ["<p>one</p>"]
    changes = [event for event in heard if isinstance(event, ChatVisibilityChanged)]
    assert [([str(id_) for id_ in each.ids], each.visible) for each in changes] == [
        ([one["id"], two["id"]], False),
        ([one["id"]], True),
    ]


async def test_what_is_as_it_should_be_is_told_to_nobody(client: Client, admin: Client, heard: list[Event]) -> None:
    async with talking(client) as ada:
        one = await say(ada, "one")
        for visible, ids in ((True, [one["id"]]), (False, [str(uuid4())]), (False, ["no id", one["id"].upper()])):
            answer = await admin.post(HIDE, json={"visible": visible, "idArray": ids})
            assert answer.json() == {"success": True, "message": "0 messages changed"}
        assert await ada.hears_nothing()
    assert not [event for event in heard if isinstance(event, ChatVisibilityChanged)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"visible":"no","idArray":["x"]}',
        b'{"visible":false}',
        b'{"visible":false,"idArray":"x"}',
        b'{"visible":false,"idArray":[7]}',
        b'{"visible":false,"idArray":[]}',
        b'{"visible":false,"idArray":[' + b",".join([b'"x"'] * 501) + b"]}",
        b'{"visible":false,"idArray":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"visible":false,"idArray":["\xff"]}',
    ],
)
async def test_bodies_that_are_none_are_refused(admin: Client, body: bytes) -> None:
    answer = await admin.post(HIDE, body=body, headers={"Content-Type": "application/json"})

    assert (answer.status, answer.json()["success"]) == (400, False)


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
        assert (await bob.hear("VISIBILITY-UPDATE"))["author"] == "Ada"
        assert await shown(client) == ["<p>two</p>"]

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

    await admin.post(DISABLE, json={"userId": ada.user["id"], "enabled": True})

    assert await shown(client) == ["<p>shown</p>"]
    assert (await admin.get("/api/admin/chat/users/disabled")).json() == []
    async with talking(client, token=ada.token) as ada:
        await say(ada, "back")


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
    from manor import Principal
    from manor.testing import open_test_house
    from manor_stream.key_check import ADMIN_ID, STREAM_ADMIN

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


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (DISABLE, {"userId": str(uuid4()), "enabled": False}),
        (DISABLE, {"userId": "nobody", "enabled": False}),
        (DISABLE, {"userId": "", "enabled": True}),
        (DISABLE, {"userId": 7, "enabled": False}),
        (DISABLE, {"userId": str(uuid4()), "enabled": "no"}),
        (DISABLE, {"enabled": False}),
        (PROMOTE, {"userId": str(uuid4()), "isModerator": True}),
        (PROMOTE, {"userId": str(uuid4())}),
        (BAN, {"value": ""}),
        (BAN, {"value": "nowhere"}),
        (BAN, {"value": "192.0.2.1/33"}),
        (BAN, {"value": "192.0.2.1, 192.0.2.2"}),
        (BAN, {"value": "1" * 101}),
        (BAN, {"value": None}),
        (BAN, {}),
        (UNBAN, {"value": "192.0.2.1"}),
        (UNBAN, {"value": "nowhere"}),
    ],
)
async def test_what_cannot_be_done_is_refused_in_a_sentence(admin: Client, path: str, body: dict[str, object]) -> None:
    answer = await admin.post(path, json=body)

    assert (answer.status, answer.json()["success"]) == (400, False)
    assert answer.json()["message"]


@pytest.mark.parametrize("path", [DISABLE, PROMOTE, HIDE, BAN, UNBAN])
async def test_only_the_administrator_may(client: Client, path: str) -> None:
    answer = await client.post(path, json={})

    assert (answer.status, answer.headers["WWW-Authenticate"][:5]) == (401, "Basic")
    assert (await client.get(path)).status == 401


@pytest.mark.parametrize("path", [DISABLE, PROMOTE, HIDE, BAN, UNBAN])
async def test_by_another_method_nothing_changes(admin: Client, path: str) -> None:
    assert (await admin.get(path)).status == 405


# --- Moderators --------------------------------------------------------------------------------------------------


async def test_a_moderator_is_told_so_and_hides_messages(client: Client, admin: Client) -> None:
    async with talking(client, "Ada") as ada, talking(client, "Bob") as bob:
        message = await say(bob, "x")
        await promote(admin, ada)
        info = await ada.hear("CONNECTED_USER_INFO")
        assert info["user"]["scopes"] == ["MODERATOR"]
        assert [user["id"] for user in (await admin.get("/api/admin/chat/users/moderators")).json()] == [ada.user["id"]]

        answer = await client.post(
            "/api/chat/messagevisibility",
            query={"accessToken": ada.token},
            json={"visible": False, "idArray": [message["id"]]},
        )

        assert answer.json() == {"success": True, "message": "1 messages changed"}
        assert (await bob.hear("VISIBILITY-UPDATE"))["ids"] == [message["id"]]
        said = await say(ada, "order!")
        assert said["user"]["scopes"] == ["MODERATOR"]


async def test_a_moderator_disables_others_but_no_moderator(client: Client, admin: Client) -> None:
    async with talking(client, "Ada") as ada, talking(client, "Eve") as eve, talking(client, "Bob") as bob:
        await promote(admin, ada)
        await promote(admin, eve)

        async def disable(user: dict[str, Any]) -> int:
            body = {"userId": user["id"], "enabled": False}
            path = "/api/chat/users/setenabled"
            return (await client.post(path, query={"accessToken": ada.token}, json=body)).status

        assert await disable(bob.user) == 200
        assert (await bob.rest())[0][-1]["type"] == "ERROR_USER_DISABLED"
        assert await disable(eve.user) == 403
        assert await disable(ada.user) == 403
        assert await disable({"id": "nobody"}) == 400


async def test_a_moderator_does_not_touch_what_the_server_and_other_moderators_say(
    client: Client, admin: Client, house: House
) -> None:
    async with talking(client, "Ada") as ada, talking(client, "Eve") as eve:
        await promote(admin, ada)
        await promote(admin, eve)
        theirs, own = await say(eve, "x"), await say(ada, "y")
        await chat_of(house).say_system("rules")
        system = await ada.hear("SYSTEM")

        async def hide(*ids: str) -> tuple[int, str]:
            answer = await client.post(
                "/api/chat/messagevisibility",
                query={"accessToken": ada.token},
                json={"visible": False, "idArray": list(ids)},
            )
            return answer.status, answer.json()["message"]

        assert (await hide(system["id"]))[0] == 403
        assert (await hide(theirs["id"], system["id"]))[0] == 403
        assert await hide(theirs["id"], own["id"]) == (200, "1 messages changed")
        assert await shown(client) == ["<p>x</p>", "<p>rules</p>"]


@pytest.mark.parametrize("path", ["/api/chat/messagevisibility", "/api/chat/users/setenabled"])
async def test_who_is_no_moderator_may_not(client: Client, admin: Client, path: str) -> None:
    async with talking(client, "Ada") as ada:
        body = {"visible": False, "idArray": ["x"], "userId": "x", "enabled": True}
        assert (await client.post(path, json=body)).status == 401
        assert (await client.post(path, query={"accessToken": "chat_wrong"}, json=body)).status == 401
        assert (await client.post(path, query={"accessToken": ada.token}, json=body)).status == 403
        await promote(admin, ada)
        assert (await client.post(path, query={"accessToken": ada.token}, json=body)).status in (200, 400)
        await promote(admin, ada, is_moderator=False)
        assert (await client.post(path, query={"accessToken": ada.token}, json=body)).status == 403
        await promote(admin, ada)
        await admin.post(DISABLE, json={"userId": ada.user["id"], "enabled": False})
        assert (await client.post(path, query={"accessToken": ada.token}, json=body)).status == 403


async def test_a_moderators_name_is_theirs(client: Client, admin: Client) -> None:
    async with talking(client, "Ada") as ada, talking(client, "Eve") as eve:
        await promote(admin, ada)
        await eve.send("NAME_CHANGE", newName="Àda")
        assert (await eve.hear())["type"] == "SYSTEM"
        await ada.send("NAME_CHANGE", newName="ADA")
        assert (await eve.hear("NAME_CHANGE"))["newName"] == "ADA"
    assert (await register(client, "ada"))["displayName"] != "ada"


async def test_only_who_has_registered_becomes_a_moderator(client: Client, admin: Client) -> None:
    async with entering(client) as old:
        await old.send("CHAT", author="Bob", body="x")
        user = (await old.hear())["user"]
    answer = await admin.post(PROMOTE, json={"userId": user["id"], "isModerator": True})

    assert (answer.status, answer.json()["success"]) == (400, False)


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


async def test_a_bot_that_is_disabled_says_nothing_more(client: Client, admin: Client) -> None:
    bearer = {"Authorization": f"Bearer {await make_token(admin, 'CAN_SEND_MESSAGES')}"}

    async def send() -> int:
        return (await client.post("/api/integrations/chat/send", json={"body": "x"}, headers=bearer)).status

    assert await send() == 200
    (message,) = (await client.get("/api/chat")).json()
    await admin.post(DISABLE, json={"userId": message["user"]["id"], "enabled": False})
    assert await send() == 400
    assert (await client.get("/api/chat")).json() == []
