"""Messages that wait for their time: accepted with a delay, kept apart from all others, seen by nobody who reads.

They are on disk and counted on their payer's day; sequence, position and timestamp are given when they appear.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select

from manor import Job, Transaction, new_id
from manor_topics import store
from manor_topics.domain import Topic
from manor_topics.drafts import Draft
from manor_topics.events import MessagePublished
from manor_topics.message_store import read_extras
from manor_topics.publish_store import Published
from manor_topics.rights import missing
from manor_topics.scheduled_tables import scheduled

if TYPE_CHECKING:
    from manor_topics.publishing import Publisher

ScheduledRow = Row[*tuple[Any, ...]]
"""A row with all columns of the table."""


class Appear(msgspec.Struct, frozen=True):
    """Publish a message whose time has come."""

    message_id: UUID


APPEAR = Job("topics.appear", Appear, attempts=1000)
"""What was accepted is not given up: the disk may be full for days."""


def accept(
    transaction: Transaction, topic: Topic, draft: Draft, publisher: Publisher, retention: timedelta | None
) -> MessagePublished:
    """Keep a message until its time, and have it published then.

    Args:
        transaction: A writing one.
        topic: Where it goes.
        draft: What it says; it has a delay.
        publisher: Who sends it, and with which key.
        retention: How long it is kept once it is published.

    Returns:
        The message as it will be, with the time at which it will appear; it has no place yet (both are 0).

    Raises:
        NotFound: The topic is gone.
    """
    connection = transaction.connection
    kept = store.find_topic(connection, topic.id)
    if kept is None:
        raise missing(topic.name)
    assert draft.delay is not None, "it is for later"
    row = {
        "id": new_id(),
        "topic_id": topic.id,
        "message": draft.message,
        "title": draft.title,
        "priority": draft.priority,
        "tags": msgspec.json.encode(draft.tags).decode(),
        "extras": None if draft.extras is None else msgspec.json.encode(draft.extras).decode(),
        "publisher_id": publisher.user_id,
        "due_at": transaction.now + timedelta(seconds=draft.delay),
        "created_at": transaction.now,
    }
    if publisher.key is not None:
        row |= {"publisher": publisher.scope, "key": publisher.key, "fingerprint": draft.fingerprint}
    stored = connection.execute(insert(scheduled).values(row).returning(*scheduled.c)).one()
    transaction.defer(APPEAR, Appear(stored.id), at=stored.due_at, key=str(stored.id))
    return read_scheduled(stored, kept.name, retention)


def read_scheduled(row: ScheduledRow, topic: str, retention: timedelta | None) -> MessagePublished:
    """The message of a row as it will be; it has no place yet."""
    return MessagePublished(
        id=row.id,
        topic_id=row.topic_id,
        topic=topic,
        message=row.message,
        title=row.title,
        priority=row.priority,
        tags=msgspec.json.decode(row.tags, type=list[str]),
        timestamp=row.due_at,
        expires_at=None if retention is None else row.due_at + retention,
        sequence=0,
        position=0,
        publisher_id=row.publisher_id,
        extras=read_extras(row.extras),
    )


def find_accepted(
    connection: Connection, topic: Topic, publisher: Publisher, retention: timedelta | None, *, since: datetime
) -> Published | None:
    """What this publisher has waiting under their key, if it was sent after `since`."""
    row = connection.execute(
        select(scheduled).where(
            scheduled.c.topic_id == topic.id,
            scheduled.c.publisher == publisher.scope,
            scheduled.c.key == publisher.key,
            scheduled.c.created_at > since,
        )
    ).one_or_none()
    return None if row is None else Published(row.fingerprint, read_scheduled(row, topic.name, retention))


def find(connection: Connection, message_id: UUID) -> ScheduledRow | None:
    """A message that waits."""
    return connection.execute(select(scheduled).where(scheduled.c.id == message_id)).one_or_none()


def waiting_of(
    connection: Connection, topic: Topic, retention: timedelta | None, *, limit: int
) -> list[MessagePublished]:
    """What waits to appear in a topic, what comes first at the beginning: for those who manage it."""
    statement = (
        select(scheduled)
        .where(scheduled.c.topic_id == topic.id)
        .order_by(scheduled.c.due_at, scheduled.c.id)
        .limit(limit)
    )
    return [read_scheduled(row, topic.name, retention) for row in connection.execute(statement)]


def due(connection: Connection, topic_id: UUID, until: datetime, *, limit: int) -> Sequence[ScheduledRow]:
    """What is to appear in a topic by then, in the order in which it does."""
    is_due = (scheduled.c.topic_id == topic_id, scheduled.c.due_at <= until)
    return connection.execute(
        select(scheduled).where(*is_due).order_by(scheduled.c.due_at, scheduled.c.id).limit(limit)
    ).all()


def cancel(transaction: Transaction, topic_id: UUID, message_id: UUID) -> bool:
    """Forget a message that waits; its job finds nothing to do then, and its key is free again.

    Returns:
        Whether there was one.
    """
    is_it = (scheduled.c.id == message_id, scheduled.c.topic_id == topic_id)
    return transaction.connection.execute(delete(scheduled).where(*is_it)).rowcount > 0
