"""Reacting to posts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import insert

from manor import Event, Transaction, new_id
from manor.testing import Answer, House, SetClock
from manor_chat.domain.emoji_names import is_built_in
from manor_chat.tables.emoji import emojis
from tests.chat_people import API, Chatter, Crew
from tests.chat_posts import Desk


@pytest.fixture
async def desk(house: House, clock: SetClock, heard: list[Event]) -> Desk:
    return Desk(house, await Crew.gather(house), clock, heard)


async def react(desk: Desk, who: Chatter, post: dict[str, Any], name: str, **more: Any) -> Answer:
    desk.wait()
    body = {"user_id": who.chat_id, "post_id": post["id"], "emoji_name": name}
    return await who.client.post(f"{API}/reactions", json=body | more)


async def test_a_reaction_is_told_and_shown_with_its_post(desk: Desk) -> None:
    crew, post = desk.crew, await desk.post(desk.crew.ann)
    answer = await react(desk, crew.bob, post, "+1")
    now = desk.wait(0)
    reaction = {
        "user_id": crew.bob.chat_id,
        "post_id": post["id"],
        "emoji_name": "+1",
        "create_at": now,
        "update_at": now,
        "delete_at": 0,
        "remote_id": "",
        "channel_id": desk.channel,
    }
    assert (answer.status, answer.json()) == (200, reaction)
    assert json.loads(desk.data("reaction_added")["reaction"]) == reaction
    shown = await desk.get(crew.ann, f"/posts/{post['id']}")
    assert (shown["has_reactions"], shown["update_at"]) == (True, now)
    assert shown["metadata"]["reactions"] == [reaction]
    # A driver writes the address so.
    assert await desk.get(crew.ann, f"/posts/{post['id']}//reactions") == [reaction]

    assert (await react(desk, crew.bob, post, "+1")).json() == reaction
    assert len(desk.told("reaction_added")) == 1


async def test_a_reaction_is_taken_back(desk: Desk) -> None:
    crew, post = desk.crew, await desk.post(desk.crew.ann)
    await react(desk, crew.bob, post, "smile")
    await react(desk, crew.ann, post, "tada")
    mine = f"/users/{crew.bob.chat_id}/posts/{post['id']}/reactions/smile"
    assert (await crew.ann.client.delete(API + mine)).status == 403
    for _ in range(2):
        assert await desk.do(crew.bob, "DELETE", mine) == {"status": "OK"}
    assert len(desk.told("reaction_removed")) == 1
    assert json.loads(desk.data("reaction_removed")["reaction"])["emoji_name"] == "smile"
    await desk.do(crew.ada, "DELETE", f"/users/{crew.ann.chat_id}/posts/{post['id']}/reactions/tada")
    shown = await desk.get(crew.ann, f"/posts/{post['id']}")
    assert "has_reactions" not in shown
    assert await desk.get(crew.ann, f"/posts/{post['id']}/reactions") == []


async def test_reactions_that_cannot_be(desk: Desk) -> None:
    crew, post = desk.crew, await desk.post(desk.crew.ann)
    for name, status, code in (
        ("not an emoji", 400, "api.reaction.save_reaction.invalid.app_error"),
        ("", 400, "api.reaction.save_reaction.invalid.app_error"),
        ("x" * 65, 400, "api.reaction.save_reaction.invalid.app_error"),
        ("partyparrot", 404, "app.emoji.get_by_name.no_result"),
    ):
        answer = await react(desk, crew.bob, post, name)
        assert (answer.status, answer.json()["id"]) == (status, code)
    for more, status in (
        ({"user_id": crew.ann.chat_id}, 403),
        ({"user_id": "me"}, 400),
        ({"post_id": "nope"}, 400),
        ({"post_id": "y" * 26}, 404),
    ):
        assert (await react(desk, crew.bob, post, "smile", **more)).status == status
    assert (await react(desk, crew.eve, post, "smile")).status == 403
    assert (await crew.bob.client.delete(f"{API}/users/me/posts/{post['id']}/reactions/a%20b")).status == 400
    await desk.do(crew.ada, "DELETE", f"/channels/{desk.channel}")
    answer = await react(desk, crew.bob, post, "smile")
    assert (answer.status, answer.json()["id"]) == (403, "api.reaction.save.archived_channel.app_error")


async def test_custom_emoji_are_shown_with_posts_that_have_them(desk: Desk) -> None:
    emoji_id = new_id()

    def make(transaction: Transaction) -> None:
        row = {"id": emoji_id, "name": "partyparrot", "creator_id": desk.crew.ann.id, "create_at": 1, "update_at": 1}
        transaction.connection.execute(insert(emojis).values(row | {"blob": "x", "mime_type": "image/png"}))

    await desk.house.storage.write(make)
    post = await desk.post(desk.crew.ann, "Look: :partyparrot: :smile:")
    assert [each["name"] for each in post["metadata"]["emojis"]] == ["partyparrot"]
    plain = await desk.post(desk.crew.ann)
    assert (await react(desk, desk.crew.bob, plain, "partyparrot")).status == 200
    shown = await desk.get(desk.crew.bob, f"/posts/{plain['id']}")
    assert [each["name"] for each in shown["metadata"]["emojis"]] == ["partyparrot"]


async def test_a_post_has_fifty_different_reactions(desk: Desk) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    flags = (f"flag-{first}{second}" for first in letters for second in letters)
    names = [name for name in flags if is_built_in(name)]
    post = await desk.post(desk.crew.ann)
    for name in names[:50]:
        assert (await react(desk, desk.crew.ann, post, name)).status == 200, name
    answer = await react(desk, desk.crew.ann, post, names[50])
    assert (answer.status, answer.json()["id"]) == (400, "app.reaction.save.save.too_many_reactions")
    assert (await react(desk, desk.crew.bob, post, names[0])).status == 200


async def test_reactions_of_many_posts_by_post(desk: Desk) -> None:
    crew = desk.crew
    first, second = await desk.post(crew.ann), await desk.post(crew.ann)
    await react(desk, crew.bob, first, "smile")
    ids = [first["id"], second["id"], "y" * 26]
    found = await desk.do(crew.ann, "POST", "/posts/ids/reactions", ids)
    assert {post_id: [each["emoji_name"] for each in some] for post_id, some in found.items()} == {
        first["id"]: ["smile"],
        second["id"]: [],
    }
    assert (await crew.eve.client.post(f"{API}/posts/ids/reactions", json=ids)).status == 403
    assert (await crew.eve.client.get(f"{API}/posts/{first['id']}/reactions")).status == 403
    bodies: list[Any] = [[], ["nope"], {}]
    for body in bodies:
        assert (await crew.ann.client.post(f"{API}/posts/ids/reactions", json=body)).status == 400
