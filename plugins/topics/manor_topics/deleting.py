"""Deleting topics: the topic goes at once, what is in it in many small transactions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import trio
from sqlalchemy import delete, insert

from manor import Job, JobHandler, Storage, Transaction
from manor_topics import store
from manor_topics.clearing_tables import clearings
from manor_topics.domain import Topic
from manor_topics.events import TopicDeleted
from manor_topics.removing import BATCH, remove
from manor_topics.tables import messages

if TYPE_CHECKING:
    from manor_topics.parts import Part

BATCHES_AT_ONCE = 200
"""How many one attempt of the job removes: it stays far below its deadline, and goes on as another job."""

PAUSE_SECONDS = 0.01
"""Between two batches: whoever publishes meanwhile has most of the disk."""


class Clear(msgspec.Struct, frozen=True):
    """Remove the messages of a topic that is gone."""

    topic_id: UUID


CLEAR = Job("topics.clear", Clear)


def delete_topic(transaction: Transaction, topic: Topic, parts: Sequence[Part]) -> None:
    """Delete a topic with everything in it: its name is free from the commit on, and its messages are out of reach.

    Args:
        transaction: A writing one.
        topic: As storage has it.
        parts: Of the plugin: each forgets what it has of the topic.
    """
    for part in parts:
        part.forget_topic(transaction, topic)
    store.remove_topic(transaction.connection, topic.id)
    transaction.connection.execute(insert(clearings).values(topic_id=topic.id, owner_id=topic.owner_id))
    transaction.emit(TopicDeleted(topic_id=topic.id, topic=topic.name))
    transaction.defer(CLEAR, Clear(topic.id), key=str(topic.id))


def clear(transaction: Transaction, topic_id: UUID, limit: int = BATCH) -> int:
    """Remove messages of a topic that is gone.

    Returns:
        How many are gone; fewer than `limit` when none is left, and then nothing is known of the topic any more.
    """
    gone = remove(transaction, messages.c.topic_id == topic_id, limit)
    if gone < limit:
        transaction.connection.execute(delete(clearings).where(clearings.c.topic_id == topic_id))
    return gone


class Clearing:
    """Removes what was in topics that are gone.

    Args:
        storage: Where messages are.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def jobs(self) -> list[JobHandler[Clear]]:
        """For the outbox: what is begun is brought to its end over restarts."""
        return [JobHandler(CLEAR, self._clear)]

    async def _clear(self, payload: Clear) -> None:
        for _ in range(BATCHES_AT_ONCE):
            if await self._storage.write(partial(clear, topic_id=payload.topic_id)) < BATCH:
                return
            await trio.sleep(PAUSE_SECONDS)
        await self._storage.write(
            lambda transaction: transaction.defer(CLEAR, payload, key=str(payload.topic_id)),
        )
