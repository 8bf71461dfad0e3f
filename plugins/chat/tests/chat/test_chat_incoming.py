"""Incoming webhooks: who keeps them, and what is posted by them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from manor import Event, Head, Headers, set_team_active
from manor.testing import House
from tests.chat_channels import direct, made, refused, told
from tests.chat_integrations import FORM, incoming, posted_to, posts_in
from tests.chat_people import API, Crew

HOOK_KEYS = {
    "id", "create_at", "update_at", "delete_at", "user_id", "channel_id", "team_id", "display_name", "description",
    "username", "icon_url", "channel_locked",
}  # fmt: skip
NONE = "y" * 26


# --- Keeping -------------------------------------------------------------------------------------------------------


async def test_a_hook_is_made_shown_listed_changed_and_removed(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"], description="d", username="alarm", icon_url="https://example.org/i.png")
    assert hook.keys() == HOOK_KEYS
    assert (hook["user_id"], hook["team_id"], hook["delete_at"]) == (crew.ann.chat_id, crew.team, 0)

    path, client = f"{API}/hooks/incoming/{hook['id']}", crew.ann.client
    assert (await client.get(path)).json() == hook
    assert (await client.get(f"{API}/hooks/incoming?team_id={crew.team}")).json() == [hook]
    counted = await client.get(f"{API}/hooks/incoming?team_id={crew.team}&include_total_count=true")
    assert counted.json() == {"incoming_webhooks": [hook], "total_count": 1}

    body = {"id": hook["id"], "channel_id": helm["id"], "display_name": "Bell", "channel_locked": True}
    changed = await client.put(path, json=body)
    assert changed.status == 201
    assert (changed.json()["display_name"], changed.json()["username"]) == ("Bell", "")
    for more, is_locked in (({}, True), ({"channel_locked": False}, False), ({}, False)):
        as_documented = {"id": hook["id"], "channel_id": helm["id"], "display_name": "Bell", "description": "", **more}
        assert (await client.put(path, json=as_documented)).json()["channel_locked"] is is_locked

    assert (await client.delete(path)).json() == {"status": "OK"}
    assert refused(await client.get(path)) == (404, "app.webhooks.get_incoming.app_error")


async def test_only_those_who_administer_the_team_keep_hooks(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"])
    denied = (403, "api.context.permissions.app_error")
    body = {"channel_id": helm["id"], "display_name": "x"}

    for who in (crew.bob, crew.eve):
        assert refused(await who.client.post(f"{API}/hooks/incoming", json=body)) == denied
        for ask in (who.client.get, who.client.delete):
            assert refused(await ask(f"{API}/hooks/incoming/{hook['id']}")) == denied
        assert refused(await who.client.get(f"{API}/hooks/incoming?team_id={crew.team}")) == denied
        assert refused(await who.client.get(f"{API}/hooks/incoming")) == denied
    assert (await crew.ada.client.get(f"{API}/hooks/incoming")).json() == [hook]


async def test_a_hook_may_speak_for_somebody_else(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"], user_id=crew.bob.chat_id)
    assert hook["user_id"] == crew.bob.chat_id
    for user_id, status in ((NONE, 404), (crew.eve.chat_id, 403), (crew.ada.chat_id, 403)):
        body = {"channel_id": helm["id"], "user_id": user_id}
        assert (await crew.ann.client.post(f"{API}/hooks/incoming", json=body)).status == status
    assert (await incoming(crew, helm["id"], crew.ada, user_id=crew.eve.chat_id))["user_id"] == crew.eve.chat_id


NO_HOOKS: list[tuple[dict[str, Any], int, str]] = [
    ({}, 400, "api.context.invalid_body_param.app_error"),
    ({"channel_id": "x"}, 400, "api.context.invalid_body_param.app_error"),
    ({"channel_id": NONE}, 404, "app.channel.get.existing.app_error"),
    ({"display_name": "x" * 65}, 400, "model.incoming_hook.display_name.app_error"),
    ({"description": "x" * 501}, 400, "model.incoming_hook.description.app_error"),
    ({"username": "a b"}, 400, "api.incoming_webhook.invalid_username.app_error"),
    ({"icon_url": "javascript:x"}, 400, "model.incoming_hook.icon_url.app_error"),
    ({"display_name": 5}, 400, "api.context.invalid_body_param.app_error"),
]


async def test_what_is_no_hook_is_refused(crew: Crew, helm: dict[str, Any]) -> None:
    for body, status, code in NO_HOOKS:
        whole = {"channel_id": helm["id"], **body} if body else body
        assert refused(await crew.ann.client.post(f"{API}/hooks/incoming", json=whole)) == (status, code), body


async def test_a_hook_stays_in_its_team_and_out_of_direct_channels(crew: Crew, helm: dict[str, Any]) -> None:
    hook, with_bob = await incoming(crew, helm["id"]), await direct(crew.ann, crew.bob)
    path = f"{API}/hooks/incoming/{hook['id']}"

    other = {"id": hook["id"], "channel_id": helm["id"], "team_id": NONE}
    assert refused(await crew.ann.client.put(path, json=other)) == (400, "api.webhook.team_mismatch.app_error")
    elsewhere = {"id": hook["id"], "channel_id": with_bob["id"]}
    assert (await crew.ann.client.put(path, json=elsewhere)).status == 400
    assert (await crew.ann.client.put(path, json={"id": NONE, "channel_id": helm["id"]})).status == 400
    body = {"channel_id": with_bob["id"]}
    assert (await crew.ann.client.post(f"{API}/hooks/incoming", json=body)).status == 403


# --- Posting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"text": "hello"}},
        {"body": urlencode({"payload": '{"text": "hello"}'}).encode(), "headers": FORM},
        {"body": urlencode({"text": "hello"}).encode(), "headers": FORM},
        {"body": b'{"text": "hello"}', "headers": FORM},
        {"body": b'{"text": "hello"}', "headers": {"Content-Type": "text/plain"}},
        {
            "body": b'--b\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{"text":"hello"}\r\n--b--\r\n',
            "headers": {"Content-Type": "multipart/form-data; boundary=b"},
        },
        {
            "body": b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nhello\r\n--b--\r\n',
            "headers": {"Content-Type": "multipart/form-data; boundary=b"},
        },
    ],
)
async def test_whatever_senders_speak_is_posted(
    crew: Crew, helm: dict[str, Any], heard: list[Event], sent: dict[str, Any]
) -> None:
    hook = await incoming(crew, helm["id"])
    answer = await posted_to(crew.house, f"/hooks/{hook['id']}", **sent)

    assert (answer.status, answer.text, answer.headers["Content-Type"]) == (200, "ok", "text/plain")
    (post,) = await posts_in(crew.house, helm["id"])
    assert (post["message"], post["user_id"], post["type"]) == ("hello", crew.ann.id, "")
    assert post["props"] == {
        "from_webhook": "true",
        "override_username": "webhook",
        "webhook_display_name": "Alarm",
    }
    assert told(heard, "posted")[-1][1]["sender_name"] == "webhook"


async def test_line_breaks_within_json_are_taken_as_they_are(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"])
    assert (await posted_to(crew.house, f"/hooks/{hook['id']}", body=b'{"text": "a\nb\tc"}')).status == 200
    assert (await posts_in(crew.house, helm["id"]))[0]["message"] == "a\nb\tc"


async def test_a_post_is_shown_as_the_sender_or_the_hook_wants(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"], username="bell", icon_url="https://example.org/a.png")
    path = f"/hooks/{hook['id']}"
    assert (await posted_to(crew.house, path, {"text": "a"})).status == 200
    wanted = {"text": "b", "username": "Siren!", "icon_url": "https://example.org/b.png", "icon_emoji": ":bell:"}
    props = {"colour": "red", "from_bot": "true", "override_username": "ann", "from_plugin": "true"}
    assert (
        await posted_to(crew.house, path, {**wanted, "props": props, "priority": {"priority": "urgent"}})
    ).status == 200

    second, first = [each["props"] for each in await posts_in(crew.house, helm["id"])]
    assert (first["override_username"], first["override_icon_url"]) == ("bell", "https://example.org/a.png")
    assert second == {
        "colour": "red",
        "from_webhook": "true",
        "override_username": "Siren!",
        "override_icon_url": "https://example.org/b.png",
        "override_icon_emoji": "bell",
        "webhook_display_name": "Alarm",
    }


async def test_slack_is_understood_and_people_are_mentioned(
    crew: Crew, helm: dict[str, Any], heard: list[Event]
) -> None:
    await crew.bob.client.post(f"{API}/channels/{helm['id']}/members", json={"user_id": "me"})
    hook = await incoming(crew, helm["id"])
    sent = {
        "text": f"<!channel> <https://example.org|page> <@{crew.bob.chat_id}>",
        "attachments": [
            {"text": "<https://a.example|a>", "fields": [{"title": "n", "value": 1}], "actions": [_button()]}
        ],
    }
    assert (await posted_to(crew.house, f"/hooks/{hook['id']}", sent)).status == 200

    (post,) = await posts_in(crew.house, helm["id"])
    assert post["type"] == "slack_attachment"
    assert post["message"] == "@channel [page](https://example.org) @bob"
    (attachment,) = post["props"]["attachments"]
    assert (attachment["text"], attachment["fields"][0]["value"]) == ("[a](https://a.example)", "1")
    shown = told(heard, "posted")[-1][1]["post"]
    assert "integration" not in shown["props"]["attachments"][0]["actions"][0]


def _button() -> dict[str, Any]:
    return {"id": "go", "name": "Go", "type": "button", "integration": {"url": "https://example.org", "context": {}}}


async def test_a_hook_posts_where_it_is_told_to(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"])
    square = (await crew.ann.client.get(f"{API}/teams/{crew.team}/channels/name/town-square")).json()["id"]
    for channel in ("town-square", "#town-square", square):
        answer = await posted_to(crew.house, f"/hooks/{hook['id']}", {"text": "x", "channel": channel})
        assert answer.status == 200, answer.text
    assert len(await posts_in(crew.house, square)) == 3

    assert (await posted_to(crew.house, f"/hooks/{hook['id']}", {"text": "psst", "channel": "@bob"})).status == 200
    with_bob = await direct(crew.bob, crew.ann)
    (post,) = await posts_in(crew.house, with_bob["id"])
    assert (post["message"], post["user_id"]) == ("psst", crew.ann.id)


async def test_a_hook_of_a_team_that_is_switched_off_posts_nowhere(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"])
    await crew.house.storage.write(lambda transaction: set_team_active(transaction, crew.team_id, False))
    for body in ({"text": "x"}, {"text": "x", "channel": "@bob"}):
        missing = (404, "web.incoming_webhook.channel.app_error")
        assert refused(await posted_to(crew.house, f"/hooks/{hook['id']}", body)) == missing


NO_POSTS: list[tuple[Any, int, str]] = [
        ({}, 400, "web.incoming_webhook.text.app_error"),
        ({"text": ""}, 400, "web.incoming_webhook.text.app_error"),
        ({"text": "", "attachments": []}, 400, "web.incoming_webhook.text.app_error"),
        ({"text": 5}, 400, "web.incoming_webhook.parse.app_error"),
        ([], 400, "web.incoming_webhook.parse.app_error"),
        ({"text": "x", "attachments": ["x"]}, 400, "web.incoming_webhook.parse.app_error"),
        ({"text": "x", "channel": "nowhere"}, 404, "web.incoming_webhook.channel.app_error"),
        ({"text": "x", "channel": "@nobody"}, 400, "web.incoming_webhook.user.app_error"),
        ({"text": "x", "channel": "@"}, 400, "web.incoming_webhook.user.app_error"),
        ({"text": "x", "type": "system_generic"}, 400, "api.context.invalid_body_param.app_error"),
        ({"text": "x", "props": {"p": "x" * 800_000}}, 400, "web.incoming_webhook.split_props_length.app_error"),
        ({"text": "x" * 16_384 * 5, "props": {"p": "x" * 799_900}}, 400,
         "web.incoming_webhook.split_props_length.app_error"),
        ({"text": "x", "attachments": [{"title": "x" * 800_000}]}, 400,
         "web.incoming_webhook.split_props_length.app_error"),
    ]  # fmt: skip


async def test_what_cannot_be_posted_is_refused(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"])
    for body, status, code in NO_POSTS:
        assert refused(await posted_to(crew.house, f"/hooks/{hook['id']}", body)) == (status, code), str(body)[:80]
    assert await posts_in(crew.house, helm["id"]) == []


async def test_what_is_too_deep_for_others_to_read_is_not_kept(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"])
    assert [await deeply_posted(crew, helm, hook, depth) for depth in (97, 98, 900)] == [
        [200, 200, 201],
        [200, 400, 201],
        [400, 400, 400],
    ]


async def deeply_posted(crew: Crew, helm: dict[str, Any], hook: dict[str, Any], depth: int) -> list[int]:
    deep = b"[" * depth + b"]" * depth
    statuses = [
        (await posted_to(crew.house, f"/hooks/{hook['id']}", body=b'{"text": "x", %b}' % member)).status
        for member in (b'"props": {"p": %b}' % deep, b'"attachments": [{"p": %b}]' % deep)
    ]
    by_post = b'{"channel_id": "%b", "message": "x", "props": {"p": %b}}' % (helm["id"].encode(), deep)
    return [*statuses, (await crew.ann.client.post(f"{API}/posts", body=by_post)).status]


UNREADABLE: list[tuple[bytes, dict[str, str]]] = [
    (b"", {}),
    (b"{", {}),
    (b"\xff", {}),
    (b'{"text": "\\ud800"}', {}),
    (b'{"a":' * 5000, {}),
    (b"payload=%FF", FORM),
    (b"a=1&" * 500, FORM),
    (b"payload=nope", FORM),
    (b"x", {"Content-Type": "multipart/form-data"}),
    (b"--b\r\n", {"Content-Type": "multipart/form-data; boundary=b"}),
]


async def test_a_body_that_cannot_be_read_is_told(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"])
    for body, headers in UNREADABLE:
        answer = await posted_to(crew.house, f"/hooks/{hook['id']}", body=body, headers=headers)
        assert refused(answer) == (400, "web.incoming_webhook.parse.app_error"), body[:80]


async def test_an_unknown_hook_is_a_bad_one(crew: Crew) -> None:
    sent = {"text": "x"}
    invalid = (400, "web.incoming_webhook.invalid.app_error")
    assert refused(await posted_to(crew.house, f"/hooks/{NONE}", sent)) == invalid
    assert refused(await posted_to(crew.house, f"/hooks/{crew.team}", sent)) == invalid
    malformed = await posted_to(crew.house, "/hooks/short", sent)
    assert refused(malformed) == (400, "api.context.invalid_url_param.app_error")
    assert (await posted_to(crew.house, f"/hooks/{NONE}", body=b"x" * (1024 * 1024 + 1))).status == 413


async def test_a_locked_hook_posts_to_its_channel_alone(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"], channel_locked=True)
    path, locked = f"/hooks/{hook['id']}", (403, "web.incoming_webhook.channel_locked.app_error")
    for channel in ("town-square", "@bob"):
        assert refused(await posted_to(crew.house, path, {"text": "x", "channel": channel})) == locked
    assert (await posted_to(crew.house, path, {"text": "x", "channel": "helm"})).status == 200


async def test_a_hook_reads_no_private_channel_that_its_owner_is_not_in(crew: Crew, helm: dict[str, Any]) -> None:
    await made(crew, crew.bob, "cabin", type="P")
    hook = await incoming(crew, helm["id"])
    answer = await posted_to(crew.house, f"/hooks/{hook['id']}", {"text": "x", "channel": "cabin"})
    assert refused(answer) == (403, "web.incoming_webhook.permissions.app_error")


async def test_nothing_is_posted_to_an_archived_channel(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"])
    assert (await crew.ann.client.delete(f"{API}/channels/{helm['id']}")).status == 200
    answer = await posted_to(crew.house, f"/hooks/{hook['id']}", {"text": "x"})
    assert refused(answer) == (400, "api.post.create_post.can_not_post_to_deleted.error")


async def test_a_long_text_comes_in_several_posts(crew: Crew, helm: dict[str, Any]) -> None:
    hook = await incoming(crew, helm["id"])
    text = "é" * 16_383 + "b" * 10
    sent = {"text": text, "attachments": [{"text": "behind"}]}
    assert (await posted_to(crew.house, f"/hooks/{hook['id']}", sent)).status == 200

    second, first = await posts_in(crew.house, helm["id"])
    assert first["message"] + second["message"] == text
    assert "attachments" not in first["props"]
    assert second["props"]["attachments"] == [{"text": "behind"}]


@pytest.mark.manor(config={"plugins": {"chat": {"incoming_webhook_rate": 2}}})
async def test_one_hook_does_not_flood_a_channel(crew: Crew, helm: dict[str, Any]) -> None:
    hook, other = await incoming(crew, helm["id"]), await incoming(crew, helm["id"])
    statuses = [(await posted_to(crew.house, f"/hooks/{hook['id']}", {"text": "x"})).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert (await posted_to(crew.house, f"/hooks/{other['id']}", {"text": "x"})).status == 200


@pytest.mark.manor(config={"plugins": {"chat": {"incoming_webhooks": False}}})
async def test_hooks_that_are_switched_off_neither_post_nor_are_made(crew: Crew, helm: dict[str, Any]) -> None:
    answer = await posted_to(crew.house, f"/hooks/{NONE}", {"text": "x"})
    assert refused(answer) == (501, "web.incoming_webhook.disabled.app_error")
    made_ = await crew.ann.client.post(f"{API}/hooks/incoming", json={"channel_id": helm["id"]})
    assert refused(made_) == (501, "api.incoming_webhook.disabled.app_error")


async def test_logs_show_no_hook(house: House) -> None:
    for method, path, shown in (
        ("POST", f"/hooks/{NONE}", "/hooks/..."),
        ("GET", f"/hooks/{NONE}", "/hooks/..."),
        ("POST", f"/hooks/commands/{NONE}", "/hooks/..."),
        ("GET", f"{API}/hooks/incoming/{NONE}", f"{API}/hooks/incoming/..."),
        ("DELETE", f"/api/v4//hooks/incoming/{NONE}", f"{API}/hooks/incoming/..."),
        ("GET", f"{API}/hooks/incoming", f"{API}/hooks/incoming"),
        ("GET", f"{API}/hooks/outgoing", f"{API}/hooks/outgoing"),
    ):
        head = Head(method=method, raw_path=path.encode(), query_string=b"", headers=Headers([]), address="127.0.0.1")
        assert house.dispatcher.begin(head).shown_path == shown
