"""What people are given of what they have in chat, and that nothing of it is left when they go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import trio
from sqlalchemy import insert, text

from manor import Transaction, from_chat_id
from manor.testing import House, SetClock
from manor_chat.tables.integrations import incoming_hooks
from manor_chat.tables.oauth import oauth_apps, oauth_codes, oauth_grants
from manor_chat.tables.personal import statuses
from tests.chat_people import API, Crew, said

WORDS = (b"marzipan", b"nougat", b"praline", b"fondant", b"toffee", b"caramel", b"liquorice", b"gingerbread")
"""Each stands in something of Bob's."""


async def exported(house: House, user_id: UUID) -> dict[str, Any]:
    """A person's export, read as a client reads it."""
    pieces = house.services.identity.personal.export_json(user_id, head={})
    whole: dict[str, Any] = json.loads(b"".join([piece async for piece in pieces]))
    return whole


async def erased(house: House, user_id: UUID) -> None:
    """Erase somebody, and wait until the job says that it is done."""
    personal = house.services.identity.personal
    await house.storage.write(lambda transaction: personal.erase(transaction, user_id, actor="shell"))
    while await personal.is_erasing(user_id):  # noqa: ASYNC110 - nothing rings when it is over
        await trio.sleep(0.1)


def held(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Words that stand in one of the database's files."""
    for file in sorted(folder.glob("manor.db*")):
        content = file.read_bytes().lower()
        yield from ((file.name, word) for word in WORDS if word in content)


async def rows(house: House, sql: str) -> list[Any]:
    return await house.storage.read(lambda transaction: list(transaction.connection.execute(text(sql))))


async def holding(house: House, user_id: UUID) -> list[str]:
    """Columns of chat's tables that have somebody's id."""

    def work(transaction: Transaction) -> list[str]:
        found = []
        names = transaction.connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'chat_%' AND sql LIKE 'CREATE T%'")
        ).scalars()
        for table in list(names):
            for column in transaction.connection.execute(text(f"PRAGMA table_info({table})")).all():
                sql = text(f"SELECT 1 FROM {table} WHERE {column.name} = :id LIMIT 1")
                if transaction.connection.execute(sql, {"id": user_id.bytes}).first() is not None:
                    found.append(f"{table}.{column.name}")
        return found

    return await house.storage.read(work)


async def furnished(house: House, crew: Crew, clock: SetClock) -> dict[str, str]:
    """Bob has a bit of everything; ids of posts by what they are."""
    bob, ann, client = crew.bob, crew.ann, crew.bob.client
    channel = crew.off_topic
    posts = {
        "alone": await said(house, bob, channel, "marzipan #marzipan"),
        "answered": await said(house, bob, channel, "a nougat question"),
        "hers": await said(house, ann, channel, "an open question"),
    }
    posts["answer"] = await said(house, ann, channel, "an answer", root_id=from_chat_id(posts["answered"]))
    # What comes now is newer than all that Ann has looked at.
    clock.set(clock.now() + timedelta(minutes=1))
    posts["reply"] = await said(house, bob, channel, "praline reply", root_id=from_chat_id(posts["hers"]))
    posts["deleted"] = await said(house, bob, channel, "fondant deleted")
    await client.delete(f"{API}/posts/{posts['deleted']}")
    posts["edited"] = await said(house, bob, channel, "toffee before")
    await client.put(f"{API}/posts/{posts['edited']}/patch", json={"message": "caramel after"})
    reaction = {"user_id": bob.chat_id, "post_id": posts["hers"], "emoji_name": "+1"}
    assert (await client.post(f"{API}/reactions", json=reaction)).status == 200
    direct = (await client.post(f"{API}/channels/direct", json=[bob.chat_id, ann.chat_id])).json()["id"]
    for message, who in (("liquorice whisper", client), ("her whisper", ann.client)):
        assert (await who.post(f"{API}/posts", json={"channel_id": direct, "message": message})).status == 201
    preference = {"user_id": bob.chat_id, "category": "display_settings", "name": "x", "value": "gingerbread"}
    assert (await client.put(f"{API}/users/{bob.chat_id}/preferences", json=[preference])).status == 200
    draft = {"user_id": bob.chat_id, "channel_id": direct, "message": "marzipan draft"}
    assert (await client.post(f"{API}/drafts", json=draft)).status in (200, 201)
    await client.put(f"{API}/users/{bob.chat_id}/patch", json={"nickname": "nougat"})

    def hook(transaction: Transaction) -> None:
        values = {"user_id": bob.id, "channel_id": channel.id, "team_id": crew.team_id, "channel_locked": False}
        texts = dict.fromkeys(("display_name", "description", "username", "icon_url"), "praline hook")
        ids = {"id": from_chat_id(posts["alone"]), "create_at": 1, "update_at": 1}
        transaction.connection.execute(insert(incoming_hooks).values(**values, **texts, **ids))
        app: dict[str, Any] = dict.fromkeys(("name", "description", "icon_url", "homepage"), "fondant app") | {
            "callback_urls": []
        }
        about = {"creator_id": bob.id, "is_trusted": False, "secret_hash": bytes(32)}
        transaction.connection.execute(insert(oauth_apps).values(**app, **about, **ids))
        granted = {"user_id": bob.id, "app_id": ids["id"], "scope": "toffee"}
        transaction.connection.execute(insert(oauth_grants).values(**granted, create_at=1))
        code = granted | {"hash": bytes(32), "redirect_uri": "", "code_challenge": "", "expires_at": 1, "used_at": 0}
        transaction.connection.execute(insert(oauth_codes).values(**code))
        status = {"user_id": bob.id, "status": "dnd", "manual": True, "last_activity_at": 1, "dnd_end_time": 0}
        transaction.connection.execute(insert(statuses).values(**status, prev_status=""))

    await house.storage.write(hook)
    return posts


