"""Searching posts and files: what is found, where, and what is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update

from manor import Transaction, from_chat_id, new_id, to_chat_id
from manor.testing import Client, SetClock
from manor_chat.channels.membership import join_channel, leave_channel
from manor_chat.store.channels import Channel, add_channel, find_channel
from manor_chat.store.people import find_person
from manor_chat.tables.posts import files, posts
from manor_chat.times import LATEST
from tests.chat_people import API, Chatter, Crew, said


async def found(client: Client, terms: str, path: str = "/posts/search", **more: Any) -> list[str]:
    answer = await client.post(f"{API}{path}", json={"terms": terms, "is_or_search": False, **more})
    assert answer.status == 200, answer.text
    listed = answer.json()
    return [listed["posts"][each]["message"] for each in listed["order"]]


async def channel(crew: Crew, name: str, *people: Chatter, kind: str = "P") -> Channel:
    """A channel with these people in it."""

    def work(transaction: Transaction) -> Channel:
        team_id = crew.team_id if kind in "OP" else None
        made = Channel(id=new_id(), team_id=team_id, type=kind, name=name, display_name=name, create_at=1, update_at=1)
        add_channel(transaction, made)
        for each in people:
            person = find_person(transaction, each.id)
            assert person is not None
            join_channel(transaction, made, person, is_said=False)
        return made

    return await crew.house.storage.write(work)


async def change(crew: Crew, post_id: str, **changes: Any) -> None:
    known = from_chat_id(post_id)
    await crew.house.storage.write(
        lambda transaction: transaction.connection.execute(update(posts).where(posts.c.id == known).values(changes))
    )


async def test_a_post_is_found_by_its_words_the_newest_first(crew: Crew, clock: SetClock) -> None:
    for message in ("apples and pears", "pears alone", "apples"):
        await said(crew.house, crew.ann, crew.off_topic, message)
        clock.set(clock.now() + timedelta(seconds=1))

    assert await found(crew.bob.client, "apples") == ["apples", "apples and pears"]
    assert await found(crew.bob.client, "apples pears") == ["apples and pears"]
    assert await found(crew.bob.client, "apples pears", is_or_search=True) == [
        "apples", "pears alone", "apples and pears",
    ]  # fmt: skip
    assert await found(crew.bob.client, '"and pears"') == ["apples and pears"]
    assert await found(crew.bob.client, "app*") == ["apples", "apples and pears"]
    assert await found(crew.bob.client, "apples -pears") == ["apples"]
    assert await found(crew.bob.client, "apples", per_page=1, page=1) == ["apples and pears"]
    assert await found(crew.bob.client, "apples", path=f"/teams/{crew.team}/posts/search") == [
        "apples", "apples and pears",
    ]  # fmt: skip


async def test_only_ones_own_channels_are_searched(crew: Crew) -> None:
    secret = await channel(crew, "secret", crew.ann)
    await said(crew.house, crew.ann, secret, "the password is swordfish")

    assert await found(crew.ann.client, "swordfish") == ["the password is swordfish"]
    assert await found(crew.bob.client, "swordfish") == []
    assert await found(crew.ada.client, "swordfish") == []
    refused = await crew.eve.client.post(f"{API}/teams/{crew.team}/posts/search", json={"terms": "x"})
    assert refused.status == 403

    def leave(transaction: Transaction) -> None:
        ann = find_person(transaction, crew.ann.id)
        there = find_channel(transaction, secret.id)
        assert ann is not None
        assert there is not None
        leave_channel(transaction, there, ann, is_said=False)

    await crew.house.storage.write(leave)
    assert await found(crew.ann.client, "swordfish") == []


async def test_what_was_edited_or_deleted_is_found_no_more(crew: Crew) -> None:
    first = await said(crew.house, crew.ann, crew.off_topic, "before #one")
    assert await found(crew.bob.client, "before") == ["before #one"]

    await change(crew, first, message="after #two", hashtags="#two")
    assert await found(crew.bob.client, "before") == []
    assert await found(crew.bob.client, "#one") == []
    assert await found(crew.bob.client, "after #two") == ["after #two"]

    await change(crew, first, message="between")
    await change(crew, first, message="at last")
    assert await found(crew.bob.client, "between") == []
    await change(crew, first, message="after #two")

    await change(crew, first, delete_at=5)
    assert await found(crew.bob.client, "after") == []
    await change(crew, first, delete_at=0)
    assert await found(crew.bob.client, "after") == ["after #two"]

    known = from_chat_id(first)
    await crew.house.storage.write(
        lambda transaction: transaction.connection.execute(delete(posts).where(posts.c.id == known))
    )
    assert await found(crew.bob.client, "after") == []

    def left(transaction: Transaction) -> list[Any]:
        return [
            transaction.connection.execute(text(f"SELECT count(*) FROM chat_search_{table}")).scalar_one()
            for table in ("posts", "changes")
        ]

    assert await crew.house.storage.read(left) == [0, 0]


async def test_no_post_is_of_a_time_that_the_index_cannot_hold(crew: Crew) -> None:
    body = {"channel_id": to_chat_id(crew.town_square.id), "message": "prophecy"}
    for create_at, status in ((LATEST + 1, 400), (2**53, 400), (LATEST, 201)):
        answer = await crew.ada.client.post(f"{API}/posts", json=body | {"create_at": create_at})
        assert answer.status == status, create_at
    # One that was let in before must not keep all others from being found.
    old = await said(crew.house, crew.ann, crew.town_square, "relic")
    await change(crew, old, create_at=2**53)
    await said(crew.house, crew.ann, crew.town_square, "prophecy and relic")

    assert await found(crew.bob.client, "prophecy") == ["prophecy", "prophecy and relic"]
    assert await found(crew.bob.client, "relic after:2020-01-01") == ["relic", "prophecy and relic"]


async def test_posts_that_would_have_one_number_are_all_found(crew: Crew, clock: SetClock) -> None:
    """Those of one moment are told apart by their positions, and by the next number where that is taken."""
    await said(crew.house, crew.ann, crew.town_square, "first")
    assert await found(crew.bob.client, "first") == ["first"]
    for number in range(4):
        await said(crew.house, crew.ann, crew.town_square, f"twin {number}")

    def move(transaction: Transaction) -> None:
        connection = transaction.connection
        last = connection.exec_driver_sql("SELECT max(position) FROM chat_posts").scalar_one()
        # As if they had come a million positions apart: the second has the first one's number, the others the next.
        connection.exec_driver_sql(
            "UPDATE chat_posts SET position = position + 1048575 WHERE position = ?", (last - 2,)
        )
        connection.exec_driver_sql(
            "UPDATE chat_posts SET position = position + 1048575 WHERE position = ?", (last - 1,)
        )

    await crew.house.storage.write(move)

    assert sorted(await found(crew.bob.client, "twin")) == [f"twin {number}" for number in range(4)]


async def test_senders_and_channels_narrow_it(crew: Crew) -> None:
    direct = await channel(crew, f"{crew.ann.chat_id}__{crew.bob.chat_id}", crew.ann, crew.bob, kind="D")
    await said(crew.house, crew.ann, crew.off_topic, "fish of ann")
    await said(crew.house, crew.bob, crew.town_square, "fish of bob")
    await said(crew.house, crew.bob, direct, "fish between us")

    client = crew.ann.client
    assert await found(client, "fish from:ann") == ["fish of ann"]
    assert sorted(await found(client, "fish -from:ann")) == ["fish between us", "fish of bob"]
    assert await found(client, "fish in:town-square") == ["fish of bob"]
    assert await found(client, "in:@bob fish") == ["fish between us"]
    assert await found(client, "fish -in:@bob from:bob") == ["fish of bob"]
    assert await found(client, "fish from:nobody") == []
    assert await found(client, "from:ann in:off-topic") == ["fish of ann"]


async def test_dates_narrow_it_where_the_asker_is(crew: Crew) -> None:
    day = 1_700_000_000_000  # 2023-11-14, 22:13 in UTC
    await said(crew.house, crew.ann, crew.off_topic, "late post", create_at=day)

    assert await found(crew.bob.client, "late on:2023-11-14") == ["late post"]
    assert await found(crew.bob.client, "late on:2023-11-14", time_zone_offset=7200) == []
    assert await found(crew.bob.client, "late on:2023-11-15", time_zone_offset=7200) == ["late post"]
    assert await found(crew.bob.client, "late after:2023-11-13 before:2023-11-15") == ["late post"]
    assert await found(crew.bob.client, "late after:2023-11-14") == []
    assert await found(crew.bob.client, "before:9999-12-31 late") == ["late post"]
    assert await found(crew.bob.client, "on:0001-01-01 late") == []
    assert await found(crew.bob.client, "on:nonsense late") == []


async def test_archived_channels_are_searched_when_asked(crew: Crew) -> None:
    old = await channel(crew, "old", crew.ann)
    await said(crew.house, crew.ann, old, "once upon a time")
    await crew.house.storage.write(
        lambda transaction: transaction.connection.execute(
            text("UPDATE chat_channels SET delete_at = 7 WHERE name = 'old'")
        )
    )

    assert await found(crew.ann.client, "once") == []
    assert await found(crew.ann.client, "once", include_deleted_channels=True) == ["once upon a time"]


async def test_the_words_that_matched_are_told(crew: Crew) -> None:
    post = await said(crew.house, crew.ann, crew.off_topic, "Hello hello World")

    answer = await crew.bob.client.post(f"{API}/posts/search", json={"terms": "hello wor*"})

    assert answer.json()["matches"] == {post: ["Hello", "hello", "World"]}


@pytest.mark.parametrize("body", [{}, {"terms": ""}, {"terms": "  "}, {"terms": 7}, {"terms": "x", "page": "one"}])
async def test_a_search_for_nothing_is_refused(crew: Crew, body: dict[str, Any]) -> None:
    for path in ("/posts/search", "/files/search", f"/teams/{crew.team}/posts/search"):
        assert (await crew.bob.client.post(f"{API}{path}", json=body)).status == 400


@pytest.mark.parametrize("terms", ["\N{WAVING HAND SIGN}", "?!", '"..."', "*"])
async def test_what_holds_no_word_finds_nothing(crew: Crew, terms: str) -> None:
    await said(crew.house, crew.ann, crew.off_topic, f"hello {terms}")
    for path in ("/posts/search", "/files/search"):
        answer = await crew.bob.client.post(f"{API}{path}", json={"terms": terms})
        assert (answer.status, answer.json()["order"]) == (200, [])


@pytest.mark.parametrize(
    "bounds", [{"FEW_LABELS": 0}, {"FEW_LABELS": 0, "LOOKED_AT": 1}, {"FEW_LABELS": 0, "MOST_LABELS": 1}]
)
async def test_somebody_in_many_channels_finds_as_much(
    crew: Crew, monkeypatch: pytest.MonkeyPatch, bounds: dict[str, int]
) -> None:
    for name, value in bounds.items():
        monkeypatch.setattr(f"manor_chat.search.finding.{name}", value)
    secret = await channel(crew, "secret", crew.ann)
    await said(crew.house, crew.ann, secret, "fish one")
    await said(crew.house, crew.ann, crew.off_topic, "fish two")

    assert await found(crew.ann.client, "fish") == ["fish two", "fish one"]
    assert await found(crew.ann.client, "fish", per_page=1, page=1) == ["fish one"]
    assert await found(crew.bob.client, "fish") == ["fish two"]
    assert await found(crew.bob.client, "in:off-topic") == ["fish two"]


async def test_files_are_found_by_their_names(crew: Crew) -> None:
    post = from_chat_id(await said(crew.house, crew.ann, crew.off_topic, "see this"))

    def keep(transaction: Transaction, name: str, extension: str, attached: bool) -> None:
        row = {
            "id": new_id(), "user_id": crew.ann.id, "channel_id": crew.off_topic.id,
            "post_id": post if attached else None, "create_at": 1, "update_at": 1, "delete_at": 0, "name": name,
            "extension": extension, "size": 3, "mime_type": "text/plain", "width": 0, "height": 0,
            "has_preview_image": False, "mini_preview": None, "blob": "k",
        }  # fmt: skip
        transaction.connection.execute(insert(files).values(row))

    for name, attached in (("Minutes 100%.pdf", True), ("minutes.txt", True), ("minutes-draft.pdf", False)):
        extension = name.rpartition(".")[2]
        await crew.house.storage.write(
            lambda transaction, n=name, e=extension, a=attached: keep(transaction, n, e, a)  # type: ignore[misc]
        )

    async def names(client: Client, terms: str) -> list[str]:
        listed = (await client.post(f"{API}/files/search", json={"terms": terms})).json()
        return sorted(listed["file_infos"][each]["name"] for each in listed["order"])

    assert await names(crew.bob.client, "minutes") == ["Minutes 100%.pdf", "minutes.txt"]
    assert await names(crew.bob.client, "minutes ext:pdf") == ["Minutes 100%.pdf"]
    assert await names(crew.bob.client, "0%") == ["Minutes 100%.pdf"]
    assert await names(crew.bob.client, "minutes -ext:pdf from:ann") == ["minutes.txt"]
    assert await names(crew.eve.client, "minutes") == []
