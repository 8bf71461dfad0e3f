"""Keeping order: messages that are hidden, and what moderators may do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from manor import Event
from manor.testing import Client, House
from manor_stream.events import ChatVisibilityChanged
from tests.stream_chat import (
    BAN,
    DISABLE,
    HIDE,
    PROMOTE,
    UNBAN,
    chat_of,
    entering,
    make_token,
    promote,
    register,
    say,
    shown,
    talking,
)

# --- Messages ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [HIDE, "/api/admin/chat/messagevisibility"])
async def test_a_hidden_message_is_told_and_gone(client: Client, admin: Client, heard: list[Event], path: str) -> None:
    async with talking(client, "Ada") as ada, entering(client) as old:
        one, two = await say(ada, "one"), await say(ada, "two")
        await old.hear(), await old.hear()

        answer = await admin.post(path, json={"visible": False, "idArray": [one["id"], two["id"]]})
        told = [await old.hear(), await old.hear()]

        assert answer.json() == {"success": True, "message": "changed"}
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
            assert answer.json() == {"success": True, "message": "changed"}
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

        assert answer.json() == {"success": True, "message": "changed"}
        assert (await bob.hear("VISIBILITY-UPDATE"))["ids"] == [message["id"]]
        said = await say(ada, "order!")
        assert said["user"]["scopes"] == ["MODERATOR"]


async def test_a_moderator_disables_others_but_neither_moderators_nor_bots(
    client: Client, admin: Client, house: House
) -> None:
    bearer = {"Authorization": f"Bearer {await make_token(admin, 'CAN_SEND_MESSAGES')}"}
    await client.post("/api/integrations/chat/send", json={"body": "x"}, headers=bearer)
    bot = (await client.get("/api/chat")).json()[0]["user"]
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
        assert await disable(bot) == 403
        assert await disable({"id": "nobody"}) == 400

    rows = await house.storage.read(lambda transaction: list(house.services.audit.list(transaction)))
    disabled = [(row.actor, row.target) for row in rows if row.action == "stream.chat_user_disabled"]
    assert disabled == [(ada.user["id"], bob.user["id"])]


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
        assert await hide(theirs["id"], own["id"]) == (200, "changed")
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

        await ada.send("NAME_CHANGE", newName="Countess")
        assert (await eve.hear("NAME_CHANGE"))["newName"] == "Countess"
    assert (await register(client, "countess"))["displayName"] != "countess"
    assert (await register(client, "ada"))["displayName"] == "ada"


async def test_only_who_has_registered_becomes_a_moderator(client: Client, admin: Client) -> None:
    async with entering(client) as old:
        await old.send("CHAT", author="Bob", body="x")
        user = (await old.hear())["user"]
    answer = await admin.post(PROMOTE, json={"userId": user["id"], "isModerator": True})

    assert (answer.status, answer.json()["success"]) == (400, False)


# --- All of it -----------------------------------------------------------------------------------------------------


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
