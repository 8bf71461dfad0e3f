"""Slash commands of teams: how they are called, what they answer, and what they say later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
import trio

from manor import Event, from_chat_id
from manor.testing import SetClock
from tests.chat_channels import direct, made, refused, told
from tests.chat_integrations import (
    FORM,
    LOOPBACK,
    command,
    fields_of,
    posted_to,
    posts_in,
    reply_path,
    says,
    says_text,
    typed,
)
from tests.chat_people import API, Crew
from tests.webhook_receiver import answer, open_receiver

CALL = {
    "channel_id", "channel_name", "command", "response_url", "team_domain", "team_id", "text", "token", "trigger_id",
    "user_id", "user_name", "root_id",
}  # fmt: skip
NONE = "y" * 26
URL = "https://example.org/weather"

pytestmark = pytest.mark.manor(config=LOOPBACK)


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
