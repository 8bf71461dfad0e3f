"""Outgoing webhooks: who keeps them, what has them called, and what the other side answers."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing
from structlog.testing import capture_logs

from manor.testing import House
from tests.chat_channels import kept, made, refused
from tests.chat_integrations import (
    LOOPBACK,
    fields_of,
    incoming,
    outgoing,
    posted_to,
    posts_in,
    says,
    says_text,
)
from tests.chat_people import API, Chatter, Crew, said
from tests.webhook_receiver import answer, open_receiver

HOOK_KEYS = {
    "id", "token", "create_at", "update_at", "delete_at", "creator_id", "channel_id", "team_id", "trigger_words",
    "trigger_when", "callback_urls", "display_name", "description", "content_type", "username", "icon_url",
}  # fmt: skip
PAYLOAD = {
    "token", "team_id", "team_domain", "channel_id", "channel_name", "timestamp", "user_id", "user_name", "post_id",
    "text", "trigger_word", "file_ids",
}  # fmt: skip
NONE = "y" * 26
URL = "https://example.org/hook"
FORM_TYPE, JSON_TYPE = "application/x-www-form-urlencoded", "application/json"

pytestmark = pytest.mark.manor(config=LOOPBACK)


async def wrote(who: Chatter, channel: dict[str, Any], message: str, **more: Any) -> dict[str, Any]:
    body = {"channel_id": channel["id"], "message": message, **more}
    answered = await who.client.post(f"{API}/posts", json=body)
    assert answered.status == 201, answered.text
    post: dict[str, Any] = answered.json()
    return post


async def settled(house: House, channel: dict[str, Any], count: int) -> list[Any]:
    """What stands in a channel once there is so much."""
    with trio.fail_after(20):
        while len(found := await posts_in(house, channel["id"])) < count:
            await trio.testing.wait_all_tasks_blocked(0.01)
    return found


# --- Keeping -------------------------------------------------------------------------------------------------------


async def test_a_hook_is_made_shown_listed_changed_and_removed(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await outgoing(crew, URL, trigger_words=["deploy"], channel_id=helm["id"], callback_urls=[URL, URL])
    assert hook.keys() == HOOK_KEYS
    assert hook["callback_urls"] == [URL]
    assert (hook["creator_id"], hook["content_type"], len(hook["token"])) == (crew.ann.chat_id, FORM_TYPE, 26)

    path, client = f"{API}/hooks/outgoing/{hook['id']}", crew.ann.client
    assert (await client.get(path)).json() == hook
    for query in (f"team_id={crew.team}", f"channel_id={helm['id']}"):
        assert (await client.get(f"{API}/hooks/outgoing?{query}")).json() == [hook]
    assert (await crew.ada.client.get(f"{API}/hooks/outgoing")).json() == [hook]

    body = {**hook, "channel_id": "", "display_name": "Ship", "trigger_when": 1, "token": "mine"}
    changed = (await client.put(path, json=body)).json()
    assert (changed["display_name"], changed["channel_id"], changed["trigger_when"]) == ("Ship", "", 1)
    assert changed["token"] == hook["token"]
    assert (await client.put(path, json={"content_type": "application/json", "trigger_words": ["go"]})).status == 200
    as_documented = {"id": hook["id"], "channel_id": helm["id"], "display_name": "Boat", "description": "d"}
    boat = (await client.put(path, json=as_documented)).json()
    assert (boat["display_name"], boat["description"], boat["channel_id"]) == ("Boat", "d", helm["id"])
    assert (boat["trigger_words"], boat["trigger_when"], boat["callback_urls"]) == (["go"], 1, [URL])
    assert boat["content_type"] == "application/json"
    renewed = (await client.post(f"{path}/regen_token")).json()
    assert renewed["token"] not in (hook["token"], "")

    assert (await client.delete(path)).json() == {"status": "OK"}
    assert refused(await client.get(path)) == (404, "app.webhooks.get_outgoing.app_error")


async def test_only_those_who_administer_the_team_keep_hooks(crew: Crew) -> None:
    hook = await outgoing(crew, URL, trigger_words=["deploy"])
    path, denied = f"{API}/hooks/outgoing/{hook['id']}", (403, "api.context.permissions.app_error")
    body = {"team_id": crew.team, "trigger_words": ["x"], "callback_urls": [URL]}
    for who in (crew.bob, crew.eve):
        assert refused(await who.client.post(f"{API}/hooks/outgoing", json=body)) == denied
        for ask in (who.client.get, who.client.delete):
            assert refused(await ask(path)) == denied
        assert refused(await who.client.post(f"{path}/regen_token")) == denied
        assert refused(await who.client.get(f"{API}/hooks/outgoing?team_id={crew.team}")) == denied


async def test_a_hook_speaks_for_those_in_its_team_alone_and_for_no_administrator(crew: Crew) -> None:
    body = {"team_id": crew.team, "trigger_words": ["x"], "callback_urls": [URL]}
    for who, maker, status in (
        (crew.bob, crew.ann, 201),
        (crew.eve, crew.ann, 403),
        (crew.ada, crew.ann, 403),
        (crew.eve, crew.ada, 201),
    ):
        asked = body | {"creator_id": who.chat_id, "trigger_words": [f"{who.username}-{maker.username}"]}
        assert (await maker.client.post(f"{API}/hooks/outgoing", json=asked)).status == status


NO_HOOKS: list[tuple[dict[str, Any], int, str]] = [
    ({"team_id": ""}, 400, "api.context.invalid_body_param.app_error"),
    ({"team_id": NONE}, 404, "app.team.get.find.app_error"),
    ({"channel_id": NONE}, 404, "app.channel.get.existing.app_error"),
    ({"creator_id": NONE}, 404, "app.user.missing_account.const"),
    ({"trigger_words": []}, 400, "api.webhook.create_outgoing.triggers.app_error"),
    ({"trigger_words": ["a b"]}, 400, "model.outgoing_hook.is_valid.trigger_words.app_error"),
    ({"trigger_words": [""]}, 400, "model.outgoing_hook.is_valid.trigger_words.app_error"),
    ({"trigger_words": ["x" * 1025]}, 400, "model.outgoing_hook.is_valid.words.app_error"),
    ({"trigger_when": 2}, 400, "model.outgoing_hook.is_valid.trigger_when.app_error"),
    ({"callback_urls": []}, 400, "model.outgoing_hook.is_valid.callback.app_error"),
    ({"callback_urls": None}, 400, "model.outgoing_hook.is_valid.callback.app_error"),
    ({"callback_urls": ["ftp://example.org"]}, 400, "model.outgoing_hook.is_valid.url.app_error"),
    ({"content_type": "text/xml"}, 400, "model.outgoing_hook.is_valid.content_type.app_error"),
    ({"display_name": "x" * 65}, 400, "model.outgoing_hook.is_valid.display_name.app_error"),
    ({"trigger_words": "x"}, 400, "api.context.invalid_body_param.app_error"),
]


async def test_what_is_no_hook_is_refused(crew: Crew) -> None:
    for change, status, code in NO_HOOKS:
        body = {"team_id": crew.team, "trigger_words": ["deploy"], "callback_urls": [URL], **change}
        assert refused(await crew.ann.client.post(f"{API}/hooks/outgoing", json=body)) == (status, code), change


async def test_a_hook_is_for_public_channels_and_for_one_of_a_kind(crew: Crew, helm: dict[str, Any]) -> None:
    cabin = await made(crew, crew.ann, "cabin", type="P")
    body = {"team_id": crew.team, "callback_urls": [URL], "channel_id": cabin["id"]}
    answered = await crew.ann.client.post(f"{API}/hooks/outgoing", json=body)
    assert refused(answered) == (403, "api.webhook.create_outgoing.not_open.app_error")

    hook = await outgoing(crew, URL, channel_id=helm["id"], trigger_words=["a", "b"])
    again = {**body, "channel_id": helm["id"], "trigger_words": ["b"]}
    answered = await crew.ann.client.post(f"{API}/hooks/outgoing", json=again)
    assert refused(answered) == (400, "api.webhook.create_outgoing.intersect.app_error")
    moved = {**hook, "team_id": NONE}
    answered = await crew.ann.client.put(f"{API}/hooks/outgoing/{hook['id']}", json=moved)
    assert refused(answered) == (400, "api.webhook.team_mismatch.app_error")


# --- Calling -------------------------------------------------------------------------------------------------------


async def test_a_trigger_word_has_the_other_side_told_as_a_form(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver() as receiver:
        hook = await outgoing(crew, receiver.url, trigger_words=["deploy"])
        await wrote(crew.ann, helm, "do not deploy")
        post = await wrote(crew.ann, helm, "deploy now & then")
        came = await receiver.next()

    assert came.headers["content-type"] == FORM_TYPE
    fields = fields_of(came)
    assert fields.keys() == PAYLOAD
    assert fields == {
        "token": hook["token"],
        "team_id": crew.team,
        "team_domain": "crew",
        "channel_id": helm["id"],
        "channel_name": "helm",
        "timestamp": str(post["create_at"]),
        "user_id": crew.ann.chat_id,
        "user_name": "ann",
        "post_id": post["id"],
        "text": "deploy now & then",
        "trigger_word": "deploy",
        "file_ids": "",
    }
    assert receiver.came == 1


async def test_json_has_the_same_and_the_answer_becomes_a_comment(crew: Crew, helm: dict[str, Any]) -> None:
    said = {
        "text": "<https://example.org|done>",
        "response_type": "comment",
        "username": "ship",
        "props": {"p": 1, "from_bot": "true"},
        "attachments": [{"text": "log"}],
    }
    async with open_receiver(says(said)) as receiver:
        await outgoing(crew, receiver.url, channel_id=helm["id"], content_type=JSON_TYPE)
        post = await wrote(crew.ann, helm, "anything")
        came = await receiver.next()
        reply, root = await settled(crew.house, helm, 2)
        # What it says triggers nothing.
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert receiver.came == 1

    assert came.headers["content-type"] == JSON_TYPE
    assert came.data.keys() == PAYLOAD
    assert (came.data["timestamp"], came.data["trigger_word"]) == (post["create_at"], "")
    assert reply["root_id"] == root["id"]
    assert (reply["message"], reply["user_id"]) == ("[done](https://example.org)", crew.ann.id)
    assert reply["props"] == {
        "p": 1,
        "from_webhook": "true",
        "override_username": "ship",
        "webhook_display_name": "Robot",
        "attachments": [{"text": "log"}],
    }


async def test_an_answer_without_a_word_about_it_stands_beside_the_post(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver(says({"text": "pong"})) as receiver:
        await outgoing(crew, receiver.url, trigger_words=["pi"], trigger_when=1, username="bot")
        await wrote(crew.ann, helm, "ping")
        reply, _ = await settled(crew.house, helm, 2)
    assert (reply["message"], reply["root_id"], reply["props"]["override_username"]) == ("pong", None, "bot")


@pytest.mark.parametrize(
    "said",
    [
        says({}),
        says({"text": ""}),
        says({"text": 5}),
        says([]),
        says_text("<html>"),
        answer("200 OK", "Content-Type: application/json\r\n", b"{"),
        answer("500 Oops", "Content-Type: application/json\r\n", b'{"text": "x"}'),
        says({"text": "x", "type": "system_generic"}),
        b"",
    ],
)
async def test_what_is_no_answer_is_not_posted(crew: Crew, helm: dict[str, Any], said: bytes) -> None:
    async with open_receiver(said, says({"text": "second"})) as receiver:
        await outgoing(crew, receiver.url, channel_id=helm["id"])
        await wrote(crew.ann, helm, "one")
        await receiver.next()
        await wrote(crew.ann, helm, "two")
        found = await settled(crew.house, helm, 3)
    assert [each["message"] for each in found] == ["second", "two", "one"]


async def test_only_what_people_say_in_public_triggers(crew: Crew, helm: dict[str, Any]) -> None:
    cabin = await made(crew, crew.ann, "cabin", type="P")
    async with open_receiver() as receiver:
        await outgoing(crew, receiver.url, trigger_words=["deploy", "joined"])
        await wrote(crew.ann, cabin, "deploy secretly")
        hook = await incoming(crew, helm["id"])
        assert (await posted_to(crew.house, f"/hooks/{hook['id']}", {"text": "deploy"})).status == 200
        await wrote(crew.ann, helm, "deploy openly")
        assert fields_of(await receiver.next())["text"] == "deploy openly"
        assert receiver.came == 1


async def test_a_hook_that_is_gone_is_called_no_more(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver() as receiver:
        hook = await outgoing(crew, receiver.url, trigger_words=["deploy"])
        other = await outgoing(crew, receiver.url, trigger_words=["build"])
        assert (await crew.ann.client.delete(f"{API}/hooks/outgoing/{hook['id']}")).status == 200
        await wrote(crew.ann, helm, "deploy")
        await wrote(crew.ann, helm, "build")
        assert fields_of(await receiver.next())["token"] == other["token"]
        assert receiver.came == 1


async def test_one_that_hangs_keeps_nobody_waiting(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver(*[None] * 4) as slow, open_receiver() as quick:
        await outgoing(crew, slow.url, trigger_words=["deploy"])
        await outgoing(crew, quick.url, trigger_words=["build"])
        for number in range(8):
            await wrote(crew.ann, helm, f"deploy {number}")
        await wrote(crew.ann, helm, "build")
        assert fields_of(await quick.next())["text"] == "build"
        assert slow.came == 4


async def test_what_is_too_much_at_once_is_not_told_and_the_log_says_so(crew: Crew, helm: dict[str, Any]) -> None:
    channel = await kept(crew, helm)
    async with open_receiver(*[None] * 4) as slow:
        await outgoing(crew, slow.url, trigger_words=["deploy"])
        with capture_logs() as lines:
            for number in range(52):
                await said(crew.house, crew.ann, channel, f"deploy {number}")
            await trio.testing.wait_all_tasks_blocked(0.01)
    assert [line["webhook"] for line in lines if line["event"].startswith("too many calls")] == ["Robot", "Robot"]


@pytest.mark.manor(config={})
async def test_a_private_address_is_not_called_unless_the_admin_allows_it(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver() as receiver:
        await outgoing(crew, receiver.url, channel_id=helm["id"])
        with capture_logs() as lines, trio.fail_after(20):
            await wrote(crew.ann, helm, "one")
            while not lines:
                await trio.testing.wait_all_tasks_blocked(0.01)
        assert receiver.came == 0
    assert "is not public" in lines[0]["reason"]
