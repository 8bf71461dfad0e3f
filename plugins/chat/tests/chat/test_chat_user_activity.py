"""Who is typing, and somebody's part in all channels."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import asdict, replace
from sqlalchemy import delete, insert

from manor import Head, Stream, Transaction, new_id, to_chat_id
from manor.testing import House
from manor_chat.store.channels import ChannelMember, add_members
from manor_chat.tables.channels import channel_members, channels
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


async def test_who_leaves_a_channel_meanwhile_misses_no_other(house: House, crew: Crew) -> None:
    def work(transaction: Transaction) -> None:
        made = [replace(crew.off_topic, id=new_id(), name=f"more-{number}") for number in range(600)]
        transaction.connection.execute(insert(channels), [asdict(each) for each in made])
        bob: Any = {"user_id": crew.bob.id, "joined_at": 0, "last_update_at": 0}
        add_members(transaction, [ChannelMember(channel_id=each.id, **bob) for each in made])

    await house.storage.write(work)
    head = Head("GET", f"{API}/users/me/channel_members".encode(), query_string=b"page=-1")
    call = house.dispatcher.begin(head, crew.bob.client.principals)
    assert await call.admit() is None
    stream = await call.answer(b"")
    assert isinstance(stream, Stream)
    ids: list[str] = []

    async def write(data: bytes) -> None:
        if not ids:
            await house.storage.write(lambda transaction: transaction.connection.execute(leaving))
        ids.extend(json.loads(line)["channel_id"] for line in data.splitlines())

    theirs = channel_members.c.user_id == crew.bob.id
    leaving = delete(channel_members).where(theirs, channel_members.c.channel_id == crew.town_square.id)
    await stream.run(write)

    assert len(ids) == len(set(ids)) == 602
