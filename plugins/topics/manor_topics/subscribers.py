"""The part that keeps who is subscribed to what, and how much of it they have not read."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Event, Migration, TierLimit, Transaction
from manor_topics.domain import Topic
from manor_topics.events import SubscriptionCreated, SubscriptionDeleted
from manor_topics.migrations import subscriptions
from manor_topics.parts import Part, Shared
from manor_topics.subscribing import LIMIT
from manor_topics.subscriptions_store import remove_of_topic


class Subscribers(Part):
    """Subscribe to topics, see what is new in them.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def event_types(self) -> Sequence[type[Event]]:
        """Who comes and goes."""
        return [SubscriptionCreated, SubscriptionDeleted]

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
