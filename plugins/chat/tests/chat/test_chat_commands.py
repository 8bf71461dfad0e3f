"""Slash commands of teams: who keeps them, and what is offered while somebody types."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import pytest

from manor_chat.store.integrations_of import remove_some
from tests.chat_channels import refused
from tests.chat_integrations import (
    LOOPBACK,
    command,
    incoming,
    outgoing,
    posted_to,
    reply_path,
)
from tests.chat_people import API, Crew

COMMAND_KEYS = {
    "id", "token", "create_at", "update_at", "delete_at", "creator_id", "team_id", "trigger", "method", "username",
    "icon_url", "auto_complete", "auto_complete_desc", "auto_complete_hint", "display_name", "description", "url",
}  # fmt: skip
NONE = "y" * 26
OURS = ("chat_incoming_webhooks", "chat_outgoing_webhooks", "chat_commands")
URL = "https://example.org/weather"
MISSING = (404, "store.sql_command.get.missing.app_error")

pytestmark = pytest.mark.manor(config=LOOPBACK)


# --- Keeping -------------------------------------------------------------------------------------------------------


async def test_a_command_is_made_shown_changed_and_removed(crew: Crew) -> None:
    made_ = await command(crew, URL, "Weather", auto_complete=True, auto_complete_desc="d", auto_complete_hint="[town]")
    assert made_.keys() == COMMAND_KEYS
    assert (made_["trigger"], made_["creator_id"], len(made_["token"])) == ("weather", crew.ann.chat_id, 26)

    path, client = f"{API}/commands/{made_['id']}", crew.ann.client
    assert (await client.get(path)).json() == made_
    changed = (await client.put(path, json={**made_, "url": f"{URL}2", "method": "G", "token": "mine"})).json()
    assert (changed["url"], changed["method"], changed["token"]) == (f"{URL}2", "G", made_["token"])
    token = (await client.put(f"{path}/regen_token")).json()
    assert token == {"token": (await client.get(path)).json()["token"]}
    assert token["token"] != made_["token"]

    assert (await client.delete(path)).json() == {"status": "OK"}
    assert refused(await client.get(path)) == MISSING


async def test_what_everybody_sees_of_commands_is_no_secret(crew: Crew) -> None:
    await command(crew, URL, auto_complete=True, auto_complete_hint="[town]")
    await command(crew, URL, "hidden")

    listed = (await crew.bob.client.get(f"{API}/commands?team_id={crew.team}")).json()
    assert listed == (await crew.bob.client.get(f"{API}/teams/{crew.team}/commands/autocomplete")).json()
    own = [each for each in listed if each["id"]]
    assert [each["trigger"] for each in own] == ["weather"]
    assert (own[0]["token"], own[0]["url"], own[0]["creator_id"], own[0]["method"]) == ("", "", "", "")
    assert {"me", "shrug", "join"} <= {each["trigger"] for each in listed}

    listed = (await crew.ann.client.get(f"{API}/commands?team_id={crew.team}&custom_only=true")).json()
    assert [(each["trigger"], each["url"]) for each in listed] == [("hidden", URL), ("weather", URL)]
    denied = (403, "api.context.permissions.app_error")
    assert refused(await crew.bob.client.get(f"{API}/commands?team_id={crew.team}&custom_only=true")) == denied
    assert refused(await crew.eve.client.get(f"{API}/commands?team_id={crew.team}")) == denied
    assert refused(await crew.eve.client.get(f"{API}/teams/{crew.team}/commands/autocomplete")) == denied
    assert (await crew.ann.client.get(f"{API}/commands")).status == 400


async def test_commands_of_others_are_not_there(crew: Crew) -> None:
    made_ = await command(crew, URL)
    path = f"{API}/commands/{made_['id']}"
    for who in (crew.bob, crew.eve):
        for ask in (who.client.get, who.client.delete):
            assert refused(await ask(path)) == MISSING
        assert refused(await who.client.put(path, json=made_)) == MISSING
        assert refused(await who.client.put(f"{path}/regen_token")) == MISSING
        body = {"team_id": crew.team, "trigger": "x", "method": "P", "url": URL}
        assert (await who.client.post(f"{API}/commands", json=body)).status == 403


NO_COMMANDS: list[tuple[dict[str, Any], str]] = [
    ({"team_id": ""}, "api.context.invalid_body_param.app_error"),
    ({"trigger": ""}, "model.command.is_valid.trigger.app_error"),
    ({"trigger": "/x"}, "model.command.is_valid.trigger.app_error"),
    ({"trigger": "a b"}, "model.command.is_valid.trigger.app_error"),
    ({"trigger": "Me"}, "api.command.duplicate_trigger.app_error"),
    ({"trigger": "taken"}, "api.command.duplicate_trigger.app_error"),
    ({"method": "X"}, "model.command.is_valid.method.app_error"),
    ({"url": ""}, "model.command.is_valid.url.app_error"),
    ({"url": "file:///etc/passwd"}, "model.command.is_valid.url.app_error"),
    ({"display_name": "x" * 65}, "model.command.is_valid.display_name.app_error"),
    ({"description": "x" * 129}, "model.command.is_valid.description.app_error"),
    ({"url": 5}, "api.context.invalid_body_param.app_error"),
]


async def test_what_is_no_command_is_refused(crew: Crew) -> None:
    await command(crew, URL, "taken")
    for change, code in NO_COMMANDS:
        body = {"team_id": crew.team, "trigger": "weather", "method": "P", "url": URL, **change}
        assert refused(await crew.ann.client.post(f"{API}/commands", json=body)) == (400, code), change


async def test_a_command_keeps_to_its_team_and_its_name_to_itself(crew: Crew) -> None:
    first, second = await command(crew, URL), await command(crew, URL, "second")
    path = f"{API}/commands/{first['id']}"
    moved = await crew.ann.client.put(path, json={**first, "team_id": NONE})
    assert refused(moved) == (400, "api.command.team_mismatch.app_error")
    taken = await crew.ann.client.put(path, json={**first, "trigger": second["trigger"]})
    assert refused(taken) == (400, "api.command.duplicate_trigger.app_error")
    assert (await crew.ann.client.put(path, json={**first, "id": second["id"]})).status == 400


# --- While somebody types ------------------------------------------------------------------------------------------


async def suggested(crew: Crew, text: str) -> list[dict[str, str]]:
    path = f"{API}/teams/{crew.team}/commands/autocomplete_suggestions"
    answered = await crew.bob.client.get(path, query={"user_input": text})
    assert answered.status == 200, answered.text
    found: list[dict[str, str]] = answered.json()
    return found


async def test_commands_are_suggested_by_how_they_begin(crew: Crew) -> None:
    await command(crew, URL, "mercury", auto_complete=True, auto_complete_desc="d", auto_complete_hint="[town]")
    assert [each["Complete"] for each in await suggested(crew, "/m")] == ["me", "mercury", "msg", "mute"]
    assert await suggested(crew, "mer") == [
        {"Complete": "mercury", "Suggestion": "mercury", "Hint": "[town]", "Description": "d", "IconData": ""}
    ]
    assert await suggested(crew, "/mercury ro") == [
        {"Complete": "mercury ro", "Suggestion": "", "Hint": "[town]", "Description": "d", "IconData": ""}
    ]
    assert await suggested(crew, "/nothing") == []
    assert len(await suggested(crew, "/")) > 20
    path = f"{API}/teams/{crew.team}/commands/autocomplete_suggestions"
    assert (await crew.bob.client.get(path)).status == 400
    assert (await crew.eve.client.get(f"{path}?user_input=/")).status == 403


# --- A person's data -----------------------------------------------------------------------------------------------


async def test_what_somebody_made_is_exported_without_secrets_and_erased_with_them(
    crew: Crew, helm: dict[str, Any]
) -> None:
    hook, robot = await incoming(crew, helm["id"]), await outgoing(crew, URL, trigger_words=["deploy"])
    path = await reply_path(crew, helm["id"])
    data = next(plugin for plugin in crew.house.running if plugin.name == "chat").instance.manor_personal_data()

    exported = [
        (section, msgspec.to_builtins(item)) async for section, item in data.export(crew.ann.id) if section in OURS
    ]
    assert [section for section, _ in exported] == list(OURS)
    told = msgspec.json.encode(exported).decode()
    assert hook["id"] not in told
    assert robot["token"] not in told

    erasing = partial(remove_some, user_id=crew.ann.id, limit=3)
    assert [await crew.house.storage.write(erasing) for _ in range(3)] == [3, 1, 0]
    assert (await posted_to(crew.house, f"/hooks/{hook['id']}", {"text": "x"})).status == 400
    assert (await posted_to(crew.house, path, {"text": "x"})).status == 404
