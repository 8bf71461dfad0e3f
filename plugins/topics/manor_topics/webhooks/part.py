"""The part that posts topics' messages to addresses of their managers' choice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from manor import (
    BackgroundTask,
    Delivery,
    JobHandler,
    Migration,
    Route,
    Subscription,
    TierLimit,
    Transaction,
)
from manor_topics.domain import Topic
from manor_topics.events import MessageDeleted, MessageEdited, MessagePublished
from manor_topics.http.webhooks import WebhookHandlers, webhook_routes
from manor_topics.migrations import webhooks as migration
from manor_topics.parts import Part, Shared
from manor_topics.webhooks import store
from manor_topics.webhooks.delivering import DELIVER, Deliveries
from manor_topics.webhooks.keeping import LIMIT, WebhookExported
from manor_topics.webhooks.keeping import Webhooks as Keeping

SECTION = "webhooks"

ERASED_AT_ONCE = 2
"""Webhooks of a person that one transaction removes: each has many deliveries."""


class Webhooks(Part):
    """Post messages elsewhere.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._storage = shared.context.storage
        self._deliveries = Deliveries(shared.context)
        self._handlers = WebhookHandlers(Keeping(shared, self._deliveries))

    def routes(self) -> Sequence[Route]:
        """What managers do with webhooks."""
        return webhook_routes(self._handlers)

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """What is published is found on disk, and need only be told of; edits and deletions are heard for certain."""
        deliveries = self._deliveries
        return [
            Subscription(MessagePublished.name, MessagePublished, deliveries.tell, Delivery.INLINE),
            Subscription(MessageEdited.name, MessageEdited, deliveries.hear_edited, Delivery.DURABLE),
            Subscription(MessageDeleted.name, MessageDeleted, deliveries.hear_deleted, Delivery.DURABLE),
        ]

    def tier_limits(self) -> Sequence[TierLimit]:
        """How many a topic has."""
        return [LIMIT]

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """A job for each delivery."""
        return [JobHandler(DELIVER, self._deliveries.deliver)]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Finds what is to be posted."""
        return [BackgroundTask("webhooks", self._deliveries.follow)]

    def migrations(self) -> Sequence[Migration]:
        """The tables."""
        return [migration.STEP]

    def forget_topic(self, transaction: Transaction, topic: Topic) -> None:
        """Its webhooks go with it."""
        for webhook in store.of_topic(transaction.connection, topic.id):
            store.remove(transaction.connection, webhook.id)

    def sections(self) -> Sequence[str]:
        """Webhooks that they made."""
        return [SECTION]

    async def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """The webhooks that somebody made, without their secrets."""
        names = WebhookExported.__struct_fields__
        for webhook in await self._storage.read(lambda transaction: store.of_maker(transaction.connection, user_id)):
            yield SECTION, WebhookExported(**{name: getattr(webhook, name) for name in names})

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """What somebody had posted elsewhere is posted no more."""
        theirs = store.of_maker(transaction.connection, user_id)[: min(limit, ERASED_AT_ONCE)]
        for webhook in theirs:
            store.remove(transaction.connection, webhook.id)
        return len(theirs)
