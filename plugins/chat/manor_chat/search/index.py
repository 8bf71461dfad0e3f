"""The full-text index of posts: filled behind writing, and told by triggers of what changed or went.

All of it happens on the writer, in batches: a post's terms are worked out from the row as it is in that transaction, so
nothing can change in between.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from manor import Transaction
from manor_chat.domain.search_text import channel_label, indexed_text, tag_labels, user_label
from manor_chat.ids import shown_id
from manor_chat.times import LATEST

BATCH = 100
"""Posts that one transaction puts in: some ten milliseconds of the writer's."""

TIE_BITS = 20
_TIES = 1 << TIE_BITS

_POSTS = "SELECT id, channel_id, user_id, message, hashtags, create_at, position, delete_at, type FROM chat_posts "
_NEW = _POSTS + "WHERE position > ? ORDER BY position LIMIT ?"
_ONE = _POSTS + "WHERE id = ?"
_CHANGED = "SELECT post_id, channel_id, user_id, message, hashtags FROM chat_search_changes LIMIT ?"
_ADD = "INSERT INTO chat_search (rowid, text, labels) VALUES (?, ?, ?)"
_REMOVE = "INSERT INTO chat_search (chat_search, rowid, text, labels) VALUES ('delete', ?, ?, ?)"


def first_number(milliseconds: int) -> int:
    """The least number of a post that was made then; of one after `LATEST`, which are none, that of the last."""
    return min(milliseconds, LATEST) << TIE_BITS


def is_behind(transaction: Transaction) -> bool:
    """Whether there are posts that the index does not know, or knows otherwise."""
    row = transaction.connection.exec_driver_sql(
        "SELECT (SELECT COALESCE(MAX(position), 0) FROM chat_posts) > (SELECT position FROM chat_search_state) "
        "OR EXISTS (SELECT 1 FROM chat_search_changes)"
    ).one()
    return bool(row[0])


def catch_up(transaction: Transaction) -> bool:
    """Put some of what is missing into the index; whether there may be more."""
    connection = transaction.connection
    changed = connection.exec_driver_sql(_CHANGED, (BATCH,)).all()
    for change in changed:
        _take_out(connection, change)
        row = connection.exec_driver_sql(_ONE, (change.post_id,)).one_or_none()
        if row is not None:
            _put_in(connection, [row])
        connection.exec_driver_sql("DELETE FROM chat_search_changes WHERE post_id = ?", (change.post_id,))
    if len(changed) == BATCH:
        return True
    position = connection.exec_driver_sql("SELECT position FROM chat_search_state").scalar_one()
    rows = connection.exec_driver_sql(_NEW, (position, BATCH)).all()
    _put_in(connection, rows)
    if rows:
        newest = rows[-1].position
        connection.exec_driver_sql("UPDATE chat_search_state SET position = ?", (newest,))
    return len(rows) == BATCH


def _put_in(connection: Connection, rows: Sequence[Any]) -> None:
    put = [row for row in rows if not row.delete_at and not row.type.startswith("system_")]
    if not put:
        return
    numbers = _numbers(connection, put)
    # The driver's own cursor: SQLAlchemy's execution costs more than SQLite's here.
    cursor = connection.connection.cursor()
    named = [(number, row.id) for number, row in zip(numbers, put, strict=True)]
    cursor.executemany("INSERT INTO chat_search_posts (number, post_id) VALUES (?, ?)", named)
    cursor.executemany(_ADD, [(number, *_terms(row)) for number, row in zip(numbers, put, strict=True)])


def _take_out(connection: Connection, change: Any) -> None:
    query = "SELECT number FROM chat_search_posts WHERE post_id = ?"
    number = connection.exec_driver_sql(query, (change.post_id,)).scalar_one_or_none()
    if number is None:
        return
    connection.exec_driver_sql(_REMOVE, (number, *_terms(change)))
    connection.exec_driver_sql("DELETE FROM chat_search_posts WHERE number = ?", (number,))


def _numbers(connection: Connection, rows: Sequence[Any]) -> list[int]:
    """For each post a number of its moment that no other post has."""
    wanted = [first_number(row.create_at) + row.position % _TIES for row in rows]
    query = "SELECT number FROM chat_search_posts WHERE number IN (SELECT value FROM json_each(?))"
    taken = set(connection.exec_driver_sql(query, (json.dumps(wanted),)).scalars())
    numbers = []
    for row, number in zip(rows, wanted, strict=True):
        first, free = first_number(row.create_at), number
        while free in taken or (free != number and _is_taken(connection, free)):
            free = first + (free + 1 - first) % _TIES
        taken.add(free)
        numbers.append(free)
    return numbers


def _is_taken(connection: Connection, number: int) -> bool:
    query = "SELECT 1 FROM chat_search_posts WHERE number = ?"
    return connection.exec_driver_sql(query, (number,)).first() is not None


def _terms(row: Any) -> tuple[str, str]:
    channel, user = shown_id(UUID(bytes=row.channel_id)), shown_id(UUID(bytes=row.user_id))
    labels = f"{channel_label(channel)} {user_label(user)} {tag_labels(row.hashtags)}"
    return indexed_text(row.message), labels