async def test_an_export_has_all_of_it_and_no_secret(house: House, crew: Crew, clock: SetClock) -> None:
    posts = await furnished(house, crew, clock)

    data = await exported(house, crew.bob.id)

    messages = {row["message"] for row in data["chat_posts"]}
    assert {"marzipan #marzipan", "a nougat question", "praline reply", "liquorice whisper"} <= messages
    assert {"toffee before", "caramel after", "fondant deleted"} <= messages
    assert not {"an open question", "her whisper"} & messages
    assert [row["post_id"] for row in data["chat_reactions"]] == [posts["hers"]]
    assert [row["message"] for row in data["chat_drafts"]] == ["marzipan draft"]
    assert "gingerbread" in [row["value"] for row in data["chat_preferences"]]
    assert len(data["chat_memberships"]) == 3
    assert {row["root_id"] for row in data["chat_threads"]} == {posts["hers"], posts["answered"]}
    (hook,) = data["chat_incoming_webhooks"]
    assert (hook["display_name"], "id" in hook) == ("praline hook", False)
    (app,) = data["chat_oauth_apps"]
    assert (app["name"], "secret_hash" in app) == ("fondant app", False)
    assert len(data["chat_oauth_grants"]) == 1
    assert data["chat_profile"][0]["nickname"] == "nougat"


async def test_nothing_is_left_of_somebody_who_is_erased(house: House, crew: Crew, clock: SetClock) -> None:
    posts = await furnished(house, crew, clock)
    search = f"{API}/teams/{crew.team}/posts/search"
    found = await crew.ann.client.post(search, json={"terms": "caramel"})
    assert found.json()["order"] == [posts["edited"]]

    await erased(house, crew.bob.id)

    assert await holding(house, crew.bob.id) == []
    assert list(held(house.storage.path.parent)) == []
    assert await rows(house, "SELECT 1 FROM chat_search_changes") == []
    for word in WORDS:
        answer = await crew.ann.client.post(search, json={"terms": word.decode()})
        assert answer.json()["order"] == []


async def test_what_others_wrote_stays_and_is_counted_right(house: House, crew: Crew, clock: SetClock) -> None:
    posts = await furnished(house, crew, clock)
    await erased(house, crew.bob.id)

    thread = (await crew.ann.client.get(f"{API}/posts/{posts['answered']}/thread")).json()
    assert [thread["posts"][each]["message"] for each in (posts["answered"], posts["answer"])] == [
        "(erased)",
        "an answer",
    ]
    hers = (await crew.ann.client.get(f"{API}/posts/{posts['hers']}")).json()
    assert (hers["message"], hers["reply_count"], hers.get("has_reactions", False)) == ("an open question", 0, False)
    assert (await crew.ann.client.get(f"{API}/posts/{posts['alone']}")).status == 404
    counted = (
        "SELECT message FROM chat_posts r WHERE root_id IS NULL "
        "AND reply_count <> (SELECT count(*) FROM chat_posts p WHERE p.root_id = r.id)"
    )
    assert await rows(house, counted) == []
    whispers = await rows(house, "SELECT message FROM chat_posts WHERE message LIKE '% whisper'")
    assert [row.message for row in whispers] == ["her whisper"]
    unread = (
        "SELECT c.name FROM chat_channel_members m JOIN chat_channels c ON c.id = m.channel_id "
        "WHERE (total_msg_count, total_msg_count_root) <> (msg_count, msg_count_root)"
    )
    assert await rows(house, unread) == []


async def test_a_person_of_many_posts_goes_in_batches(house: House, crew: Crew) -> None:
    for number in range(120):
        await said(house, crew.bob, crew.off_topic, f"toffee number{number}")

    await erased(house, crew.bob.id)

    assert await holding(house, crew.bob.id) == []
    assert list(held(house.storage.path.parent)) == []
