"""What a topic's page shows of its messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from manor import Transaction
from manor_topics import unread
from manor_topics.domain import Topic
from manor_topics.message_store import COLUMNS, is_visible, read_message
from manor_topics.messages import Message
from manor_topics.subscriptions_store import Subscription, find_subscription, is_of
from manor_topics.tables import messages

PAGE = 30
"""Messages on one page."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look at a topic finds.

    Args:
        messages: Newest first.
        has_older: Whether there are more behind the last one.
        subscription: That of whoever looks.
        seen: What there was to see, for a subscriber who looks at the newest messages.
    """

    messages: Sequence[Message]
    has_older: bool
    subscription: Subscription | None
    seen: unread.Seen | None


def look(transaction: Transaction, topic: Topic, user_id: UUID | None, before: UUID | None) -> Looked:
    """Read a page of a topic.

    Args:
        transaction: One that reads.
        topic: What is read.
        user_id: Who looks; None for a stranger.
        before: The oldest message of the page before; None for the newest. When that one is gone, so is the place.
    """
    connection = transaction.connection
    statement = select(*COLUMNS).where(is_visible(topic.id, transaction.now))
    if before is not None:
        place = select(messages.c.position).where(messages.c.id == before, messages.c.topic_id == topic.id)
        position = connection.execute(place).scalar_one_or_none()
        if position is not None:
            statement = statement.where(messages.c.position < position)
    rows = connection.execute(statement.order_by(messages.c.position.desc()).limit(PAGE + 1)).all()
    found = [read_message(row, topic.name) for row in rows]
    subscription = None
    if user_id is not None:
        subscription = find_subscription(connection, user_id, is_of(user_id, topic.id))
    is_viewed = subscription is not None and before is None
    seen = unread.seen_now(transaction, topic.id) if is_viewed else None
    return Looked(found[:PAGE], len(found) > PAGE, subscription, seen)
