"""Buttons and menus of posts: what the program behind them is asked, and what it makes of it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import trio

from manor import Event, from_chat_id, to_chat_id
from manor.testing import House
from tests.chat_channels import refused, told
from tests.chat_integrations import LOOPBACK, command, incoming, posted_to, posts_in, says, says_text, typed
from tests.chat_people import API, Chatter, Crew
from tests.webhook_receiver import answer, open_receiver

ASKED = {
    "user_id", "user_name", "channel_id", "channel_name", "team_id", "team_domain", "post_id", "trigger_id", "type",
    "data_source", "context",
}  # fmt: skip
NONE = "y" * 26
NO_ACTION = (404, "api.post.do_action.action_id.app_error")
FAILED = (400, "api.post.do_action.action_integration.app_error")

pytestmark = pytest.mark.manor(config=LOOPBACK)


@pytest.fixture
async def helm(crew: Crew, helm: dict[str, Any]) -> dict[str, Any]:
    await crew.bob.client.post(f"{API}/channels/{helm['id']}/members", json={"user_id": "me"})
    return helm


def buttons(url: str) -> list[dict[str, Any]]:
    integration = {"url": url, "context": {"secret": "s"}}
    return [
        {
            "text": "Well?",
            "actions": [
                {"id": "yes", "name": "Yes", "type": "button", "integration": integration},
                {"name": "Which", "type": "select", "data_source": "users", "integration": integration},
                {"id": "nowhere", "name": "Nowhere", "type": "button"},
                {"id": "odd", "integration": {"url": 5}},
                "junk",
            ],
        }
    ]


async def post_with_buttons(crew: Crew, channel: dict[str, Any], url: str) -> str:
    hook = await incoming(crew, channel["id"], username="robot")
    sent = {"text": "A question", "attachments": buttons(url), "props": {"mine": 1}}
    assert (await posted_to(crew.house, f"/hooks/{hook['id']}", sent)).status == 200
    return to_chat_id((await posts_in(crew.house, channel["id"]))[0]["id"])


async def press(who: Chatter, post_id: str, action_id: str, **body: Any) -> Any:
    return await who.client.post(f"{API}/posts/{post_id}/actions/{action_id}", json=body)


async def test_a_button_asks_the_program_behind_it(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver(says({})) as receiver:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        answered = await press(crew.bob, post_id, "yes")
        asked = (await receiver.next()).data

    assert asked.keys() == ASKED
    assert (asked["user_name"], asked["channel_name"], asked["team_domain"]) == ("bob", "helm", "crew")
    assert (asked["post_id"], asked["type"], asked["context"]) == (post_id, "button", {"secret": "s"})
    assert answered.status == 200
    assert answered.json().keys() == {"status", "trigger_id"}
    assert len(answered.json()["trigger_id"]) == 26
    assert asked["trigger_id"] not in answered.text


async def test_buttons_lead_where_they_led_after_an_edit_by_who_never_saw_where(
    crew: Crew, helm: dict[str, Any]
) -> None:
    async with open_receiver(says({})) as receiver:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        post = (await crew.ann.client.get(f"{API}/posts/{post_id}")).json()
        (attachment,) = post["props"]["attachments"]
        assert all("integration" not in each for each in attachment["actions"] if isinstance(each, dict))
        attachment["text"] = "Well then?"
        attachment["actions"].append({"id": "new", "name": "New", "type": "button"})
        changed = await crew.ann.client.put(f"{API}/posts/{post_id}/patch", json={"props": post["props"]})
        assert changed.status == 200
        assert "integration" not in changed.text

        assert (await press(crew.bob, post_id, "yes")).status == 200
        assert (await receiver.next()).data["context"] == {"secret": "s"}
        assert refused(await press(crew.bob, post_id, "nowhere")) == NO_ACTION
        assert refused(await press(crew.bob, post_id, "new")) == NO_ACTION

        await crew.ann.client.put(f"{API}/posts/{post_id}/patch", json={"props": {"attachments": [{"text": "x"}]}})
        await crew.ann.client.put(f"{API}/posts/{post_id}/patch", json={"props": post["props"]})
        assert refused(await press(crew.bob, post_id, "yes")) == NO_ACTION


async def test_a_menu_says_what_was_chosen(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver() as receiver:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        post = (await crew.bob.client.get(f"{API}/posts/{post_id}")).json()
        actions = post["props"]["attachments"][0]["actions"]
        assert all("integration" not in action for action in actions if isinstance(action, dict))
        await press(crew.bob, post_id, actions[1]["id"], selected_option=crew.ann.chat_id)
        asked = (await receiver.next()).data
    assert (asked["type"], asked["data_source"]) == ("select", "users")
    assert asked["context"] == {"secret": "s", "selected_option": crew.ann.chat_id}


async def test_the_program_changes_the_post_and_tells_who_pressed(
    crew: Crew, helm: dict[str, Any], heard: list[Event]
) -> None:
    said = {
        "update": {"message": "Answered #yes", "props": {"from_bot": "true", "override_username": "ann"}},
        "ephemeral_text": "Thank you, <https://example.org|friend>",
    }
    async with open_receiver(says(said)) as receiver:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        assert (await press(crew.bob, post_id, "yes")).status == 200

    post = (await crew.bob.client.get(f"{API}/posts/{post_id}")).json()
    assert (post["message"], post["hashtags"]) == ("Answered #yes", "#yes")
    assert post["props"] == {"from_webhook": "true", "override_username": "robot", "webhook_display_name": "Alarm"}
    assert told(heard, "post_edited")[0][1]["post"]["id"] == post_id
    ((event, data),) = told(heard, "ephemeral_message")
    assert (event.user_id, data["post"]["root_id"]) == (crew.bob.id, post_id)
    assert data["post"]["message"] == "Thank you, [friend](https://example.org)"


async def test_a_post_that_is_changed_without_props_keeps_its_own(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver(says({"update": {"message": "Still open"}}), says({})) as receiver:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        assert (await press(crew.bob, post_id, "yes")).status == 200
        await receiver.next()
        assert (await press(crew.bob, post_id, "yes")).status == 200
        assert (await receiver.next()).data["context"] == {"secret": "s"}
    assert (await posts_in(crew.house, helm["id"]))[0]["props"]["mine"] == 1


NO_ANSWERS = [
    answer("500 Oops"),
    b"",
    says_text("thanks"),
    says({"update": 5}),
    says({"ephemeral_text": []}),
    answer("200 OK", "", b"\xff"),
]


async def test_what_is_no_answer_fails_and_changes_nothing(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver(*NO_ANSWERS) as receiver:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        for said in NO_ANSWERS:
            assert refused(await press(crew.bob, post_id, "yes")) == FAILED, said
    assert (await posts_in(crew.house, helm["id"]))[0]["message"] == "A question"


async def test_a_post_does_not_grow_too_long(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver(says({"update": {"message": "x" * 16_384}})) as receiver:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        assert refused(await press(crew.bob, post_id, "yes")) == (400, "model.post.is_valid.msg.app_error")


async def test_buttons_are_pressed_by_those_who_read_them(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver() as receiver:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        assert (await press(crew.eve, post_id, "yes")).status == 403
        for action_id in ("no", "nowhere", "odd"):
            assert refused(await press(crew.bob, post_id, action_id)) == NO_ACTION
        assert (await press(crew.bob, NONE, "yes")).status == 404
        assert (await press(crew.bob, "short", "yes")).status == 400
        assert (await press(crew.bob, post_id, "yes", selected_option=5)).status == 400
        assert receiver.came == 0


@pytest.mark.manor(config={})
async def test_a_private_address_is_not_asked_unless_the_admin_allows_it(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver() as receiver:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        assert refused(await press(crew.bob, post_id, "yes")) == FAILED
        assert receiver.came == 0


async def test_one_person_keeps_five_programs_busy(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver(*[None] * 5) as receiver, trio.open_nursery() as nursery:
        post_id = await post_with_buttons(crew, helm, receiver.url)
        for _ in range(5):
            nursery.start_soon(press, crew.bob, post_id, "yes")
            await receiver.next()
        assert (await press(crew.bob, post_id, "yes")).status == 429
        receiver.answers.append(says({}))
        assert (await press(crew.ann, post_id, "yes")).status == 200
        nursery.cancel_scope.cancel()


# --- On posts that nobody keeps ------------------------------------------------------------------------------------


async def test_buttons_that_would_each_carry_much_are_shown_to_nobody(
    crew: Crew, helm: dict[str, Any], heard: list[Event]
) -> None:
    async with open_receiver() as receiver:
        leads = {"integration": {"url": receiver.url}}
        many = {"text": "Sure?", "props": {"p": "x" * 20_000}, "attachments": [{"actions": [leads] * 41}]}
        receiver.answers += [says(many), says({**many, "attachments": [{"actions": [leads] * 3}]})]
        await command(crew, receiver.url)
        for told_of in ("do not fit", "Sure?"):
            assert told_of in (await typed(crew.ann, helm["id"], "/weather")).json()["text"]
            await receiver.next()
            assert told_of in told(heard, "ephemeral_message")[-1][1]["post"]["message"]


async def test_a_button_that_one_person_sees_works_for_them_alone(
    crew: Crew, helm: dict[str, Any], heard: list[Event]
) -> None:
    async with open_receiver() as receiver:
        receiver.answers += [says({"text": "Sure?", "attachments": buttons(receiver.url)})]
        await command(crew, receiver.url)
        answered = await typed(crew.ann, helm["id"], "/weather")
        assert "integration" not in answered.json()["attachments"][0]["actions"][0]
        await receiver.next()
        post = told(heard, "ephemeral_message")[0][1]["post"]
        action = post["props"]["attachments"][0]["actions"][0]
        assert "integration" not in action
        assert "secret" not in action["cookie"]

        cookie = action["cookie"]
        assert refused(await press(crew.bob, post["id"], "yes", cookie=cookie)) == FAILED
        assert refused(await press(crew.ann, post["id"], "no", cookie=cookie)) == FAILED
        assert (await press(crew.ann, NONE, "yes", cookie=cookie)).status == 404
        for junk in ("x", "é", cookie[:-4], "A" * 100):
            assert refused(await press(crew.ann, post["id"], "yes", cookie=junk)) == FAILED
        assert (await press(crew.ann, post["id"], "yes")).status == 404
        assert receiver.came == 1

        receiver.answers += [says({"update": {"message": "Sure."}})]
        assert (await press(crew.ann, post["id"], "yes", cookie=cookie)).status == 200
        asked = (await receiver.next()).data
        assert (asked["post_id"], asked["context"]) == (post["id"], {"secret": "s"})

    ((event, data),) = told(heard, "post_edited")
    assert (event.user_id, event.channel_id) == (crew.ann.id, from_chat_id(helm["id"]))
    assert (data["post"]["id"], data["post"]["message"]) == (post["id"], "Sure.")
    assert await posts_in(crew.house, helm["id"]) == []


async def test_the_key_is_its_owners_alone(house: House, tmp_path: Path) -> None:
    (key,) = tmp_path.rglob("integrations.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32
