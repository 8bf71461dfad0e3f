"""Bots in the chat: what their tokens let them say, read and do."""

from __future__ import annotations

from typing import Any

import pytest

from manor import Event
from manor.testing import Client, House
from manor.testing.houses import hear_all
from manor_stream.events import ChatMessageSent, ChatNameChanged, ChatUserJoined
from tests.stream_chat import entering, make_token, talking
from tests.stream_watching import go_live, shared_of

MESSAGES, SYSTEM, ADMIN = "CAN_SEND_MESSAGES", "CAN_SEND_SYSTEM_MESSAGES", "HAS_ADMIN_ACCESS"

WRITING = [
    ("chat/user", MESSAGES, {"user": "Bob", "body": "x"}),
    ("chat/send", MESSAGES, {"body": "x"}),
    ("chat/system", SYSTEM, {"body": "x"}),
    ("chat/action", SYSTEM, {"body": "x"}),
    ("chat/updatemessagevisibility", ADMIN, {"visible": True, "idArray": ["x"]}),
    ("chat/messagevisibility", ADMIN, {"visible": True, "idArray": ["x"]}),
]
READING = ["clients", "chat"]


class Bot:
    """Asks with a token."""

    def __init__(self, client: Client, token: str) -> None:
        self._client = client(headers={"Authorization": f"bearer {token}"})

    async def post(self, path: str, body: object) -> tuple[int, Any]:
        answer = await self._client.post(f"/api/integrations/{path}", json=body)
        return answer.status, answer.json()

    async def get(self, path: str) -> tuple[int, Any]:
        answer = await self._client.get(f"/api/integrations/{path}")
        return answer.status, answer.json()


async def bot_with(client: Client, admin: Client, *scopes: str, name: str = "Robo") -> Bot:
    return Bot(client, await make_token(admin, *scopes, name=name))


@pytest.fixture
async def bot(client: Client, admin: Client) -> Bot:
    """One that may do everything."""
    return await bot_with(client, admin, MESSAGES, SYSTEM, ADMIN)


@pytest.mark.parametrize(("path", "scope", "body"), WRITING)
async def test_each_operation_wants_its_scope(
    client: Client, admin: Client, path: str, scope: str, body: dict[str, object]
) -> None:
    fit = await bot_with(client, admin, scope)
    unfit = await bot_with(client, admin, *({MESSAGES, SYSTEM, ADMIN} - {scope}))

    assert (await fit.post(path, body))[0] == 200
    status, told = await unfit.post(path, body)
    assert (status, told["success"]) == (401, False)
    assert (await Bot(client, "wrong").post(path, body))[0] == 401
    assert (await client.post(f"/api/integrations/{path}", json=body)).status == 401


@pytest.mark.parametrize("path", [*READING, "moderation/chat/user/x"])
async def test_reading_wants_administrative_access(client: Client, admin: Client, path: str) -> None:
    fit, unfit = await bot_with(client, admin, ADMIN), await bot_with(client, admin, MESSAGES, SYSTEM)

    assert (await fit.get(path))[0] == (404 if "/" in path else 200)
    assert (await unfit.get(path))[0] == 401


async def test_a_bot_writes_under_its_tokens_name(client: Client, bot: Bot, heard: list[Event]) -> None:
    async with entering(client) as old:
        assert await bot.post("chat/send", {"body": "hello **all**"}) == (200, {"success": True, "message": "sent"})
        told = await old.hear()

    assert (told["type"], told["author"], told["body"]) == ("CHAT", "Robo", "<p>hello <strong>all</strong></p>")
    assert (told["user"]["isBot"], told["user"]["displayName"]) == (True, "Robo")
    (sent,) = [event for event in heard if isinstance(event, ChatMessageSent)]
    assert (sent.raw_body, sent.client_id) == ("hello **all**", 0)
    assert await bot.get("chat") == (200, [told])


async def test_a_bot_writes_under_any_name(client: Client, bot: Bot) -> None:
    async with entering(client) as old:
        assert await bot.post("chat/user", {"user": " Bob\u202e", "body": "x"}) == (
            200,
            {"success": True, "message": "sent"},
        )
        first = await old.hear()
        await bot.post("chat/user", {"user": "Eve", "body": "y"})
        second = await old.hear()

    assert [(told["author"], told["user"]["displayName"]) for told in (first, second)] == [("Bob",) * 2, ("Eve",) * 2]
    assert first["user"]["id"] == second["user"]["id"]
    history = (await client.get("/api/chat")).json()
    assert [message["author"] for message in history] == ["Bob", "Eve"]


async def test_the_server_speaks_and_tells_what_happened(client: Client, bot: Bot, house: House) -> None:
    await shared_of(house).settings.change(name="Attic radio")
    async with entering(client) as old:
        await bot.post("chat/system", {"body": "*rules*"})
        system = await old.hear()
        await bot.post("chat/action", {"body": "rolled a 15", "author": "Ada"})
        action = await old.hear()
        await bot.post("chat/action", {"body": "rolled a 7", "author": None})
        nobodys = await old.hear()

    assert (system["type"], system["author"], system["body"]) == ("SYSTEM", "Attic radio", "<p><em>rules</em></p>")
    assert (action["type"], action["author"], action["body"]) == ("CHAT_ACTION", "Ada", "<p>rolled a 15</p>")
    assert nobodys["author"] == "Attic radio"
    assert system["user"]["displayName"] == "Attic radio"
    assert (await client.get("/api/chat")).json() == [system, action, nobodys]


