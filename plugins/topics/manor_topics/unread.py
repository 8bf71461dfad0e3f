"""How much of a topic somebody has not read, kept up to date by whoever publishes, removes or reads.

Unread is the topic's newest sequence, less the sequence up to which a subscriber has viewed it, less those behind that
which are gone. So no list of subscriptions ever counts messages.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, select, true, update

from manor import Transaction
from manor_topics.message_store import position_at
from manor_topics.subscriptions_tables import subscriptions
from manor_topics.tables import messages, topics


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has viewed a topic: up to this sequence; of those behind it, so many are gone."""

    sequence: int
    gone: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a topic had when somebody read it.

    Args:
        sequence: Of its newest message, even if that one is gone.
        position: Behind which everything is newer.
        at: When it was.
    """

    sequence: int
    position: int
    at: datetime


# --- Messages vanish -----------------------------------------------------------------------------------------------


def note_gone(connection: Connection, rows: Sequence[Row[*tuple[Any, ...]]]) -> None:
    """Messages that were visible are no more: whoever had not read them has that many fewer to read.

    Args:
        connection: Of the transaction in which they vanish.
        rows: Those messages, each with `topic_id` and `sequence`.
    """
    sequences: defaultdict[UUID, list[int]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.sequence):
        sequences[row.topic_id].append(row.sequence)
    places = connection.execute(
        select(subscriptions.c.topic_id, subscriptions.c.viewed_sequence)
        .where(
            subscriptions.c.topic_id.in_(list(sequences)),
            subscriptions.c.viewed_sequence < max((row.sequence for row in rows), default=0),
        )
        .distinct()
    ).all()
    # Whoever stands between the same two of them misses the same number: one statement for all of these.
    between = {(topic_id, bisect_right(sequences[topic_id], viewed)) for topic_id, viewed in places}
    steps = [
        {
            "of_topic": topic_id,
            "from_sequence": sequences[topic_id][index - 1] if index else 0,
            "to_sequence": sequences[topic_id][index],
            "more": len(sequences[topic_id]) - index,
        }
        for topic_id, index in between
        if index < len(sequences[topic_id])
    ]
    if steps:
        connection.execute(_NOTE, steps)


_NOTE = (
    update(subscriptions)
    .where(
        subscriptions.c.topic_id == bindparam("of_topic"),
        subscriptions.c.viewed_sequence >= bindparam("from_sequence"),
        subscriptions.c.viewed_sequence < bindparam("to_sequence"),
    )
    .values(gone=subscriptions.c.gone + bindparam("more"))
)


# --- Messages are viewed -------------------------------------------------------------------------------------------


def newest_sequence(connection: Connection, topic_id: UUID) -> int:
    """The sequence of a topic's newest message; 0 when there never was one, or there is no such topic."""
    found = connection.execute(select(topics.c.last_sequence).where(topics.c.id == topic_id)).scalar_one_or_none()
    return found or 0


def seen_now(transaction: Transaction, topic_id: UUID) -> Seen:
    """What a topic has now, for whoever reads it in this transaction and views it in a later one."""
    connection = transaction.connection
    newest = select(func.max(messages.c.position)).where(messages.c.topic_id == topic_id)
    position = connection.execute(newest).scalar_one() or 0
    return Seen(newest_sequence(connection, topic_id), position, transaction.now)


def viewed(
    transaction: Transaction, user_id: UUID, topic_id: UUID, at: datetime | None = None, *, seen: Seen | None = None
) -> None:
    """Somebody has looked at a topic. Nothing happens unless they are subscribed to it.

    Args:
        transaction: A writing one.
        user_id: The person.
        topic_id: The topic.
        at: What they have seen: all that was there then. Without it all that is there now.
        seen: The same, by the transaction that read what they saw. What came since is unread, and who has looked at
            more meanwhile has seen that.
    """
    connection = transaction.connection
    is_theirs = and_(subscriptions.c.user_id == user_id, subscriptions.c.topic_id == topic_id)
    before = connection.execute(select(subscriptions.c.viewed_sequence).where(is_theirs)).scalar_one_or_none()
    if before is None or (seen is not None and seen.sequence < before):
        return
    if seen is None:
        when = transaction.now if at is None else min(at, transaction.now)
        place = place_at(transaction, topic_id, when)
    else:
        when = seen.at
        place = Place(seen.sequence, _gone_behind(connection, topic_id, seen.sequence, seen.position))
    _stand(connection, is_theirs, place, when)


def view_up_to(transaction: Transaction, subscription_id: UUID, topic_id: UUID, time: datetime) -> None:
    """Somebody says when they have looked at a topic last, be it earlier than we know: what came later is unread.

    Args:
        transaction: A writing one.
        subscription_id: Their subscription.
        topic_id: To this topic.
        time: What is still to come is as good as now.
    """
    when = min(time, transaction.now)
    place = place_at(transaction, topic_id, when)
    _stand(transaction.connection, subscriptions.c.id == subscription_id, place, when)


def _stand(connection: Connection, is_it: ColumnElement[bool], place: Place, when: datetime) -> None:
    values = {"last_viewed_at": when, "viewed_sequence": place.sequence, "gone": place.gone}
    connection.execute(update(subscriptions).where(is_it).values(values))


def place_at(transaction: Transaction, topic_id: UUID, time: datetime) -> Place:
    """The place of somebody who has viewed a topic at that time and never since; now and later is all there is."""
    connection = transaction.connection
    if time >= transaction.now:
        return Place(newest_sequence(connection, topic_id), 0)
    position = position_at(connection, topic_id, time)
    at_position = select(messages.c.sequence).where(messages.c.position == position)
    sequence = connection.execute(at_position).scalar_one_or_none() or 0
    return Place(sequence, _gone_behind(connection, topic_id, sequence, position))


def _gone_behind(connection: Connection, topic_id: UUID, sequence: int, position: int) -> int:
    """How many of a topic's messages behind a place are gone: counted when a place is set, and never when it is read.

    Args:
        connection: Of the transaction that sets it.
        topic_id: The topic.
        sequence: Of the last message before.
        position: Behind which all messages have a higher sequence, and before which none has.
    """
    counters = select(topics.c.last_sequence, topics.c.message_count).where(topics.c.id == topic_id)
    newest, kept = connection.execute(counters).one()
    if sequence == newest:
        return 0
    # How many are left behind it is counted on the shorter side.
    if sequence < newest - sequence:
        left = kept - _visible(connection, topic_id, 0, position)
    else:
        left = _visible(connection, topic_id, position, _LAST)
    return int(newest - sequence - left)


_LAST = 2**62


def _visible(connection: Connection, topic_id: UUID, after: int, to: int) -> int:
    """How many messages that are not deleted stand between two positions."""
    between = and_(messages.c.topic_id == topic_id, messages.c.position > after, messages.c.position <= to)
    every = select(func.count()).select_from(messages).where(between)
    # Two counts, for each of which an index has all that is asked.
    deleted = every.where(messages.c.is_deleted == true())
    return int(connection.execute(select(every.scalar_subquery() - deleted.scalar_subquery())).scalar_one())
