"""Dialogs: who may show one to whom, and what becomes of what is filled in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from manor import Event
from manor.testing import Answer, Client, House, SetClock
from manor_chat.events import Told
from tests.chat_channels import refused
from tests.chat_integrations import LOOPBACK, command, fields_of, says, says_text, typed
from tests.chat_people import API, Crew
from tests.webhook_receiver import answer, open_receiver

URL = "https://example.org/filled"
DIALOG = {
    "callback_id": "c",
    "title": "Weather",
    "elements": [{"display_name": "Town", "name": "town", "type": "text", "optional": True}],
    "submit_label": "Send",
    "notify_on_cancel": True,
    "state": "s",
}
EXPIRED = (400, "interactive_message.decode_trigger_id.expired")
FAILED = (400, "app.submit_interactive_dialog.json_error")

pytestmark = pytest.mark.manor(config=LOOPBACK)


async def triggered(crew: Crew, helm: dict[str, Any]) -> tuple[str, str]:
    """Ann typed a command: the trigger id as the program has it, and as her client has it."""
    async with open_receiver(says({})) as receiver:
        await command(crew, receiver.url)
        answered = await typed(crew.ann, helm["id"], "/weather")
        return fields_of(await receiver.next())["trigger_id"], answered.json()["trigger_id"]


async def opened(house: House, trigger_id: str, **change: Any) -> Answer:
    body = {"trigger_id": trigger_id, "url": URL, "dialog": DIALOG, **change}
    return await Client(house.dispatcher).post(f"{API}/actions/dialogs/open", json=body)


async def test_a_dialog_is_shown_to_whoever_typed(crew: Crew, helm: dict[str, Any], heard: list[Event]) -> None:
    trigger_id, client_trigger_id = await triggered(crew, helm)
    answered = await opened(crew.house, trigger_id)
    assert (answered.status, answered.json()) == (200, {"status": "OK"})

    shown = [event for event in heard if isinstance(event, Told) and event.event in ("open_dialog", "dialog_opened")]
    assert [event.event for event in shown] == ["open_dialog", "dialog_opened"]
    assert {event.user_id for event in shown} == {crew.ann.id}
    assert shown[0].data == shown[1].data
    told = msgspec.json.decode(msgspec.json.decode(shown[0].data)["dialog"])
    assert (told["trigger_id"], told["url"]) == (client_trigger_id, URL)
    assert told["dialog"] == {**DIALOG, "introduction_text": "", "icon_url": ""}


async def test_a_trigger_id_is_good_for_ten_seconds(crew: Crew, helm: dict[str, Any], clock: SetClock) -> None:
    trigger_id, _ = await triggered(crew, helm)
    clock.set(clock.now() + timedelta(seconds=10))
    assert (await opened(crew.house, trigger_id)).status == 200
    clock.set(clock.now() + timedelta(milliseconds=1))
    assert refused(await opened(crew.house, trigger_id)) == EXPIRED


NOT_OURS = ["", "x", "YTpiOmM6ZA==", "é"]


async def test_a_trigger_id_that_was_not_made_here_shows_nothing(crew: Crew, heard: list[Event]) -> None:
    for trigger_id in NOT_OURS:
        status, code = refused(await opened(crew.house, trigger_id))
        assert status == 400
        assert code.startswith("interactive_message.decode_trigger_id.")
    assert not [event for event in heard if isinstance(event, Told) and event.event == "open_dialog"]


NO_DIALOGS: list[dict[str, Any]] = [
    {"url": ""},
    {"url": "javascript:x"},
    {"dialog": {}},
    {"dialog": {"title": "x" * 65}},
    {"dialog": {"title": "x", "elements": [{}] * 51}},
    {"dialog": {"title": "x", "elements": ["x"]}},
    {"dialog": 5},
]


async def test_what_is_no_dialog_is_not_shown(crew: Crew, helm: dict[str, Any]) -> None:
    trigger_id, _ = await triggered(crew, helm)
    for change in NO_DIALOGS:
        answered = await opened(crew.house, trigger_id, **change)
        assert refused(answered) == (400, "api.context.invalid_body_param.app_error"), change


# --- What is filled in ---------------------------------------------------------------------------------------------


def filled(crew: Crew, helm: dict[str, Any], url: str, **change: Any) -> dict[str, Any]:
    return {
        "url": url,
        "callback_id": "c",
        "state": "s",
        "channel_id": helm["id"],
        "team_id": crew.team,
        "submission": {"town": "Rome", "warm": True, "days": 3},
        "cancelled": False,
        **change,
    }


async def test_what_is_filled_in_reaches_the_program(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver(answer("200 OK")) as receiver:
        body = filled(crew, helm, receiver.url, user_id=crew.bob.chat_id)
        answered = await crew.ann.client.post(f"{API}/actions/dialogs/submit", json=body)
        came = (await receiver.next()).data
    assert (answered.status, answered.json()) == (200, {})
    assert came == {
        "type": "dialog_submission",
        "url": body["url"],
        "callback_id": "c",
        "state": "s",
        "user_id": crew.ann.chat_id,
        "channel_id": helm["id"],
        "team_id": crew.team,
        "submission": {"town": "Rome", "warm": True, "days": 3},
        "cancelled": False,
    }


@pytest.mark.parametrize("said", [{"error": "closed"}, {"errors": {"town": "unknown"}}])
async def test_what_is_wrong_with_it_comes_back(crew: Crew, helm: dict[str, Any], said: dict[str, Any]) -> None:
    async with open_receiver(says(said)) as receiver:
        body = filled(crew, helm, receiver.url)
        assert (await crew.ann.client.post(f"{API}/actions/dialogs/submit", json=body)).json() == said


NO_ANSWERS = [answer("500 Oops"), b"", says_text("ok"), says({"errors": [1]})]


async def test_what_is_no_answer_fails(crew: Crew, helm: dict[str, Any]) -> None:
    async with open_receiver(*NO_ANSWERS) as receiver:
        body = filled(crew, helm, receiver.url)
        for said in NO_ANSWERS:
            answered = await crew.ann.client.post(f"{API}/actions/dialogs/submit", json=body)
            assert refused(answered) == FAILED, said


async def test_dialogs_are_filled_in_by_those_who_are_there(crew: Crew, helm: dict[str, Any]) -> None:
    path = f"{API}/actions/dialogs/submit"
    async with open_receiver() as receiver:
        body = filled(crew, helm, receiver.url)
        assert (await crew.eve.client.post(path, json=body)).status == 403
        assert (await crew.ann.client.post(path, json={**body, "channel_id": ""})).status == 400
        assert (await crew.ann.client.post(path, json={**body, "url": ""})).status == 400
        assert (await crew.ann.client.post(path, json={**body, "submission": []})).status == 400
        assert (await Client(crew.house.dispatcher).post(path, json=body)).status == 401
        assert receiver.came == 0
