"""What stays of a chat: the history that viewers see, registered users, and what goes with time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio
from sqlalchemy import func, select
from trio.testing import MockClock

from manor.testing import Client, House, SetClock
from manor_stream.chat import store
from manor_stream.chat.people import PREFIX
from manor_stream.chat.retention import Retention
from manor_stream.chat.tables import messages, users
from tests.stream_chat import chat_of, entering, register, talking
from tests.stream_watching import shared_of


async def count(house: House, table: Any) -> int:
    found: int = await house.storage.read(
        lambda transaction: transaction.connection.execute(select(func.count()).select_from(table)).scalar_one()
    )
    return found


async def test_the_history_is_open_to_every_page_and_kept_by_nobody(client: Client) -> None:
    answer = await client.get("/api/chat")

    assert (answer.status, answer.json()) == (200, [])
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "no-store" in answer.headers["Cache-Control"]
    assert (await client.get("/api/chat?accessToken=wrong")).status == 200


async def test_the_history_has_the_newest_hundred_of_the_last_hours(
    client: Client, house: House, clock: SetClock
) -> None:
    chat = chat_of(house)
    await chat.say_system("old")
    clock.set(clock.now() + store.HISTORY)
    for number in range(store.MOST_HISTORY + 1):
        await chat.say_system(str(number))

    bodies = [message["body"] for message in (await client.get("/api/chat")).json()]

    assert bodies == [f"<p>{number}</p>" for number in range(1, store.MOST_HISTORY + 1)]


async def test_the_history_has_whoever_wrote_as_they_were_called_then(client: Client) -> None:
    async with talking(client, "Ada") as ada:
        await ada.send("CHAT", body="x")
        await ada.hear()
        await ada.send("NAME_CHANGE", newName="Countess")
        await ada.hear("NAME_CHANGE")
    (message,) = (await client.get("/api/chat")).json()

    assert (message["author"], message["user"]["displayName"], message["type"]) == ("Ada", "Ada", "CHAT")
    assert message["user"]["previousNames"] == ["Ada", "Countess"]


async def test_the_history_is_read_once_until_something_changes(
    client: Client, admin: Client, house: House, clock: SetClock, autojump_clock: MockClock
) -> None:
    async def bodies() -> list[str]:
        return [message["body"] for message in (await client.get("/api/chat")).json()]

    async with talking(client, "Ada") as ada:
        await ada.send("CHAT", body="x")
        message = await ada.hear()
        assert await bodies() == ["<p>x</p>"]
        await ada.send("COLOR_CHANGE", newColor=(ada.user["displayColor"] + 1) % 8)
        changed = (await ada.hear("COLOR_CHANGE"))["user"]
        assert (await client.get("/api/chat")).json()[0]["user"] == changed
    clock.set(clock.now() + store.HISTORY)
    assert await bodies() == ["<p>x</p>"]
    await trio.sleep(61)
    assert await bodies() == []

    clock.set(clock.now() - store.HISTORY)
    await trio.sleep(61)
    assert await bodies() == ["<p>x</p>"]
    await admin.post("/api/admin/chat/messagevisibility", json={"visible": False, "idArray": [message["id"]]})
    assert await bodies() == []


async def test_a_token_opens_the_same_user_again(client: Client) -> None:
    registered = await register(client, "Ada")
    async with talking(client, token=registered["accessToken"]) as ada:
        await ada.send("NAME_CHANGE", newName="Countess")
        await ada.hear("NAME_CHANGE")
    async with talking(client, token=registered["accessToken"]) as ada:
        assert (ada.user["id"], ada.user["displayName"]) == (registered["id"], "Countess")


async def test_tokens_are_not_on_disk(client: Client, house: House) -> None:
    token = (await register(client))["accessToken"]
    rows = await house.storage.read(lambda transaction: transaction.connection.execute(select(users)).all())

    assert token.startswith(PREFIX)
    assert token not in str(rows)
    assert token.removeprefix(PREFIX).encode() not in house.storage.path.read_bytes()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"displayName":null}', b'{"displayName":""}', b'{"displayName":"\\u202e "}', b'{"more":7}']
)
async def test_who_says_no_name_is_given_one(client: Client, body: bytes) -> None:
    answer = await client.post("/api/chat/register", body=body, headers={"Content-Type": "application/json"})

    assert (answer.status, len(answer.json()["displayName"]) > 5) == (200, True)
    assert answer.json().keys() == {"id", "accessToken", "displayName"}


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b'{"displayName":7}', b"[" * 10_000, b"\xff", b'{"displayName":"' + b"x" * 1001 + b'"}'],
)
async def test_a_registration_that_is_none_is_refused(client: Client, body: bytes) -> None:
    answer = await client.post("/api/chat/register", body=body, headers={"Content-Type": "application/json"})

    assert (answer.status, answer.json()["success"]) == (400, False)


async def test_a_name_that_is_too_long_is_cut(client: Client) -> None:
    assert (await register(client, "x" * 500))["displayName"] == "x" * 30


async def test_an_address_registers_so_many_at_once(client: Client) -> None:
    statuses = [(await client.post("/api/chat/register")).status for _ in range(31)]

    assert statuses == [200] * 30 + [429]
    assert (await client(address="192.0.2.1").post("/api/chat/register")).status == 200


# --- What goes ---------------------------------------------------------------------------------------------------


async def test_messages_go_after_a_month_and_not_before(client: Client, house: House, clock: SetClock) -> None:
    chat, retention = chat_of(house), Retention(house.storage, shared_of(house).context.log)
    for _ in range(store.BATCH + 1):
        await chat.say_system("old")
    clock.set(clock.now() + timedelta(seconds=1))
    await chat.say_system("new")
    clock.set(clock.now() + store.MESSAGES_KEPT - timedelta(seconds=1))

    await retention.sweep()

    assert await count(house, messages) == 1


async def test_who_was_not_seen_for_long_goes(client: Client, admin: Client, house: House, clock: SetClock) -> None:
    retention = Retention(house.storage, shared_of(house).context.log)
    started = clock.now()
    async with entering(client) as old:
        await old.send("CHAT", author="Bob", body="x")
        await old.hear()
    gone, kept, bad, good = [await register(client) for _ in range(4)]
    await admin.post("/api/admin/chat/users/setenabled", json={"userId": bad["id"], "enabled": False})
    await admin.post("/api/admin/chat/users/setmoderator", json={"userId": good["id"], "isModerator": True})

    clock.set(started + store.PASSERS_BY_KEPT)
    await retention.sweep()
    assert await count(house, users) == 4

    async with talking(client, token=kept["accessToken"]):
        pass
    clock.set(started + store.USERS_KEPT)
    await retention.sweep()

    assert await count(house, users) == 3
    async with client.websocket("/ws", query={"accessToken": gone["accessToken"]}) as socket:
        assert (await socket.json())["type"] == "ERROR_NEEDS_REGISTRATION"


async def test_retention_goes_on_by_itself(house: House, clock: SetClock, autojump_clock: MockClock) -> None:
    await chat_of(house).say_system("old")
    clock.set(clock.now() + store.MESSAGES_KEPT)
    await trio.sleep(700)

    assert await count(house, messages) == 0
