"""Subscribing somebody to a topic, and unsubscribing them."""

from __future__ import annotations

from uuid import UUID

from manor import Conflict, Transaction, find_user
from manor_topics.domain import Topic
from manor_topics.events import SubscriptionCreated, SubscriptionDeleted
from manor_topics.payers import Payer, Payers
from manor_topics.subscriptions_store import (
    Settings,
    Subscription,
    add_subscription,
    count_of,
    find_subscription,
    is_of,
    remove_subscriptions,
)
from manor_topics.unread import newest_sequence

LIMIT = "max_subscriptions"

DEFAULTS = Settings()


def room_for(transaction: Transaction, payers: Payers, user_id: UUID) -> int:
    """How many subscriptions somebody's plan allows; 0 for any number."""
    user = find_user(transaction, user_id=user_id)
    return payers.limit(LIMIT, Payer(user_id, "" if user is None else user.tier))


def no_room(limit: int) -> str:
    """Why somebody is not subscribed."""
    return f"The plan has room for {limit} subscriptions, and they are there; end one first ({LIMIT})"


def subscribe(
    transaction: Transaction, user_id: UUID, topic: Topic, limit: int, settings: Settings = DEFAULTS
) -> Subscription | None:
    """Subscribe somebody to a topic that they may read. Messages that are there already are not unread.

    Args:
        transaction: A writing one.
        user_id: The person.
        topic: The topic.
        limit: How many subscriptions they may have; 0 for any number.
        settings: How they want to hear of its messages.

    Returns:
        The subscription; None when they have as many as they may have.

    Raises:
        Conflict: They are subscribed already.
    """
    connection = transaction.connection
    is_it = is_of(user_id, topic.id)
    if find_subscription(connection, user_id, is_it) is not None:
        raise Conflict(f"There is a subscription to the topic '{topic.name}' already")
    if limit and count_of(connection, user_id) >= limit:
        return None
    sequence = newest_sequence(connection, topic.id)
    id_ = add_subscription(connection, user_id, topic.id, settings, sequence=sequence, now=transaction.now)
    transaction.emit(SubscriptionCreated(subscription_id=id_, topic_id=topic.id, user_id=user_id))
    return find_subscription(connection, user_id, is_it)


def unsubscribe(transaction: Transaction, user_id: UUID, id_: UUID, topic_id: UUID) -> None:
    """End somebody's subscription.

    Args:
        transaction: A writing one.
        user_id: Whose it is.
        id_: The subscription.
        topic_id: To what.
    """
    remove_subscriptions(transaction.connection, [(id_, topic_id)])
    transaction.emit(SubscriptionDeleted(subscription_id=id_, topic_id=topic_id, user_id=user_id))
