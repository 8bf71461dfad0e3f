"""Tables of topics and messages, and every question asked of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    String,
    Table,
    and_,
    bindparam,
    case,
    delete,
    insert,
    or_,
    select,
    type_coerce,
    update,
)

from manor import Id, Time, from_microseconds, to_microseconds
from manor_topics.domain import Topic
from manor_topics.events import MessagePublished
from manor_topics.messages import Message, TopicListed, listed
from manor_topics.prepared import Prepared

metadata = MetaData()

topics = Table(
    "topics_topics",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("owner_id", Id, nullable=False),
    Column("team_id", Id),
    Column("access_level", String, nullable=False),
    Column("description", String),
    Column("is_discoverable", Boolean, nullable=False),
    Column("icon_name", String),
    Column("icon_color", String),
    Column("created_at", Time, nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("message_count", BigInteger, nullable=False),
    Column("last_message_at", Time),
)
"""`last_sequence` numbers a topic's messages; both counters change in the transaction of the message."""

messages = Table(
    "topics_messages",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Id, nullable=False, unique=True),
    Column("topic_id", Id, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("message", String, nullable=False),
    Column("title", String),
    Column("priority", Integer, nullable=False),
    Column("tags", String, nullable=False),
    Column("timestamp", Time, nullable=False),
    Column("expires_at", Time),
    Column("is_deleted", Boolean, nullable=False),
    Column("edited_at", Time),
)
"""The server-wide position is the key, so that messages lie in the order in which they are read."""