async def test_the_server_speaks_to_one_alone(client: Client, bot: Bot) -> None:
    async with entering(client) as one, entering(client) as other:
        _, clients = await bot.get("clients")
        assert await bot.post(f"chat/system/client/{clients[0]['clientID']}", {"body": "psst"}) == (
            200,
            {"success": True, "message": "sent"},
        )
        assert (await one.hear())["body"] == "<p>psst</p>"
        assert await other.hears_nothing()
    assert (await client.get("/api/chat")).json() == []


async def test_a_bot_greets_those_of_whom_it_hears(client: Client, house: House, bot: Bot) -> None:
    go_live(house)
    heard = hear_all(house)
    async with entering(client) as other, talking(client, "Ada") as ada:
        await other.hear("USER_JOINED")
        await ada.send("NAME_CHANGE", newName="Countess")
        await other.hear("NAME_CHANGE")
        numbers = [event.client_id for event in heard if isinstance(event, ChatUserJoined | ChatNameChanged)]
        for number in numbers:
            await bot.post(f"chat/system/client/{number}", {"body": "welcome"})
            assert (await ada.hear("SYSTEM"))["body"] == "<p>welcome</p>"
        assert await other.hears_nothing()
    assert len(numbers) == 2


@pytest.mark.parametrize("number", ["0", "99", "-1", "x", "1e3", "٣", "9" * 40, "%00"])
async def test_a_connection_that_is_not_there_is_refused(bot: Bot, number: str) -> None:
    status, told = await bot.post(f"chat/system/client/{number}", {"body": "psst"})

    assert (status, told["success"]) == (400, False)


@pytest.mark.parametrize("path", ["chat/updatemessagevisibility", "chat/messagevisibility"])
async def test_a_bot_hides_messages(client: Client, bot: Bot, path: str) -> None:
    async with talking(client) as ada:
        await ada.send("CHAT", body="x")
        message = await ada.hear()
        assert await bot.post(path, {"visible": False, "idArray": [message["id"]]}) == (
            200,
            {"success": True, "message": "changed"},
        )
        assert (await ada.hear())["type"] == "VISIBILITY-UPDATE"
    assert await bot.get("chat") == (200, [])


async def test_somebody_is_shown_with_their_connections_and_messages(client: Client, admin: Client, bot: Bot) -> None:
    async with talking(client, "Ada") as ada:
        await ada.send("CHAT", body="x")
        message = await ada.hear()
        await admin.post("/api/admin/chat/updatemessagevisibility", json={"visible": False, "idArray": [message["id"]]})
        status, details = await bot.get(f"moderation/chat/user/{ada.user['id']}")

        assert status == 200
        assert details["user"] == ada.user
        assert [each["messageCount"] for each in details["connectedClients"]] == [1]
        assert [(each["id"], each["visible"]) for each in details["messages"]] == [(message["id"], False)]


@pytest.mark.parametrize("path", ["chat/user", "chat/send", "chat/system", "chat/action"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "x",
        {"user": "Bob"},
        {"user": "Bob", "body": None},
        {"user": "Bob", "body": 7},
        {"user": "Bob", "body": ""},
        {"user": "Bob", "body": " \u202e\x00 "},
        {"user": "Bob", "body": "<script>alert(1)</script>"},
        {"user": "Bob", "body": "x" * 2049},
        {"user": "Bob", "body": {"deep": [[[[]]]]}},
    ],
)
async def test_what_says_nothing_is_refused(client: Client, bot: Bot, path: str, body: object) -> None:
    async with entering(client) as old:
        status, told = await bot.post(path, body)

        assert (status, told["success"]) == (400, False)
        assert told["message"]
        assert await old.hears_nothing()


@pytest.mark.parametrize("user", ["", " ", "\u200b\u202e", 7, None])
async def test_a_name_that_cannot_be_shown_is_refused(bot: Bot, user: object) -> None:
    status, told = await bot.post("chat/user", {"user": user, "body": "x"})

    assert (status, told["success"]) == (400, False)


@pytest.mark.parametrize(("path", "body"), [(path, body) for path, scope, body in WRITING if scope != ADMIN])
async def test_into_a_chat_that_is_switched_off_nobody_speaks(
    bot: Bot, house: House, path: str, body: dict[str, object]
) -> None:
    await shared_of(house).settings.change(is_chat_disabled=True)

    assert await bot.post(path, body) == (400, {"success": False, "message": "The chat is disabled"})


async def test_a_token_that_was_deleted_is_dead_at_once(client: Client, admin: Client) -> None:
    token = await make_token(admin, MESSAGES)
    bot = Bot(client, token)
    assert (await bot.post("chat/send", {"body": "x"}))[0] == 200

    await admin.post("/api/admin/accesstokens/delete", json={"token": token})

    assert (await bot.post("chat/send", {"body": "y"}))[0] == 401
    assert [message["body"] for message in (await client.get("/api/chat")).json()] == ["<p>x</p>"]
