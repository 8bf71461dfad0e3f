"""The part that publishes messages when their time has come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import trio
from sqlalchemy import delete, or_, select

from manor import JobHandler, Migration, Transaction
from manor_topics import publish_store, scheduled, store
from manor_topics.domain import Topic
from manor_topics.migrations import scheduled as migration
from manor_topics.parts import Part, Shared
from manor_topics.payers import payer_of
from manor_topics.publishing import KEY_LIFE
from manor_topics.scheduled import APPEAR, Appear, ScheduledRow, cancel, read_scheduled
from manor_topics.scheduled_tables import scheduled as table
from manor_topics.tables import topics

SECTION = "scheduled_messages"

BATCH = 100
"""Messages that one transaction publishes: after a long night there may be many."""

PAUSE_SECONDS = 0.01


class ScheduledExported(msgspec.Struct, frozen=True, kw_only=True):
    """A message that waits for its time."""

    id: UUID
    topic: str
    message: str
    title: str | None
    priority: int
    tags: list[str]
    timestamp: datetime
    accepted_at: datetime


class Scheduling(Part):
    """Publish messages when their time has come.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """A job for each message that waits."""
        return [JobHandler(APPEAR, self._appear)]

    def migrations(self) -> Sequence[Migration]:
        """The table."""
        return [migration.STEP]

    def forget_topic(self, transaction: Transaction, topic: Topic) -> None:
        """What waits to appear in it never does."""
        transaction.connection.execute(delete(table).where(table.c.topic_id == topic.id))

    def sections(self) -> Sequence[str]:
        """What waits of theirs."""
        return [SECTION]

    async def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """What somebody has sent, and what waits in their topics."""
        theirs = select(topics.c.id).where(topics.c.owner_id == user_id)
        statement = (
            select(*table.c, topics.c.name.label("topic"))
            .join_from(table, topics, topics.c.id == table.c.topic_id)
            .where(or_(table.c.publisher_id == user_id, table.c.topic_id.in_(theirs)))
        )
        async with self._shared.context.storage.stream(statement) as rows:
            async for row in rows:
                yield SECTION, _exported(row)

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """What somebody has sent goes with them."""
        some = select(table.c.id).where(table.c.publisher_id == user_id).limit(limit)
        return transaction.connection.execute(delete(table).where(table.c.id.in_(some))).rowcount

    async def _appear(self, payload: Appear) -> None:
        def work(transaction: Transaction) -> bool:
            return self._publish_due(transaction, payload.message_id)

        while True:
            if await self._shared.context.storage.write(work):
                return
            await trio.sleep(PAUSE_SECONDS)

    def _publish_due(self, transaction: Transaction, message_id: UUID) -> bool:
        """Publish a message, after those of its topic that are due before it; whether that is done."""
        connection = transaction.connection
        wanted = scheduled.find(connection, message_id)
        if wanted is None:
            return True
        if wanted.due_at > transaction.now:
            # The clock went back, or an admin had the job tried early.
            transaction.defer(APPEAR, Appear(message_id), at=wanted.due_at, key=str(message_id))
            return True
        topic = store.find_topic(connection, wanted.topic_id)
        if topic is None:
            cancel(transaction, wanted.topic_id, message_id)
            return True
        # Jobs that are due at once run beside each other: whichever comes first keeps the order for all.
        rows = scheduled.due(connection, topic.id, wanted.due_at, limit=BATCH)
        retention = self._shared.payers.retention(payer_of(transaction, topic))
        for row in rows:
            _publish(transaction, topic, row, retention)
        return any(row.id == message_id for row in rows)


def _publish(transaction: Transaction, topic: Topic, row: ScheduledRow, retention: timedelta | None) -> None:
    connection = transaction.connection
    place = publish_store.advance(connection, topic.id, transaction.now)
    assert place is not None, "the topic was found in this transaction"
    published = msgspec.structs.replace(
        read_scheduled(row, place.topic, retention),
        timestamp=place.timestamp,
        expires_at=None if retention is None else place.timestamp + retention,
        sequence=place.sequence,
        position=transaction.position(),
    )
    publish_store.add_messages(connection, [published])
    forget_before = transaction.now - KEY_LIFE
    if row.key is not None and row.created_at > forget_before:
        publish_store.note_key(
            connection,
            topic.id,
            row.publisher,
            row.key,
            fingerprint=row.fingerprint,
            position=published.position,
            now=row.created_at,
            forget_before=forget_before,
        )
    cancel(transaction, topic.id, row.id)
    transaction.emit(published)


def _exported(row: ScheduledRow) -> ScheduledExported:
    return ScheduledExported(
        id=row.id,
        topic=row.topic,
        message=row.message,
        title=row.title,
        priority=row.priority,
        tags=msgspec.json.decode(row.tags, type=list[str]),
        timestamp=row.due_at,
        accepted_at=row.created_at,
    )
