"""Many topics as one: where each begins, and their messages in the order of the server's positions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, or_, select, union_all

from manor_topics.message_store import (
    COLUMNS,
    is_visible,
    newest_position,
    position_before_newest,
    position_of,
    read_message,
)
from manor_topics.messages import Message
from manor_topics.tables import messages, topics

NONE: frozenset[UUID] = frozenset()

WINDOW = 2_000
"""Positions that one look at many topics spans."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream of many topics begins.

    Args:
        places: The position after which each topic's messages are told.
        had: The topics of which the client named the last message that it had.
        gaps: The topics that may lack something: the message that it named is not known any more.
        is_replayed: Whether anything stored is told at all; otherwise it begins when somebody listens.
    """

    places: Mapping[UUID, int]
    had: frozenset[UUID] = NONE
    gaps: frozenset[UUID] = NONE
    is_replayed: bool = True

    def behind(self, position: int) -> Start:
        """The same, for a client that had everything up to a position: of all topics, because it hears them in order.

        No topic is taken back behind the last message that the client had of it.
        """
        places = {id_: max(position, own) if id_ in self.had else position for id_, own in self.places.items()}
        return Start(places, self.had)

    def not_before(self, position: int) -> Start:
        """The same, for one that has come so far."""
        return replace(self, places={id_: max(position, own) for id_, own in self.places.items()})

    def with_gap(self) -> Start:
        """The same, where something of any topic may be missing."""
        return replace(self, gaps=frozenset(self.places), is_replayed=True)


def begin(
    connection: Connection, topic_ids: Collection[UUID], since: Mapping[UUID, UUID], *, most: int, now: datetime
) -> Start:
    """Where topics begin: each behind its last message, those that name none behind what is there now.

    Args:
        connection: Of a reading transaction.
        topic_ids: Which.
        since: The last message that a client had, by topic.
        most: How many messages are repeated to a client whose last one is not known any more.
        now: What has expired by then is not known.
    """
    places, gaps = dict.fromkeys(topic_ids, newest_position(connection)), set()
    for topic_id, message_id in since.items():
        place = position_of(connection, topic_id, message_id, now=now)
        if place is None:
            gaps.add(topic_id)
            place = position_before_newest(connection, topic_id, most, now=now)
        places[topic_id] = place
    return Start(places, frozenset(since.keys() - gaps), frozenset(gaps), is_replayed=bool(since))


def position_in(connection: Connection, topic_ids: Collection[UUID], message_id: UUID, *, now: datetime) -> int | None:
    """Where a message of one of these topics stands; None when it is gone, or another's."""
    topic_id = connection.execute(select(messages.c.topic_id).where(messages.c.id == message_id)).scalar_one_or_none()
    if topic_id is None or topic_id not in topic_ids:
        return None
    return position_of(connection, topic_id, message_id, now=now)


def before_newest(connection: Connection, topic_ids: Collection[UUID], most: int, *, now: datetime) -> int:
    """After which position the newest `most` messages of these topics stand; 0 when there are no more than these."""
    arms = [select(messages.c.position).where(is_visible(topic_id, now)) for topic_id in topic_ids]
    merged = union_all(*arms).subquery()
    statement = select(merged.c.position).order_by(merged.c.position.desc()).limit(1).offset(most)
    return connection.execute(statement).scalar_one_or_none() or 0


def merged_after(
    connection: Connection, places: Mapping[UUID, int], after: int, *, now: datetime, limit: int
) -> Sequence[tuple[int, Message]]:
    """Messages of many topics that came after a position, and after each topic's own place, oldest first.

    At most `limit`, and none only when there is none: it leaps to the next message of any of them, and reads on from
    there, so neither how many topics there are nor how many messages others have is what a page costs.
    """
    low = max(after, min(places.values()))
    while (first := _first_after(connection, places, low)) is not None:
        high = first + WINDOW
        rows = connection.execute(
            select(*COLUMNS, topics.c.name.label("topic"))
            .join_from(messages, topics, topics.c.id == messages.c.topic_id)
            .where(
                messages.c.topic_id.in_(places),
                messages.c.position >= first,
                messages.c.position < high,
                messages.c.is_deleted.is_(False),
                or_(messages.c.expires_at.is_(None), messages.c.expires_at > now),
            )
            .order_by(messages.c.position)
            .limit(limit)
        ).all()
        found = [(row.position, read_message(row, row.topic)) for row in rows if row.position > places[row.topic_id]]
        if found:
            return found
        low = rows[-1].position if len(rows) == limit else high - 1
    return ()


def _first_after(connection: Connection, topic_ids: Collection[UUID], position: int) -> int | None:
    """The position of the next message of any of these topics, a deleted one too: one look into the index for each."""
    first = (
        select(func.min(messages.c.position))
        .where(messages.c.topic_id == topics.c.id, messages.c.position > position)
        .scalar_subquery()
    )
    return connection.execute(select(func.min(first)).where(topics.c.id.in_(topic_ids))).scalar_one_or_none()
