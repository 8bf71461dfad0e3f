"""Slash commands of teams: who keeps them, how they are called, what they answer, and what they say later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import trio

from manor import Event, from_chat_id
from manor.testing import House, SetClock
from manor_chat.store.integrations_of import remove_some
from tests.chat_channels import direct, made, refused, told
from tests.chat_integrations import (
    FORM,
    LOOPBACK,
    command,
    fields_of,
    incoming,
    outgoing,
    posted_to,
    posts_in,
    says,
    says_text,
    typed,
)
from tests.chat_people import API, Crew
from tests.webhook_receiver import answer, open_receiver

COMMAND_KEYS = {
    "id", "token", "create_at", "update_at", "delete_at", "creator_id", "team_id", "trigger", "method", "username",
    "icon_url", "auto_complete", "auto_complete_desc", "auto_complete_hint", "display_name", "description", "url",
}  # fmt: skip
CALL = {
    "channel_id", "channel_name", "command", "response_url", "team_domain", "team_id", "text", "token", "trigger_id",
    "user_id", "user_name", "root_id",
}  # fmt: skip
NONE = "y" * 26
OURS = ("chat_incoming_webhooks", "chat_outgoing_webhooks", "chat_commands")
URL = "https://example.org/weather"
MISSING = (404, "store.sql_command.get.missing.app_error")

pytestmark = pytest.mark.manor(config=LOOPBACK)


@pytest.fixture
def plugins() -> Sequence[str]:
    return ["chat"]


@pytest.fixture
async def crew(house: House) -> Crew:
    return await Crew.gather(house)


@pytest.fixture
async def helm(crew: Crew) -> dict[str, Any]:
    return await made(crew, crew.ann, "helm")


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


# --- Calling -------------------------------------------------------------------------------------------------------


async def test_a_command_is_called_as_a_form_and_answers_in_the_channel(crew: Crew, helm: dict[str, Any]) -> None:
    said = {"response_type": "in_channel", "text": "<https://example.org|sun>", "username": "sky"}
    async with open_receiver(says(said)) as receiver:
        made_ = await command(crew, receiver.url)
        answered = await typed(crew.ann, helm["id"], "/Weather in Rome & Paris")
        came = await receiver.next()

    fields = fields_of(came)
    assert fields.keys() == CALL
    assert came.headers["authorization"] == f"Token {made_['token']}"
    assert (fields["command"], fields["text"], fields["token"]) == ("/weather", "in Rome & Paris", made_["token"])
    assert (fields["team_domain"], fields["channel_name"], fields["user_name"]) == ("crew", "helm", "ann")

    assert answered.status == 200
    response = answered.json()
    assert (response["response_type"], len(response["trigger_id"])) == ("in_channel", 26)
    assert response["trigger_id"] != fields["trigger_id"]
    (post,) = await posts_in(crew.house, helm["id"])
    assert (post["message"], post["user_id"]) == ("[sun](https://example.org)", crew.ann.id)
    assert post["props"] == {"from_webhook": "true", "override_username": "sky"}


@asynccontextmanager
async def served(serve: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """A program that is wholly the test's."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}/w"
        nursery.cancel_scope.cancel()


async def test_a_command_is_called_as_a_query_where_that_is_wanted(crew: Crew, helm: dict[str, Any]) -> None:
    heads: list[str] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            heads.append((await stream.receive_some()).decode())
            await stream.send_all(says_text("rain"))

    async with served(serve) as url:
        await command(crew, f"{url}?unit=c", method="G")
        answered = await typed(crew.ann, helm["id"], "/weather Rome")

    line = heads[0].split("\r\n")[0]
    assert line.startswith("GET /w?unit=c&channel_id=")
    assert "&text=Rome&" in line
    assert answered.json()["text"] == "rain"


@pytest.mark.parametrize(
    "said", [says_text("hello"), says({"text": "hello"}), says({"response_type": "x", "text": "hello"})]
)
async def test_other_answers_are_for_whoever_typed(
    crew: Crew, helm: dict[str, Any], heard: list[Event], said: bytes
) -> None:
    async with open_receiver(said) as receiver:
        await command(crew, receiver.url)
        assert (await typed(crew.ann, helm["id"], "/weather")).status == 200
    assert await posts_in(crew.house, helm["id"]) == []
    ((event, data),) = told(heard, "ephemeral_message")
    assert (event.user_id, event.channel_id) == (crew.ann.id, from_chat_id(helm["id"]))
    assert (data["post"]["message"], data["post"]["type"]) == ("hello", "system_ephemeral")


