"""Questions asked of messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from manor_topics.domain import Topic
from manor_topics.messages import NO_EXTRAS, Extras, Message
from manor_topics.tables import messages, topics

_AnyRow = Row[*tuple[Any, ...]]

COLUMNS = (
    messages.c.position,
    messages.c.id,
    messages.c.topic_id,
    messages.c.sequence,
    messages.c.message,
    messages.c.title,
    messages.c.priority,
    messages.c.tags,
    messages.c.timestamp,
    messages.c.expires_at,
    messages.c.is_deleted,
    messages.c.edited_at,
    messages.c.publisher_id,
    messages.c.extras,
)
"""What `read_message` wants."""


def read_extras(text: str | None) -> Extras | None:
    """What a message has beside its text, from its column."""
    return None if text is None else msgspec.json.decode(text, type=Extras)


def read_message(row: _AnyRow, topic: str) -> Message:
    """The message of a row that has all `COLUMNS`."""
    is_edited = row.edited_at is not None
    extras = read_extras(row.extras) or NO_EXTRAS
    return Message(
        id=row.id,
        topic_id=row.topic_id,
        topic=topic,
        message=row.message,
        title=row.title,
        priority=row.priority,
        tags=msgspec.json.decode(row.tags, type=list[str]),
        timestamp=row.timestamp,
        expires_at=row.expires_at,
        sequence=row.sequence,
        is_deleted=row.is_deleted,
        is_edited=is_edited,
        edited_at=row.edited_at if is_edited else msgspec.UNSET,
        click=extras.click,
        icon=extras.icon,
        markdown=extras.markdown,
        actions=extras.actions,
        attachment=extras.attachment,
    )


def is_visible(topic_id: UUID, now: datetime) -> ColumnElement[bool]:
    """Whether a message is one of this topic's that is neither deleted nor expired."""
    is_kept = or_(messages.c.expires_at.is_(None), messages.c.expires_at > now)
    return and_(messages.c.topic_id == topic_id, messages.c.is_deleted.is_(False), is_kept)


def messages_after(
    connection: Connection, topic: Topic, position: int, *, now: datetime, limit: int
) -> Sequence[tuple[int, Message]]:
    """Messages that came after a position, oldest first, each with its own position."""
    statement = (
        select(*COLUMNS)
        .where(is_visible(topic.id, now), messages.c.position > position)
        .order_by(messages.c.position)
        .limit(limit)
    )
    return [(row.position, read_message(row, topic.name)) for row in connection.execute(statement)]


def all_after(connection: Connection, position: int, *, limit: int) -> Sequence[tuple[int, Message]]:
    """Messages of all topics that came after a position, oldest first, each with its own position; not deleted ones."""
    statement = (
        select(*COLUMNS, topics.c.name.label("topic"))
        .join_from(messages, topics, topics.c.id == messages.c.topic_id)
        .where(messages.c.position > position, messages.c.is_deleted.is_(False))
        .order_by(messages.c.position)
        .limit(limit)
    )
    return [(row.position, read_message(row, row.topic)) for row in connection.execute(statement)]


def newest_position(connection: Connection) -> int:
    """The position of the newest message of all; 0 when there is none."""
    return connection.execute(select(func.max(messages.c.position))).scalar_one() or 0


def newest_messages(connection: Connection, topic: Topic, *, now: datetime, limit: int) -> list[Message]:
    """The newest messages, newest first."""
    statement = select(*COLUMNS).where(is_visible(topic.id, now)).order_by(messages.c.position.desc()).limit(limit)
    return [read_message(row, topic.name) for row in connection.execute(statement)]


def position_of(connection: Connection, topic_id: UUID, message_id: UUID, *, now: datetime) -> int | None:
    """Where a message stands; None when it is gone, or another topic's."""
    statement = select(messages.c.position).where(messages.c.id == message_id, is_visible(topic_id, now))
    return connection.execute(statement).scalar_one_or_none()


def position_before_newest(connection: Connection, topic_id: UUID, count: int, *, now: datetime) -> int:
    """After which position the newest `count` messages stand; 0 when there are no more than these."""
    statement = (
        select(messages.c.position)
        .where(is_visible(topic_id, now))
        .order_by(messages.c.position.desc())
        .limit(1)
        .offset(count)
    )
    return connection.execute(statement).scalar_one_or_none() or 0


def position_at(connection: Connection, topic_id: UUID, time: datetime) -> int:
    """The position of the last message that is not younger than `time`; 0 when all are.

    A topic's timestamps grow with its positions, so the place is found by halving, without an index on time.
    """

    def last_between(low: int, high: int) -> Row[int, datetime] | None:
        return connection.execute(
            select(messages.c.position, messages.c.timestamp)
            .where(messages.c.topic_id == topic_id, messages.c.position > low, messages.c.position <= high)
            .order_by(messages.c.position.desc())
            .limit(1)
        ).one_or_none()

    newest = last_between(0, 2**62)
    found, low, high = 0, 0, 0 if newest is None else newest.position
    while low < high:
        middle = (low + high + 1) // 2
        row = last_between(low, middle)
        if row is None:
            low = middle
        elif row.timestamp <= time:
            found, low = row.position, middle
        else:
            high = row.position - 1
    return found
