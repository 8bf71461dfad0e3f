"""The one place where messages vanish: deleted by people, expired, or gone with their topic or their publisher.

Whatever is kept about messages elsewhere (counters, the search index, unread counts) hears of it here, in the same
transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, delete, select, update

from manor import Transaction
from manor_topics.message_store import COLUMNS
from manor_topics.search import index
from manor_topics.tables import messages, publish_keys, topics
from manor_topics.unread import note_gone

BATCH = 100
"""Messages that one transaction removes: whoever publishes meanwhile waits for no more than these.

Measured, with the search index: 500 took 30 ms of the writer at best.
"""

MessageRow = Row[*tuple[Any, ...]]
"""A row that has all `COLUMNS`."""


def delete_softly(transaction: Transaction, row: MessageRow) -> None:
    """Have a visible message be seen by managers alone; its row goes when it would have expired."""
    is_it = messages.c.position == row.position
    transaction.connection.execute(update(messages).where(is_it).values(is_deleted=True))
    hide(transaction, [row])


def remove(transaction: Transaction, condition: ColumnElement[bool], limit: int = BATCH) -> int:
    """Remove messages, deleted ones too.

    Args:
        transaction: A writing one.
        condition: Which, said of the table of messages; an index has to find them.
        limit: At most so many.

    Returns:
        How many are gone; fewer than `limit` when none is left.
    """
    connection = transaction.connection
    rows = connection.execute(select(*COLUMNS).where(condition).limit(limit)).all()
    if rows:
        positions = [row.position for row in rows]
        connection.execute(delete(messages).where(messages.c.position.in_(positions)))
        connection.execute(delete(publish_keys).where(publish_keys.c.position.in_(positions)))
        hide(transaction, [row for row in rows if not row.is_deleted])
    return len(rows)


def hide(transaction: Transaction, rows: Sequence[MessageRow]) -> None:
    """Messages that people could see are seen no more: have everything that is kept about them know.

    Args:
        transaction: The one that deleted or removed them, just before.
        rows: As they were until then; none of them was deleted before.
    """
    connection = transaction.connection
    index.forget(connection, rows)
    note_gone(connection, rows)
    _count_out(connection, rows)


def _count_out(connection: Connection, rows: Sequence[MessageRow]) -> None:
    """Keep their topics' counters right; of topics that are gone there are none."""
    timestamps: defaultdict[UUID, list[datetime]] = defaultdict(list)
    for row in rows:
        timestamps[row.topic_id].append(row.timestamp)
    for topic_id, gone in timestamps.items():
        latest = connection.execute(
            update(topics)
            .where(topics.c.id == topic_id)
            .values(message_count=topics.c.message_count - len(gone))
            .returning(topics.c.last_message_at)
        ).one_or_none()
        if latest is not None and latest.last_message_at in gone:
            connection.execute(
                update(topics).where(topics.c.id == topic_id).values(last_message_at=_newest(connection, topic_id))
            )


def _newest(connection: Connection, topic_id: UUID) -> datetime | None:
    return connection.execute(
        select(messages.c.timestamp)
        .where(messages.c.topic_id == topic_id, messages.c.is_deleted.is_(False))
        .order_by(messages.c.position.desc())
        .limit(1)
    ).scalar_one_or_none()
