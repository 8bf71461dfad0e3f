"""Bots: made by whom the admin lets, ruled by their owners, dead when they are disabled."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing

from manor import Event, set_active
from manor.testing import Client, House
from manor_chat.events import Told
from tests.chat_people import API, Crew
from tests.chat_sign_in import bearing, told_id

BAD_URL = (400, "api.context.invalid_url_param.app_error")
FORBIDDEN = (403, "api.context.permissions.app_error")
MISSING = (404, "store.sql_bot.get.missing.app_error")
EVERYBODY = {"plugins": {"chat": {"bot_creation": "everybody"}}}


async def new_bot(client: Client, username: str = "robot", **more: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}/bots", json={"username": username, **more})
    assert answer.status == 201, answer.text
    bot: dict[str, Any] = answer.json()
    return bot


async def token_of(client: Client, bot: dict[str, Any]) -> str:
    answer = await client.post(f"{API}/users/{bot['user_id']}/tokens", json={"description": "its own"})
    assert answer.status == 200, answer.text
    token: str = answer.json()["token"]
    return token


async def test_a_bot_is_a_user_with_an_owner(client: Client, crew: Crew, heard: list[Event]) -> None:
    await trio.testing.wait_all_tasks_blocked()
    heard.clear()
    bot = await new_bot(crew.ada.client, "Robot", display_name="The Robot", description="beeps")

    assert (bot["username"], bot["display_name"], bot["description"]) == ("robot", "The Robot", "beeps")
    assert (bot["owner_id"], bot["delete_at"]) == (crew.ada.chat_id, 0)
    assert [each.event for each in heard if isinstance(each, Told) and each.event == "new_user"] == ["new_user"]
    user = (await crew.bob.client.get(f"{API}/users/{bot['user_id']}")).json()
    assert (user["is_bot"], user["bot_description"], user["first_name"]) == (True, "beeps", "The Robot")
    assert (user["roles"], user["email"]) == ("system_user", "")
    secret = await token_of(crew.ada.client, bot)
    assert (await bearing(client, secret).get(f"{API}/users/me")).json()["username"] == "robot"
    assert (await crew.ada.client.get(f"{API}/bots/{bot['user_id']}")).json() == bot


async def test_a_disabled_bot_is_out_until_it_is_enabled(client: Client, crew: Crew) -> None:
    bot = await new_bot(crew.ada.client)
    secret, path = await token_of(crew.ada.client, bot), f"{API}/bots/{bot['user_id']}"

    assert (await crew.ada.client.post(f"{path}/disable")).json()["delete_at"] > 0
    assert (await bearing(client, secret).get(f"{API}/users/me")).status == 401
    assert told_id(await crew.ada.client.get(path)) == MISSING
    assert (await crew.ada.client.get(f"{path}?include_deleted=true")).json()["delete_at"] > 0
    assert (await crew.ada.client.get(f"{API}/bots")).json() == []
    assert len((await crew.ada.client.get(f"{API}/bots?include_deleted=true")).json()) == 1
    assert (await crew.ada.client.post(f"{path}/enable")).json()["delete_at"] == 0
    assert (await bearing(client, secret).get(f"{API}/users/me")).status == 200


async def test_a_bot_is_changed_and_given_away(house: House, crew: Crew) -> None:
    bot = await new_bot(crew.ada.client, display_name="The Robot", description="beeps")
    path = f"{API}/bots/{bot['user_id']}"

    changed = (await crew.ada.client.request("PUT", path, json={"username": "roboter", "description": ""})).json()
    assert (changed["username"], changed["display_name"], changed["description"]) == ("roboter", "The Robot", "")
    given = (await crew.ada.client.post(f"{path}/assign/{crew.ann.chat_id}")).json()
    assert given["owner_id"] == crew.ann.chat_id
    assert (await crew.ada.client.get(f"{API}/bots?only_orphaned=true")).json() == []
    await house.storage.write(lambda transaction: set_active(transaction, crew.ann.id, False))
    assert len((await crew.ada.client.get(f"{API}/bots?only_orphaned=true")).json()) == 1
    missing = await crew.ada.client.post(f"{path}/assign/{'y' * 26}")
    assert told_id(missing) == (404, "app.user.missing_account.const")
    assert told_id(await crew.ada.client.post(f"{path}/assign/{bot['user_id']}")) == FORBIDDEN


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({}, (400, "model.bot.is_valid.username.app_error")),
        ({"username": "x y"}, (400, "model.bot.is_valid.username.app_error")),
        ({"username": "system"}, (400, "model.bot.is_valid.username.app_error")),
        ({"username": "ann"}, (400, "app.user.save.username_exists.app_error")),
        ({"username": "robot", "display_name": "x" * 65}, (400, "model.bot.is_valid.display_name.app_error")),
        ({"username": "robot", "description": "x" * 1025}, (400, "model.bot.is_valid.description.app_error")),
        ({"username": 1}, (400, "api.context.invalid_body_param.app_error")),
    ],
)
async def test_what_no_bot_can_be_is_refused(crew: Crew, body: Any, refusal: tuple[int, str]) -> None:
    assert told_id(await crew.ada.client.post(f"{API}/bots", json=body)) == refusal


async def test_bots_are_for_administrators_unless_the_admin_says_otherwise(crew: Crew) -> None:
    ann, bot = crew.ann.client, await new_bot(crew.ada.client)
    path = f"{API}/bots/{bot['user_id']}"

    assert told_id(await ann.post(f"{API}/bots", json={"username": "other"})) == FORBIDDEN
    assert told_id(await ann.get(f"{API}/bots")) == FORBIDDEN
    for answer in (
        await ann.get(path),
        await ann.request("PUT", path, json={"description": "x"}),
        await ann.post(f"{path}/disable"),
        await ann.post(f"{path}/enable"),
        await ann.post(f"{path}/assign/{crew.ann.chat_id}"),
        await crew.ada.client.get(f"{API}/bots/{crew.ann.chat_id}"),
        await crew.ada.client.post(f"{API}/bots/{'y' * 26}/disable"),
    ):
        assert told_id(answer) == MISSING
    assert told_id(await crew.ada.client.get(f"{API}/bots/x")) == BAD_URL


@pytest.mark.manor(config=EVERYBODY)
async def test_where_everybody_may_one_rules_ones_own_and_sees_no_others(client: Client, crew: Crew) -> None:
    mine, theirs = await new_bot(crew.ann.client, "mine"), await new_bot(crew.bob.client, "theirs")

    assert [bot["username"] for bot in (await crew.ann.client.get(f"{API}/bots")).json()] == ["mine"]
    assert [bot["username"] for bot in (await crew.ada.client.get(f"{API}/bots?per_page=1&page=1")).json()] == [
        "theirs"
    ]
    secret = await token_of(crew.ann.client, mine)
    patched = await crew.ann.client.request("PUT", f"{API}/users/{mine['user_id']}/patch", json={"nickname": "M"})
    assert patched.json()["nickname"] == "M"
    assert told_id(await crew.ann.client.get(f"{API}/bots/{theirs['user_id']}")) == MISSING
    refused = await crew.ann.client.post(f"{API}/users/{theirs['user_id']}/tokens", json={"description": "x"})
    assert told_id(refused) == FORBIDDEN
    # A bot makes no bots, and owns none.
    bot = bearing(client, secret)
    assert told_id(await bot.post(f"{API}/bots", json={"username": "child"})) == FORBIDDEN


@pytest.mark.manor(config={"plugins": {"chat": {"bot_creation": "nobody"}}})
async def test_where_nobody_may_administrators_may_not_either(crew: Crew) -> None:
    refused = await crew.ada.client.post(f"{API}/bots", json={"username": "robot"})
    assert told_id(refused) == (403, "api.bot.create_disabled")
