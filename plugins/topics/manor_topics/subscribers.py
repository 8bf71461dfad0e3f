"""The part that keeps who is subscribed to what, and how much of it they have not read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from manor import Event, Migration, Route, ScopeDeclaration, TierLimit, Transaction
from manor_topics.domain import Topic
from manor_topics.events import SubscriptionCreated, SubscriptionDeleted
from manor_topics.http.subscriptions import SCOPE, SubscriptionHandlers, subscription_routes
from manor_topics.migrations import subscriptions
from manor_topics.parts import Part, Shared
from manor_topics.subscribing import LIMIT
from manor_topics.subscriptions import Subscriptions
from manor_topics.subscriptions_store import (
    Settings,
    listing_of,
    read_subscription,
    remove_of_topic,
    remove_subscriptions,
    some_of,
)

SECTION = "subscriptions"


class SubscriptionExported(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has said and done about a topic: nothing that is the topic's."""

    id: UUID
    topic_id: UUID
    topic_name: str
    created_at: datetime
    last_viewed_at: datetime | None
    last_notified_at: datetime | None
    settings: Settings


class Subscribers(Part):
    """Subscribe to topics, see what is new in them.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._storage = shared.context.storage
        self._handlers = SubscriptionHandlers(Subscriptions(shared))

    def routes(self) -> Sequence[Route]:
        """What subscribers do."""
        return subscription_routes(self._handlers)

    def event_types(self) -> Sequence[type[Event]]:
        """Who comes and goes."""
        return [SubscriptionCreated, SubscriptionDeleted]

    def scopes(self) -> Sequence[ScopeDeclaration]:
        """What keys may."""
        return [ScopeDeclaration(SCOPE, "See, make, change and end your subscriptions to topics")]

    def tier_limits(self) -> Sequence[TierLimit]:
        """How many subscriptions a person has."""
        most = {"": 500, "ESSENTIALS": 2_000, "TEAM": 10_000, "BUSINESS": 0}
        return [TierLimit(LIMIT, most, "Subscriptions that a person has")]

    def migrations(self) -> Sequence[Migration]:
        """Their table."""
        return [subscriptions.STEP]

    def forget_topic(self, transaction: Transaction, topic: Topic) -> None:
        """Nobody is subscribed to it any more; that it is deleted says so."""
        remove_of_topic(transaction.connection, topic.id)

    # --- A person's data -------------------------------------------------------------------------------------------

    def sections(self) -> Sequence[str]:
        """Subscriptions."""
        return [SECTION]

    async def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """All of somebody's, those to topics that they may not read any more too."""
        async with self._storage.stream(listing_of(user_id)) as rows:
            async for row in rows:
                subscription = read_subscription(row)
                members = {name: getattr(subscription, name) for name in SubscriptionExported.__struct_fields__}
                yield SECTION, SubscriptionExported(**members)

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Remove some of somebody's; that the person is erased says so."""
        some = some_of(transaction.connection, user_id, limit)
        if some:
            remove_subscriptions(transaction.connection, some)
        return len(some)
