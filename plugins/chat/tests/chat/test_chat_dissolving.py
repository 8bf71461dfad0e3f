"""A team that is deleted: nothing of it is left in chat, and nobody is in it any more."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any
from uuid import UUID

import msgspec
import pytest
import trio.testing
from sqlalchemy import LargeBinary, cast, func, select, text

import manor_chat.tables
from manor import Event, Transaction, create_team, delete_team
from manor.testing import House
from manor_chat.events import ChannelMemberChanged, Told
from manor_chat.tables.meta import metadata
from manor_chat.teams.keeping import keep_team
from tests.chat_people import API, Crew, said


def left_of(transaction: Transaction, team_id: UUID, channel_ids: list[UUID]) -> dict[str, int]:
    """Rows that name the team or one of its channels, by table."""
    for module in pkgutil.iter_modules(manor_chat.tables.__path__):
        import_module(f"manor_chat.tables.{module.name}")
    found = {}
    for table in metadata.sorted_tables:
        names = {"team_id": [team_id], "channel_id": channel_ids}
        wanted = [(table.c[name], ids) for name, ids in names.items() if name in table.c]
        for column, ids in wanted:
            query = select(func.count()).select_from(table).where(cast(column, LargeBinary).in_([i.bytes for i in ids]))
            found[f"{table.name}.{column.name}"] = transaction.connection.execute(query).scalar_one()
    return {name: count for name, count in found.items() if count}


@pytest.mark.parametrize("batch", [500, 2])
async def test_nothing_of_a_deleted_team_is_left(
    house: House, crew: Crew, heard: list[Event], monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr("manor_chat.teams.dissolving.BATCH", batch)
    channel = (await crew.ann.client.get(f"{API}/teams/{crew.team}/channels/name/off-topic")).json()["id"]
    root = await said(house, crew.ann, crew.off_topic, "A root")
    for number in range(3):
        body = {"channel_id": channel, "message": f"reply {number}", "root_id": root}
        assert (await crew.bob.client.post(f"{API}/posts", json=body)).status == 201
    reaction = {"user_id": crew.bob.chat_id, "post_id": root, "emoji_name": "smile"}
    assert (await crew.bob.client.post(f"{API}/reactions", json=reaction)).status in (200, 201)
    draft = {"user_id": crew.bob.chat_id, "channel_id": channel, "message": "later"}
    assert (await crew.bob.client.post(f"{API}/drafts", json=draft)).status == 201
    hook = {"channel_id": channel, "display_name": "h"}
    assert (await crew.ann.client.post(f"{API}/hooks/incoming", json=hook)).status == 201
    uploaded = await crew.bob.client.post(f"{API}/files?channel_id={channel}&filename=a.txt", body=b"words")
    assert uploaded.status == 201
    ids = [crew.town_square.id, crew.off_topic.id]
    assert await house.storage.read(lambda transaction: left_of(transaction, crew.team_id, ids))
    heard.clear()

    await house.storage.write(lambda transaction: delete_team(transaction, crew.team_id))
    await trio.testing.wait_all_tasks_blocked()

    assert await house.storage.read(lambda transaction: left_of(transaction, crew.team_id, ids)) == {}
    left = [msgspec.json.decode(e.data) for e in heard if isinstance(e, Told) and e.event == "leave_team"]
    assert {each["user_id"] for each in left} == {crew.ann.chat_id, crew.bob.chat_id}
    gone = [event for event in heard if isinstance(event, ChannelMemberChanged)]
    assert {(event.user_id, event.is_member) for event in gone} == {(crew.ann.id, False), (crew.bob.id, False)}
    assert (await crew.bob.client.get(f"{API}/channels/{channel}")).status == 404
    assert (await crew.bob.client.get(f"{API}/posts/{root}")).status == 404


async def test_other_teams_stay_as_they_are(house: House, crew: Crew) -> None:
    def make(transaction: Transaction) -> Any:
        other = create_team(transaction, crew.ann.id, name="other", display_name="Other")
        keep_team(transaction, other.id)
        return other.id

    other = await house.storage.write(make)
    before = await house.storage.read(lambda transaction: counts(transaction))

    await house.storage.write(lambda transaction: delete_team(transaction, other))
    await trio.testing.wait_all_tasks_blocked()

    after = await house.storage.read(lambda transaction: counts(transaction))
    assert before["chat_channels"] == after["chat_channels"] + 2
    assert after["chat_channel_members"] == 4


def counts(transaction: Transaction) -> dict[str, int]:
    tables = ("chat_channels", "chat_channel_members", "chat_posts", "chat_teams")
    return {name: transaction.connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}
