"""A chat with many posts, the same at every run: by direct inserts, or as a bundle that the importer takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from bench.language import Language
from manor import NewUser, Transaction, add_member, add_user, create_team, new_id
from manor.testing import House
from manor_chat.tables.channels import channel_members, channels
from manor_chat.tables.posts import posts
from manor_chat.teams.keeping import keep_team

FIRST = 1_890_000_000_000
"""When the first post was made, in milliseconds; another one each second."""

_CHUNK = 2000


def cast(transaction: Transaction, *, people: int, rooms: int) -> tuple[UUID, list[UUID], list[UUID]]:
    """A team of so many people with so many channels, every other of which everybody is in; all ids."""
    crew = [
        add_user(transaction, NewUser(username=f"person-{number}", email=None, tier="FREE")).id
        for number in range(people)
    ]
    team = create_team(transaction, crew[0], name="bench", display_name="Bench")
    for each in crew[1:]:
        add_member(transaction, team.id, each)
    keep_team(transaction, team.id)
    made = [new_id() for _ in range(rooms)]
    for number, room in enumerate(made):
        zeros = dict.fromkeys(("last_post_at", "last_root_post_at", "total_msg_count", "total_msg_count_root"), 0)
        named = {"id": room, "team_id": team.id, "type": "P", "name": f"room-{number}", "display_name": "Room"}
        blank = {"header": "", "purpose": "", "creator_id": None, "create_at": 1, "update_at": 1, "delete_at": 0}
        transaction.connection.execute(insert(channels).values(named | blank | zeros | {"last_sequence": 0}))
        if number % 2 == 0:
            transaction.connection.execute(insert(channel_members), [_member(room, each) for each in crew])
    return team.id, crew, made


def _member(room: UUID, user_id: UUID) -> dict[str, Any]:
    counts = dict.fromkeys(("msg_count", "msg_count_root", "mention_count", "mention_count_root"), 0)
    times = dict.fromkeys(("joined_at", "last_viewed_at", "last_update_at"), 1)
    who = {"channel_id": room, "user_id": user_id, "is_admin": False, "roles": "", "notify_props": {}}
    return who | counts | times


async def fill(house: House, language: Language, count: int, people: list[UUID], rooms: list[UUID]) -> None:
    """So many posts, in all channels and by all people in turn."""
    texts = enumerate(language.texts(count))
    done = False

    def work(transaction: Transaction) -> bool:
        rows = []
        for number, message in texts:
            rows.append(_row(transaction, number, message, people, rooms))
            if len(rows) == _CHUNK:
                break
        if rows:
            transaction.connection.execute(insert(posts), rows)
        return len(rows) < _CHUNK

    while not done:
        done = await house.storage.write(work)
    await house.storage.write(_count)


def _row(transaction: Transaction, number: int, message: str, people: list[UUID], rooms: list[UUID]) -> dict[str, Any]:
    moment = FIRST + number * 1000
    return {
        "id": new_id(),
        "channel_id": rooms[number * 7919 % len(rooms)],
        "user_id": people[number * 31 % len(people)],
        "root_id": None,
        "original_id": None,
        "create_at": moment,
        "update_at": moment,
        "edit_at": 0,
        "delete_at": 0,
        "is_pinned": False,
        "has_reactions": False,
        "type": "",
        "message": message,
        "hashtags": "#release" if number % 100 == 0 else "",
        "props": {},
        "file_ids": [],
        "sequence": number + 1,
        "position": transaction.position(),
        "reply_count": 0,
        "last_reply_at": 0,
    }


def _count(transaction: Transaction) -> None:
    """What is kept with each channel; its posts' numbers have gaps here, which nothing that is measured minds."""
    of_channel = "FROM chat_posts WHERE channel_id = chat_channels.id"
    transaction.connection.exec_driver_sql(
        f"UPDATE chat_channels SET total_msg_count = (SELECT count(*) {of_channel}), "
        f"total_msg_count_root = (SELECT count(*) {of_channel}), "
        f"last_sequence = (SELECT COALESCE(MAX(sequence), 0) {of_channel}), "
        f"last_post_at = (SELECT COALESCE(MAX(create_at), 0) {of_channel}), "
        f"last_root_post_at = (SELECT COALESCE(MAX(create_at), 0) {of_channel}) "
        "WHERE EXISTS (SELECT 1 FROM chat_posts WHERE channel_id = chat_channels.id)"
    )


def write_bundle(path: Path, language: Language, *, posts: int, people: int, rooms: int) -> None:
    """A team of so many people, all of them in so many channels, with so many posts: in Mattermost's bulk format."""
    names = [f"room-{number}" for number in range(rooms)]
    seats = [{"name": name, "roles": "channel_user"} for name in ("town-square", *names)]
    with path.open("w") as file:

        def write(kind: str, **members: Any) -> None:
            file.write(json.dumps({"type": kind, kind: members}) + "\n")

        file.write('{"type": "version", "version": 1}\n')
        write("team", name="bench", display_name="Bench", type="I", allow_open_invite=False)
        for name in names:
            write("channel", team="bench", name=name, display_name=name.title(), type="P")
        for number in range(people):
            who = f"person-{number}"
            place = {"name": "bench", "roles": "team_user", "channels": seats}
            write("user", username=who, email=f"{who}@example.org", roles="system_user", teams=[place])
        for number, message in enumerate(language.texts(posts)):
            write(
                "post",
                team="bench",
                channel=names[number * 7919 % rooms],
                user=f"person-{number * 31 % people}",
                message=message,
                create_at=FIRST + number * 1000,
            )
