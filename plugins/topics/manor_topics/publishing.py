"""Publishing: from a checked draft to a message that is on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from manor import SYSTEM_ID, Later, Storage, Transaction, Unprocessable, new_id
from manor_topics import store
from manor_topics.creating import add, new_topic
from manor_topics.domain import Topic
from manor_topics.drafts import Draft
from manor_topics.events import MessagePublished
from manor_topics.rights import missing

KEY_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes.

    Args:
        scope: Whose idempotency keys count as one's own: the credential, or the address.
        user_id: The person, who owns what publishing makes; None for nobody that we know.
        key: The request's `Idempotency-Key`, if it has one.
    """

    scope: str
    user_id: UUID | None = None
    key: str | None = None


class Publishing:
    """Puts messages on disk.

    Args:
        storage: Where they go.
        retention: How long they are kept; None for ever.
    """

    def __init__(self, storage: Storage, retention: Callable[[], timedelta | None]) -> None:
        self._storage = storage
        self._retention = retention

    def submit(self, topic: Topic, draft: Draft, publisher: Publisher) -> Later:
        """Have a message published; brings the `MessagePublished` once it is on disk.

        The key, the message and the topic's counters are one unit. A key that was used within a day brings what it
        brought then; with another draft it is refused (`Unprocessable`). A topic that is gone by now is `NotFound`.
        """
        retention = self._retention()
        return self._storage.submit(lambda transaction: publish(transaction, topic, draft, publisher, retention))

    def submit_to_new(self, name: str, draft: Draft, publisher: Publisher) -> Later:
        """The same, making the topic on the way: a private one of the publisher's, or, for nobody, a public one."""
        retention = self._retention()

        def work(transaction: Transaction) -> MessagePublished:
            topic = store.find_topic(transaction.connection, name)
            if topic is None:
                topic = _auto_created(name, publisher.user_id, transaction.now)
                add(transaction, topic)
            elif not topic.is_public and topic.owner_id != publisher.user_id:
                # Made by somebody else since we looked, and not for us.
                raise missing(name)
            return publish(transaction, topic, draft, publisher, retention)

        return self._storage.submit(work)


def _auto_created(name: str, user_id: UUID | None, now: datetime) -> Topic:
    if user_id is None:
        return new_topic(name, owner_id=SYSTEM_ID, access_level="public", now=now)
    return new_topic(name, owner_id=user_id, access_level="private", now=now)


def publish(
    transaction: Transaction, topic: Topic, draft: Draft, publisher: Publisher, retention: timedelta | None
) -> MessagePublished:
    """The unit of work behind `submit`."""
    connection = transaction.connection
    if publisher.key is not None:
        since = transaction.now - KEY_LIFE
        before = store.find_published(connection, topic, publisher.scope, publisher.key, since=since)
        if before is not None:
            if before.fingerprint != draft.fingerprint:
                raise Unprocessable("This Idempotency-Key was used for another message")
            return before.message
    place = store.advance(connection, topic.id, transaction.now)
    if place is None:
        raise missing(topic.name)
    published = MessagePublished(
        id=new_id(),
        topic_id=topic.id,
        topic=place.topic,
        message=draft.message,
        title=draft.title,
        priority=draft.priority,
        tags=list(draft.tags),
        timestamp=place.timestamp,
        expires_at=None if retention is None else place.timestamp + retention,
        sequence=place.sequence,
        position=transaction.position(),
    )
    store.add_message(connection, published)
    if publisher.key is not None:
        store.note_key(
            connection,
            topic.id,
            publisher.scope,
            publisher.key,
            fingerprint=draft.fingerprint,
            position=published.position,
            now=transaction.now,
            forget_before=transaction.now - KEY_LIFE,
        )
    transaction.emit(published)
    return published
