"""Publishing in batches: what is published at the same time is one unit of work, and costs a few statements.

The result is what the same messages one after the other would have: the sequences of a topic have no gap, timestamps
grow, each message counts on its payer's day, and what cannot be published is refused alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from manor import Refused, Transaction, new_ids, to_microseconds
from manor_topics import publish_store
from manor_topics.domain import Topic
from manor_topics.drafts import Draft
from manor_topics.events import MessagePublished
from manor_topics.payers import Plan, day_is_full
from manor_topics.publish_store import Day, Tail
from manor_topics.rights import missing


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """A message that can be published with others: it has no key, no delay, and nothing else hangs on it.

    Args:
        topic: Where it goes.
        draft: What it says.
        plan: What it is counted on, and how long it is kept.
        publisher_id: The person who sends it; None when nobody knows.
    """

    topic: Topic
    draft: Draft
    plan: Plan
    publisher_id: UUID | None


def publish_batch(transaction: Transaction, wanted: Sequence[Wanted]) -> Sequence[MessagePublished | Refused]:
    """The unit of work: publishes what can be, in the order given, and says of each what became of it."""
    batch = _Batch(transaction, len(wanted))
    results = [batch.publish(each) for each in wanted]
    batch.store()
    return results


class _Batch:
    """What is published in one unit: read once, counted in memory, written once."""

    def __init__(self, transaction: Transaction, most: int) -> None:
        self._transaction = transaction
        self._connection = transaction.connection
        self._now = to_microseconds(transaction.now)
        self._tails: dict[UUID, Tail | None] = {}
        self._days: dict[UUID, Day] = {}
        self._ids = iter(new_ids(most))
        self._published: list[MessagePublished] = []

    def publish(self, wanted: Wanted) -> MessagePublished | Refused:
        plan, topic_id = wanted.plan, wanted.topic.id
        day = self._day(plan.payer_id) if plan.daily_messages else None
        if day is not None and day.messages >= plan.daily_messages:
            return day_is_full(plan, self._transaction.now)
        tail = self._tails[topic_id] if topic_id in self._tails else self._tail(topic_id)
        if tail is None:
            return missing(wanted.topic.name)
        if day is not None:
            day.messages += 1
        draft, at = wanted.draft, tail.advance(self._now)
        timestamp = self._transaction.now + timedelta(0, 0, at - self._now)
        expires_at = None if plan.retention is None else timestamp + plan.retention
        published = MessagePublished(
            id=next(self._ids),
            topic_id=topic_id,
            topic=tail.topic,
            message=draft.message,
            title=draft.title,
            priority=draft.priority,
            tags=list(draft.tags),
            timestamp=timestamp,
            expires_at=expires_at,
            sequence=tail.sequence,
            position=self._transaction.position(),
            publisher_id=wanted.publisher_id,
            extras=draft.extras,
        )
        self._published.append(published)
        self._transaction.emit(published)
        return published

    def store(self) -> None:
        publish_store.add_messages(self._connection, self._published)
        for topic_id, tail in self._tails.items():
            if tail is not None:
                publish_store.keep_tail(self._connection, topic_id, tail)
        for day in self._days.values():
            publish_store.keep_day(self._connection, day)

    def _tail(self, topic_id: UUID) -> Tail | None:
        tail = self._tails[topic_id] = publish_store.read_tail(self._connection, topic_id)
        return tail

    def _day(self, payer_id: UUID) -> Day:
        day = self._days.get(payer_id)
        if day is None:
            day = self._days[payer_id] = publish_store.read_day(self._connection, payer_id, self._transaction.now)
        return day
