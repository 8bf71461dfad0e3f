"""Who is typing, and somebody's part in all channels."""

from __future__ import annotations

import json

from manor import (
    to_chat_id,
)
from manor.testing import House
from tests.chat_live import listening
from tests.chat_people import API, Crew, chatting_as
from tests.chat_sign_in import told_id

BAD_BODY = (400, "api.context.invalid_body_param.app_error")
FORBIDDEN = (403, "api.context.permissions.app_error")


async def test_typing_is_told_to_the_others_of_the_channel(crew: Crew) -> None:
    channel = to_chat_id(crew.off_topic.id)

    async with listening(crew.bob.client) as bob:
        answer = await crew.ann.client.post(f"{API}/users/me/typing", json={"channel_id": channel, "parent_id": None})
        event = await bob.event("typing")

    assert answer.json() == {"status": "OK"}
    assert event["broadcast"]["channel_id"] == channel
    assert event["broadcast"]["omit_users"] == {crew.ann.chat_id: True}
    assert event["data"] == {"user_id": crew.ann.chat_id, "parent_id": ""}
    for who, body, refusal in (
        (crew.bob.chat_id, {"channel_id": channel}, FORBIDDEN),
        ("me", {"channel_id": "x"}, BAD_BODY),
        ("me", {}, BAD_BODY),
        ("me", {"channel_id": channel, "parent_id": "x"}, BAD_BODY),
        ("me", {"channel_id": "y" * 26}, (404, "app.channel.get.existing.app_error")),
    ):
        assert told_id(await crew.ann.client.post(f"{API}/users/{who}/typing", json=body)) == refusal
    assert told_id(await crew.eve.client.post(f"{API}/users/me/typing", json={"channel_id": channel})) == FORBIDDEN


async def test_somebodys_channels_come_by_pages_or_all_at_once(house: House, crew: Crew) -> None:
    bob = crew.bob.client
    path = f"{API}/users/me/channel_members"

    first = (await bob.get(f"{path}?pageSize=1")).json()
    second = (await bob.get(f"{path}?pageSize=1&page=1")).json()
    every = await bob.get(f"{path}?page=-1")

    assert every.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in every.text.splitlines()] == first + second
    assert {each["channel_id"] for each in first + second} == {
        to_chat_id(crew.town_square.id),
        to_chat_id(crew.off_topic.id),
    }
    assert (first[0]["team_name"], first[0]["team_display_name"]) == ("crew", "Crew")
    assert told_id(await crew.ann.client.get(f"{API}/users/{crew.bob.chat_id}/channel_members?page=-1")) == FORBIDDEN
    nothing = await chatting_as(house, crew.eve.id).get(f"{path}?page=-1")
    assert (nothing.headers["content-type"], nothing.json()) == ("application/json", [])