async def test_a_command_says_more_at_once_and_sends_the_client_somewhere(
    crew: Crew, helm: dict[str, Any], heard: list[Event]
) -> None:
    other = await made(crew, crew.ann, "galley")
    said = {
        "goto_location": "https://example.org",
        "extra_responses": [
            {"response_type": "in_channel", "text": "<https://a.example|a>", "skip_slack_parsing": True},
            {"response_type": "in_channel", "text": "there", "channel_id": other["id"]},
            {"text": "psst"},
        ],
    }
    async with open_receiver(says(said)) as receiver:
        await command(crew, receiver.url, username="sky", icon_url="https://example.org/i.png")
        answered = await typed(crew.ann, helm["id"], "/weather")
    assert answered.json()["goto_location"] == "https://example.org"
    (post,) = await posts_in(crew.house, helm["id"])
    assert post["message"] == "<https://a.example|a>"
    assert post["props"]["override_username"] == "sky"
    assert post["props"]["override_icon_url"] == "https://example.org/i.png"
    assert [each["message"] for each in await posts_in(crew.house, other["id"])] == ["there"]
    assert [data["post"]["message"] for _, data in told(heard, "ephemeral_message")] == ["psst"]


WRONG = [
    (answer("500 Oops"), "it answered 500"),
    (answer("404 No"), "it answered 404"),
    (b"", "127.0.0.1"),
    (answer("200 OK", "Content-Type: application/json\r\n", b"{"), "cannot be read"),
    (says({"text": 5}), "cannot be read"),
    (says({"text": "x", "type": "system_generic"}), "post.type"),
    (says({"response_type": "in_channel", "text": "x", "channel_id": NONE}), "where you are not"),
]


async def test_what_goes_wrong_is_told_to_whoever_typed(crew: Crew, helm: dict[str, Any], heard: list[Event]) -> None:
    async with open_receiver(*[said for said, _ in WRONG]) as receiver:
        await command(crew, receiver.url)
        for said, word in WRONG:
            answered = await typed(crew.ann, helm["id"], "/weather")
            assert (answered.status, answered.json()["response_type"]) == (200, "ephemeral")
            assert word in answered.json()["text"], said
            _, data = told(heard, "ephemeral_message")[-1]
            assert data["post"]["message"] == answered.json()["text"]
    assert await posts_in(crew.house, helm["id"]) == []


async def test_a_command_answers_by_what_its_typist_may_by_then(crew: Crew, helm: dict[str, Any]) -> None:
    member = f"{API}/channels/{helm['id']}/members/{crew.ann.chat_id}"

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            assert (await crew.ann.client.delete(member)).status == 200
            await stream.send_all(says({"response_type": "in_channel", "text": "late"}))

    async with served(serve) as url:
        await command(crew, url)
        assert "permissions" in (await typed(crew.ann, helm["id"], "/weather")).json()["text"]
    assert await posts_in(crew.house, helm["id"]) == []


async def test_a_command_answers_nowhere_where_its_typist_is_not(crew: Crew, helm: dict[str, Any]) -> None:
    cabin = await made(crew, crew.bob, "cabin", type="P")
    async with open_receiver(says({"response_type": "in_channel", "text": "x", "channel_id": cabin["id"]})) as receiver:
        await command(crew, receiver.url)
        assert "where you are not" in (await typed(crew.ann, helm["id"], "/weather")).json()["text"]
    assert await posts_in(crew.house, cabin["id"]) == []


