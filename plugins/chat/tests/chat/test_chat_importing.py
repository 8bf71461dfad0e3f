"""What an import makes of a server that has people, posts and unread ones already."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import trio
from sqlalchemy import text

from manor import Event, Transaction, find_password_hash, find_user, to_chat_id
from manor.testing import House
from manor_chat.events import Imported, Told
from manor_chat.moving import importing
from tests.chat_moving import (
    SMALL,
    T0,
    VERSION,
    as_lines,
    compared,
    exported,
    imported,
    in_team,
    line,
    png,
    post,
    team,
    user,
    zipped,
)
from tests.chat_people import API, Crew, said

TALK: list[dict[str, Any]] = [
    *SMALL,
    line("channel", team="crew", name="plans", display_name="Plans", type="P"),
    user("cem", [in_team("crew", "off-topic", "plans")]),
    post("second walrus", 200, replies=[{"user": "bob", "message": "to the second", "create_at": T0 + 500}]),
    post("first", 100, by="bob", replies=[{"user": "ann", "message": "to the first", "create_at": T0 + 300}]),
    post("ann joined the channel.", 10, type="system_join_channel"),
    post("planned", 150, by="cem", channel="plans", attachments=[{"path": "plan.txt"}]),
    line("direct_post", channel_members=["ann", "bob"], user="bob", message="psst", create_at=T0 + 1),
]
FILES = {"data/plan.txt": b"dig"}

TABLES = "profiles mention_keys teams channels channel_members posts thread_members reactions files preferences"


async def everything(house: House) -> dict[str, list[Any]]:
    """All rows that an import may touch."""

    def work(transaction: Transaction) -> dict[str, list[Any]]:
        names = [f"chat_{name}" for name in TABLES.split()] + ["identity_users", "identity_teams", "identity_members"]
        return {name: list(transaction.connection.execute(text(f"SELECT * FROM {name}"))) for name in names}

    return await house.storage.read(work)


async def miscounted(house: House) -> list[str]:
    """Whatever counts something and says otherwise than the posts that are there."""
    checks = {
        "numbers": "SELECT c.name FROM chat_channels c WHERE last_sequence <> "
        "(SELECT count(*) FROM chat_posts p WHERE p.channel_id = c.id AND sequence IS NOT NULL)",
        "gaps": "SELECT channel_id FROM chat_posts WHERE sequence IS NOT NULL GROUP BY channel_id "
        "HAVING max(sequence) <> count(*) OR min(sequence) <> 1",
        "order": "SELECT message FROM (SELECT message, create_at, lag(create_at) OVER "
        "(PARTITION BY channel_id ORDER BY sequence) AS b FROM chat_posts WHERE sequence > 0) WHERE create_at < b",
        "totals": "SELECT c.name FROM chat_channels c WHERE (total_msg_count, total_msg_count_root) <> "
        "(SELECT count(*), count(*) FILTER (WHERE root_id IS NULL) FROM chat_posts p WHERE p.channel_id = c.id "
        "AND sequence IS NOT NULL AND type NOT LIKE 'system_join%' AND type NOT LIKE 'system_add_to%')",
        "last": "SELECT c.name FROM chat_channels c WHERE (last_post_at, last_root_post_at) <> "
        "(SELECT coalesce(max(create_at), 0), coalesce(max(create_at) FILTER (WHERE root_id IS NULL), 0) "
        "FROM chat_posts p WHERE p.channel_id = c.id AND sequence IS NOT NULL)",
        "replies": "SELECT message FROM chat_posts r WHERE root_id IS NULL AND (reply_count, last_reply_at) <> "
        "(SELECT count(*), coalesce(max(create_at), 0) FROM chat_posts p WHERE p.root_id = r.id)",
        "reactions": "SELECT message FROM chat_posts p WHERE has_reactions <> "
        "EXISTS (SELECT 1 FROM chat_reactions r WHERE r.post_id = p.id)",
    }
    found = await house.storage.read(
        lambda transaction: {name: transaction.connection.execute(text(sql)).all() for name, sql in checks.items()}
    )
    return [f"{name}: {rows}" for name, rows in found.items() if rows]


async def unread(house: House) -> dict[str, int]:
    """What people have not read, where there is something."""
    sql = (
        "SELECT u.handle || ' in ' || c.name AS who, c.total_msg_count - m.msg_count AS n FROM chat_channel_members m "
        "JOIN chat_channels c ON c.id = m.channel_id JOIN identity_users u ON u.id = m.user_id "
        "WHERE c.total_msg_count <> m.msg_count UNION ALL "
        "SELECT u.handle || ' in the thread ' || p.message, p.reply_count - t.seen_replies FROM chat_thread_members t "
        "JOIN chat_posts p ON p.id = t.root_id JOIN identity_users u ON u.id = t.user_id "
        "WHERE p.reply_count <> t.seen_replies"
    )
    rows = await house.storage.read(lambda transaction: transaction.connection.execute(text(sql)).all())
    return {row.who: row.n for row in rows}


async def test_counters_are_right_and_unread_is_what_was_unread_before(
    house: House, crew: Crew, tmp_path: Path
) -> None:
    await said(house, crew.ann, crew.off_topic, "written here, and not read by bob")
    assert await unread(house) == {"bob in off-topic": 1}

    report = await imported(house, zipped(tmp_path / "in.zip", TALK, FILES))

    assert report.made["posts"] == 5
    assert report.made["replies"] == 2
    assert await miscounted(house) == []
    assert await unread(house) == {"bob in off-topic": 1}


async def test_a_second_import_changes_nothing_and_says_so(house: House, crew: Crew, tmp_path: Path) -> None:
    source = zipped(tmp_path / "in.zip", TALK, FILES)
    await imported(house, source)
    before = await everything(house)

    report = await imported(house, source)

    assert (report.made, report.changed) == ({}, {})
    assert report.unchanged["posts"] == 5
    assert await everything(house) == before


async def test_a_dry_run_says_the_same_and_writes_nothing(house: House, tmp_path: Path) -> None:
    twice = [*TALK, post("first", 100, by="bob"), post("by nobody", 1, by="nobody")]
    source = zipped(tmp_path / "in.zip", twice, FILES)
    before = await everything(house)

    dry = await imported(house, source, is_dry_run=True)

    assert dry.is_dry_run
    assert await everything(house) == before
    assert not list((house.loaded.data_dir / "blobs").rglob("files/*"))
    wet = await imported(house, source)
    assert (wet.made, wet.unchanged, wet.troubles) == (dry.made, dry.unchanged, dry.troubles)
    assert wet.made["files"] == 1


async def test_an_import_that_was_interrupted_goes_on(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = zipped(tmp_path / "in.zip", TALK, FILES)
    monkeypatch.setattr(importing, "POSTS_AT_ONCE", 1)

    def count(transaction: Transaction) -> Any:
        return transaction.connection.execute(text("SELECT count(*) FROM chat_posts")).scalar()

    async def stop(scope: trio.CancelScope) -> None:
        while await house.storage.read(count) < 3:
            await trio.lowlevel.checkpoint()
        scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop, nursery.cancel_scope)
        await imported(house, source)
    assert 3 <= await house.storage.read(count) < 7

    await imported(house, source)

    assert await miscounted(house) == []
    assert await unread(house) == {}
    # Whose followers were not said is said now.
    followed = [each for each in await exported(house, tmp_path / "out.zip") if "thread_followers" in str(each)]
    assert len(followed) == 2


async def test_sockets_hear_nothing_of_it_and_the_search_finds_it(
    house: House, crew: Crew, heard: list[Event], tmp_path: Path
) -> None:
    heard.clear()
    await imported(house, zipped(tmp_path / "in.zip", TALK, FILES))
    await trio.testing.wait_all_tasks_blocked()

    assert [event for event in heard if isinstance(event, Told)] == []
    assert len([event for event in heard if isinstance(event, Imported)]) == 1
    answer = await crew.ann.client.post(f"{API}/teams/{crew.team}/posts/search", json={"terms": "walrus"})
    assert [each["message"] for each in answer.json()["posts"].values()] == ["second walrus"]


async def test_people_who_are_there_stay_who_they_are(house: House, crew: Crew, tmp_path: Path) -> None:
    lines = [
        VERSION,
        user("ann", [], nickname="Annie", delete_at=T0),
        line("user", username="Bob", email="other@example.org", roles="system_user system_admin", password="secret12"),
        line("user", username="new", email="new@example.org", roles="system_user system_admin", auth_service="gitlab"),
    ]
    report = await imported(house, zipped(tmp_path / "in.zip", lines))

    def look(transaction: Transaction) -> list[Any]:
        return [find_user(transaction, username=name) for name in ("ann", "bob", "new")]

    ann, bob, new = await house.storage.read(look)
    assert (ann.is_active, bob.email, bob.is_admin, new.is_admin) == (True, "bob@example.org", False, True)
    assert await house.storage.read(lambda transaction: find_password_hash(transaction, new.id)) is None
    assert report.changed == {"people": 1}
    assert report.left_out == {"passwords": 1, "sign-in by gitlab": 1}
    assert [(each.line, each.what.partition(":")[0]) for each in report.troubles] == [
        (2, "user ann"),
        (3, "user bob"),
        (3, "user bob"),
    ]
    answer = await crew.bob.client.get(f"{API}/users/username/ann")
    assert answer.json()["nickname"] == "Annie"


async def test_what_was_changed_or_deleted_here_stays_so(house: House, crew: Crew, tmp_path: Path) -> None:
    source = zipped(tmp_path / "in.zip", [*SMALL, post("typo", 1), post("regretted", 2)])
    await imported(house, source)
    rows = (await everything(house))["chat_posts"]
    ids = {row.message: to_chat_id(UUID(bytes=row.id)) for row in rows}
    await crew.ann.client.put(f"{API}/posts/{ids['typo']}/patch", json={"message": "mended"})
    await crew.ann.client.delete(f"{API}/posts/{ids['regretted']}")

    report = await imported(house, source)

    assert report.made == {}
    lines = await exported(house, tmp_path / "out.zip")
    said_there = [each["post"]["message"] for each in lines if each["type"] == "post"]
    assert "mended" in said_there
    assert not {"typo", "regretted"} & set(said_there)


async def test_files_that_were_missing_come_with_the_next_import(house: House, tmp_path: Path) -> None:
    lines = [*SMALL, post("with a plan", 1, attachments=[{"path": "plan.txt"}, {"path": "photo.png"}])]
    first = await imported(house, zipped(tmp_path / "in.zip", lines))
    assert [each.what for each in first.troubles] == [
        "file plan.txt: it is not there",
        "file photo.png: it is not there",
    ]

    second = await imported(house, zipped(tmp_path / "more.zip", lines, {"data/plan.txt": b"dig", "photo.png": png()}))

    assert second.made == {"files": 2}
    third = await imported(house, zipped(tmp_path / "more.zip", lines, {"data/plan.txt": b"dig", "photo.png": png()}))
    assert third.made == {}
    rows = (await everything(house))["chat_files"]
    assert {(row.name, row.mime_type, row.width) for row in rows} == {
        ("plan.txt", "text/plain", 0),
        ("photo.png", "image/png", 40),
    }


async def test_lines_and_files_in_a_folder_are_taken_too(house: House, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/plan.txt").write_bytes(b"dig")
    (tmp_path / "in.jsonl").write_bytes(as_lines(TALK))
    report = await imported(house, tmp_path / "in.jsonl")
    assert report.troubles == []
    assert report.made["files"] == 1


async def test_a_team_without_people_belongs_to_an_administrator(house: House, crew: Crew, tmp_path: Path) -> None:
    await imported(house, zipped(tmp_path / "in.zip", [VERSION, team("empty")]))
    lines = await exported(house, tmp_path / "out.zip")
    (ada,) = [each["user"] for each in lines if each.get("user", {}).get("username") == "ada"]
    assert [each["name"] for each in ada["teams"]] == ["empty"]
    assert compared(lines)
