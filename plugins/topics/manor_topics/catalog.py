"""Topics in memory: each request names one, and few of them change."""

from __future__ import annotations

from uuid import UUID

from manor import Storage
from manor_topics import store
from manor_topics.domain import Topic, read_reference
from manor_topics.events import TopicCreated, TopicDeleted, TopicUpdated

MOST_TOPICS = 10_000


class Catalog:
    """Topics by name and by id, read from storage when first asked for.

    What is missing is not remembered: anyone may ask for any number of names.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[UUID | str, Topic] = {}
        self._changes = 0

    def known(self, text: str) -> Topic | None:
        """The topic of that name or id, if it is in memory."""
        topic = self._known.get(text)
        if topic is None and (reference := read_reference(text)) is not None:
            topic = self._known.get(reference)
        return topic

    async def find(self, text: str) -> Topic | None:
        """The topic of that name or id, or None when there is none."""
        topic = self.known(text)
        reference = read_reference(text)
        if topic is not None or reference is None:
            return topic
        changes = self._changes
        topic = await self._storage.read(lambda transaction: store.find_topic(transaction.connection, reference))
        # Something changed during the read: what it saw may be old already, so it is used and not kept.
        if topic is not None and changes == self._changes:
            self._keep(topic)
        return topic

    def _keep(self, topic: Topic) -> None:
        if len(self._known) >= 2 * MOST_TOPICS:
            self._known.clear()
        self._known[topic.name] = self._known[topic.id] = topic

    def forget(self, changed: TopicCreated | TopicUpdated | TopicDeleted) -> None:
        """A topic has changed: have it read anew. For INLINE subscriptions."""
        self._changes += 1
        topic = self._known.pop(changed.topic_id, None)
        self._known.pop(changed.topic, None)
        if topic is not None:
            self._known.pop(topic.name, None)