@pytest.mark.manor(config={})
async def test_a_private_address_is_not_called_unless_the_admin_allows_it(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver() as receiver:
        await command(crew, receiver.url)
        answered = await typed(crew.ann, helm["id"], "/weather")
        assert receiver.came == 0
    assert "not public" in answered.json()["text"]


NOT_RUN: list[tuple[dict[str, Any], int, str]] = [
    ({"command": "weather"}, 400, "api.command.execute_command.start.app_error"),
    ({"command": "/"}, 400, "api.command.execute_command.start.app_error"),
    ({"command": ""}, 400, "api.command.execute_command.start.app_error"),
    ({"command": "/x" * 20_000}, 400, "api.command.execute_command.start.app_error"),
    ({"channel_id": ""}, 400, "api.context.invalid_body_param.app_error"),
    ({"channel_id": NONE}, 404, "app.channel.get.existing.app_error"),
    ({"command": "/nothing"}, 404, "api.command.execute_command.not_found.app_error"),
    ({"root_id": "x"}, 400, "api.context.invalid_body_param.app_error"),
]


async def test_what_is_no_command_is_not_run(crew: Crew, helm: dict[str, Any]) -> None:
    for body, status, code in NOT_RUN:
        whole = {"channel_id": helm["id"], "command": "/me waves", **body}
        answered = await crew.ann.client.post(f"{API}/commands/execute", json=whole)
        assert refused(answered) == (status, code), str(body)[:80]


async def test_commands_are_run_by_members_in_channels_that_are_open(crew: Crew, helm: dict[str, Any]) -> None:
    for who in (crew.bob, crew.eve):
        assert (await typed(who, helm["id"], "/me waves")).status == 403
    assert (await crew.ann.client.delete(f"{API}/channels/{helm['id']}")).status == 200
    assert refused(await typed(crew.ann, helm["id"], "/me waves")) == (400, "api.command.execute_command.deleted.error")


async def test_in_a_direct_channel_the_team_is_said(crew: Crew) -> None:
    channel = await direct(crew.ann, crew.bob)
    async with open_receiver(says_text("sun")) as receiver:
        await command(crew, receiver.url)
        answered = await typed(crew.ann, channel["id"], "/weather", team_id=crew.team)
        fields = fields_of(await receiver.next())
    assert (answered.json()["text"], fields["team_id"]) == ("sun", crew.team)
    assert (await typed(crew.ann, channel["id"], "/weather")).status == 404
    with_eve = await direct(crew.eve, crew.ann)
    assert (await typed(crew.eve, with_eve["id"], "/weather", team_id=crew.team)).status == 403


@pytest.mark.manor(config={**LOOPBACK, "plugins": {"chat": {"slash_commands": False}}})
async def test_commands_that_are_switched_off_are_not_there_but_those_built_in(
    crew: Crew, helm: dict[str, Any]
) -> None:
    body = {"team_id": crew.team, "trigger": "weather", "method": "P", "url": URL}
    assert refused(await crew.ann.client.post(f"{API}/commands", json=body)) == (501, "api.command.disabled.app_error")
    assert (await typed(crew.ann, helm["id"], "/me waves")).status == 200


# --- Saying more ---------------------------------------------------------------------------------------------------


async def reply_path(crew: Crew, channel_id: str) -> str:
    """Where a command that was just typed may say more."""
    async with open_receiver(answer("200 OK")) as receiver:
        await command(crew, receiver.url)
        assert (await typed(crew.ann, channel_id, "/weather")).status == 200
        return urlsplit(fields_of(await receiver.next())["response_url"]).path


async def test_a_command_says_more_five_times(crew: Crew, helm: dict[str, Any]) -> None:
    path = await reply_path(crew, helm["id"])
    more = {"response_type": "in_channel", "text": "more"}
    for _ in range(4):
        answered = await posted_to(crew.house, path, more)
        assert (answered.status, answered.text, answered.headers["Content-Type"]) == (200, "ok", "text/plain")
    as_form = await posted_to(
        crew.house, path, body=b"payload=%7B%22response_type%22%3A%22in_channel%22%2C%22text%22%3A%22form%22%7D",
        headers=FORM,
    )  # fmt: skip
    assert as_form.status == 200
    assert refused(await posted_to(crew.house, path, more)) == (400, "web.command_webhook.invalid.app_error")
    assert [each["message"] for each in await posts_in(crew.house, helm["id"])] == ["form", *["more"] * 4]


async def test_a_command_says_more_for_half_an_hour(crew: Crew, helm: dict[str, Any], clock: SetClock) -> None:
    path, gone = await reply_path(crew, helm["id"]), (404, "web.command_webhook.invalid.app_error")
    clock.set(clock.now() + timedelta(minutes=29, seconds=59))
    assert (await posted_to(crew.house, path, {"text": "x"})).status == 200
    clock.set(clock.now() + timedelta(seconds=1))
    assert refused(await posted_to(crew.house, path, {"text": "x"})) == gone
    assert refused(await posted_to(crew.house, f"/hooks/commands/{NONE}", {"text": "x"})) == gone
    assert (await posted_to(crew.house, "/hooks/commands/short", {"text": "x"})).status == 400


async def test_a_command_says_nothing_where_its_typist_is_no_more(crew: Crew, helm: dict[str, Any]) -> None:
    path = await reply_path(crew, helm["id"])
    assert (await crew.ann.client.delete(f"{API}/channels/{helm['id']}/members/{crew.ann.chat_id}")).status == 200
    assert (await posted_to(crew.house, path, {"response_type": "in_channel", "text": "x"})).status == 403
    assert await posts_in(crew.house, helm["id"]) == []


UNREADABLE = [b"", b"{", b"[]", b'{"text": 5}', b"\xff"]


async def test_what_cannot_be_read_is_told(crew: Crew, helm: dict[str, Any]) -> None:
    path = await reply_path(crew, helm["id"])
    for body in UNREADABLE:
        answered = await posted_to(crew.house, path, body=body)
        assert refused(answered) == (400, "web.command_webhook.parse.app_error"), body


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