publish_keys = Table(
    "topics_publish_keys",
    metadata,
    Column("topic_id", Id, primary_key=True),
    Column("publisher", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("created_at", Time, nullable=False),
)
"""What was published under an `Idempotency-Key`."""

SMALL_STEP = timedelta(minutes=1)
"""How far a wall clock may jump back without a topic's timestamps doing the same."""

_FORGET_AT_ONCE = 100
_AnyRow = Row[*tuple[Any, ...]]
_TOPIC_FIELDS = Topic.__struct_fields__
_TOPIC_COLUMNS = tuple(topics.c[name] for name in _TOPIC_FIELDS)


# --- Topics --------------------------------------------------------------------------------------------------------


def find_topic(connection: Connection, reference: UUID | str) -> Topic | None:
    """The topic of that id or name."""
    column = topics.c.id if isinstance(reference, UUID) else topics.c.name
    row = connection.execute(select(*_TOPIC_COLUMNS).where(column == reference)).one_or_none()
    return None if row is None else Topic(*row)


def find_listed(connection: Connection, topic_id: UUID) -> TopicListed | None:
    """The topic with its counters."""
    row = connection.execute(_listing().where(topics.c.id == topic_id)).one_or_none()
    return None if row is None else _listed(row)


def list_topics(
    connection: Connection, *, discoverable_only: bool, reader_id: UUID | None, reads_all: bool, limit: int, offset: int
) -> list[TopicListed]:
    """Topics that someone may read, those with the newest messages first, then by name.

    Args:
        connection: Of a reading transaction.
        discoverable_only: Leave out public topics that are not discoverable.
        reader_id: Whose private topics are listed too; None for nobody's.
        reads_all: List every private topic.
        limit: How many at most.
        offset: How many to skip.
    """
    is_shown: ColumnElement[bool] = topics.c.access_level == "public"
    if discoverable_only:
        is_shown = and_(is_shown, topics.c.is_discoverable)
    if reads_all:
        is_shown = or_(is_shown, topics.c.access_level == "private")
    elif reader_id is not None:
        is_shown = or_(is_shown, topics.c.owner_id == reader_id)
    statement = _listing().where(is_shown).order_by(topics.c.last_message_at.desc().nulls_last(), topics.c.name)
    return [_listed(row) for row in connection.execute(statement.limit(limit).offset(offset))]


def add_topic(connection: Connection, topic: Topic) -> None:
    """Store a new topic. The caller has seen that its name is free."""
    counters = {"last_sequence": 0, "message_count": 0}
    connection.execute(insert(topics).values({**msgspec.structs.asdict(topic), **counters}))


def named_like(connection: Connection, names: Collection[str]) -> list[Topic]:
    """The topics that have one of these names."""
    return [Topic(*row) for row in connection.execute(select(*_TOPIC_COLUMNS).where(topics.c.name.in_(names)))]


def _listing() -> Select[*tuple[Any, ...]]:
    return select(*_TOPIC_COLUMNS, topics.c.message_count, topics.c.last_message_at)


def _listed(row: _AnyRow) -> TopicListed:
    *own, message_count, last_message_at = row
    return listed(Topic(*own), message_count=message_count, last_message_at=last_message_at)


# --- Publishing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """What a new message gets from its topic."""

    topic: str
    sequence: int
    timestamp: datetime


_now = bindparam("now", type_=BigInteger)
_latest = type_coerce(topics.c.last_message_at, BigInteger)
_ADVANCE = Prepared(
    update(topics)
    .where(topics.c.id == bindparam("topic_id"))
    .values(
        last_sequence=topics.c.last_sequence + 1,
        message_count=topics.c.message_count + 1,
        last_message_at=case(
            (and_(_latest >= _now, _latest < _now + SMALL_STEP // timedelta(microseconds=1)), _latest + 1),
            else_=_now,
        ),
    )
    .returning(topics.c.name, topics.c.last_sequence, _latest),
    ["topic_id", "now"],
)


def advance(connection: Connection, topic_id: UUID, now: datetime) -> Place | None:
    """Count one more message in; None when the topic is gone.

    Timestamps of one topic grow by at least a microsecond, so that whoever polls by time skips nothing: small steps
    back of the wall clock are evened out, large ones are told as they are.
    """
    row = _ADVANCE.run(connection, topic_id.bytes, to_microseconds(now)).fetchone()
    return None if row is None else Place(row[0], row[1], from_microseconds(row[2]))


_ADD = Prepared(insert(messages), [column.name for column in messages.c])


def add_message(connection: Connection, message: MessagePublished) -> None:
    """Store a message at its position."""
    _ADD.run(
        connection,
        message.position,
        message.id.bytes,
        message.topic_id.bytes,
        message.sequence,
        message.message,
        message.title,
        message.priority,
        msgspec.json.encode(message.tags).decode() if message.tags else "[]",
        to_microseconds(message.timestamp),
        None if message.expires_at is None else to_microseconds(message.expires_at),
        0,
        None,
    )


@dataclass(frozen=True, slots=True)
class Published:
    """What a key was used for: the draft's fingerprint, and the message."""

    fingerprint: bytes
    message: MessagePublished


def find_published(
    connection: Connection, topic: Topic, publisher: str, key: str, *, since: datetime
) -> Published | None:
    """What this publisher published under that key, if it was after `since`."""
    statement = (
        select(publish_keys.c.fingerprint, *_MESSAGE_COLUMNS)
        .join_from(publish_keys, messages, messages.c.position == publish_keys.c.position)
        .where(
            publish_keys.c.topic_id == topic.id,
            publish_keys.c.publisher == publisher,
            publish_keys.c.key == key,
            publish_keys.c.created_at > since,
        )
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    told = MessagePublished(
        id=row.id,
        topic_id=row.topic_id,
        topic=topic.name,
        message=row.message,
        title=row.title,
        priority=row.priority,
        tags=msgspec.json.decode(row.tags, type=list[str]),
        timestamp=row.timestamp,
        expires_at=row.expires_at,
        sequence=row.sequence,
        position=row.position,
    )
    return Published(row.fingerprint, told)


def note_key(
    connection: Connection,
    topic_id: UUID,
    publisher: str,
    key: str,
    *,
    fingerprint: bytes,
    position: int,
    now: datetime,
    forget_before: datetime,
) -> None:
    """Remember what a key was used for, and forget some of those that are too old to matter."""
    this = and_(publish_keys.c.topic_id == topic_id, publish_keys.c.publisher == publisher, publish_keys.c.key == key)
    old = select(publish_keys.c.position).where(publish_keys.c.created_at <= forget_before).limit(_FORGET_AT_ONCE)
    connection.execute(delete(publish_keys).where(or_(this, publish_keys.c.position.in_(old))))
    connection.execute(
        insert(publish_keys).values(
            topic_id=topic_id,
            publisher=publisher,
            key=key,
            fingerprint=fingerprint,
            position=position,
            created_at=now,
        )
    )


# --- Reading -------------------------------------------------------------------------------------------------------

_MESSAGE_COLUMNS = (
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
)


def _message(row: _AnyRow, topic: str) -> Message:
    is_edited = row.edited_at is not None
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
    )


def _visible(topic_id: UUID, now: datetime) -> ColumnElement[bool]:
    is_kept = or_(messages.c.expires_at.is_(None), messages.c.expires_at > now)
    return and_(messages.c.topic_id == topic_id, messages.c.is_deleted.is_(False), is_kept)


def messages_after(
    connection: Connection, topic: Topic, position: int, *, now: datetime, limit: int
) -> Sequence[tuple[int, Message]]:
    """Messages that came after a position, oldest first, each with its own position."""
    statement = (
        select(*_MESSAGE_COLUMNS)
        .where(_visible(topic.id, now), messages.c.position > position)
        .order_by(messages.c.position)
        .limit(limit)
    )
    return [(row.position, _message(row, topic.name)) for row in connection.execute(statement)]


def newest_messages(connection: Connection, topic: Topic, *, now: datetime, limit: int) -> list[Message]:
    """The newest messages, newest first."""
    statement = (
        select(*_MESSAGE_COLUMNS).where(_visible(topic.id, now)).order_by(messages.c.position.desc()).limit(limit)
    )
    return [_message(row, topic.name) for row in connection.execute(statement)]


def position_of(connection: Connection, topic_id: UUID, message_id: UUID, *, now: datetime) -> int | None:
    """Where a message stands; None when it is gone, or another topic's."""
    statement = select(messages.c.position).where(messages.c.id == message_id, _visible(topic_id, now))
    return connection.execute(statement).scalar_one_or_none()


def position_before_newest(connection: Connection, topic_id: UUID, count: int, *, now: datetime) -> int:
    """After which position the newest `count` messages stand; 0 when there are no more than these."""
    statement = (
        select(messages.c.position)
        .where(_visible(topic_id, now))
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
