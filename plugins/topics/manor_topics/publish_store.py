"""What a publish writes: the topic's next place, the message, its key and its day's count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Connection, and_, bindparam, case, delete, insert, or_, select, type_coerce, update

from manor import Prepared, PreparedRows, from_microseconds, to_microseconds
from manor_topics.domain import Topic
from manor_topics.events import MessagePublished
from manor_topics.message_store import COLUMNS, read_extras
from manor_topics.tables import daily, messages, publish_keys, topics

SMALL_STEP = timedelta(minutes=1)
"""How far a wall clock may jump back without a topic's timestamps doing the same."""

_SMALL_STEP = SMALL_STEP // timedelta(microseconds=1)

_JSON = msgspec.json.Encoder()
_FORGET_AT_ONCE = 100
_EPOCH_DAY = 719_163
"""The first of January 1970, as `date.toordinal` counts."""


class Place(msgspec.Struct, frozen=True):
    """What a new message gets from its topic."""

    topic: str
    sequence: int
    timestamp: datetime


class Tail(msgspec.Struct):
    """Where a topic ends, to be moved on in memory.

    Args:
        topic: The topic's name.
        sequence: Of the newest message.
        latest_at: Its timestamp in microseconds; None before the first.
        more: How many came since this was read.
    """

    topic: str
    sequence: int
    latest_at: int | None
    more: int = 0

    def advance(self, now: int) -> int:
        """Count one more message in, as the function `advance` does; returns its timestamp."""
        latest = self.latest_at
        if latest is None or not now <= latest < now + _SMALL_STEP:
            latest = now - 1
        self.latest_at = latest + 1
        self.sequence += 1
        self.more += 1
        return latest + 1


class Day(msgspec.Struct):
    """Somebody's messages of one day.

    Args:
        payer_id: On whose account they went.
        day: See `day_of`.
        messages: How many.
        stored: How many of them were counted before; None for a day without any.
    """

    payer_id: UUID
    day: int
    messages: int
    stored: int | None


_now = bindparam("now", type_=BigInteger)
_latest = type_coerce(topics.c.latest_at, BigInteger)
_next = case(
    (and_(_latest >= _now, _latest < _now + _SMALL_STEP), _latest + 1),
    else_=_now,
)
_ADVANCE = Prepared(
    update(topics)
    .where(topics.c.id == bindparam("topic_id"))
    .values(
        last_sequence=topics.c.last_sequence + 1,
        message_count=topics.c.message_count + 1,
        latest_at=_next,
        last_message_at=_next,
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


_READ_TAIL = Prepared(
    select(topics.c.name, topics.c.last_sequence, _latest).where(topics.c.id == bindparam("topic_id")), ["topic_id"]
)
_KEEP_TAIL = Prepared(
    update(topics)
    .where(topics.c.id == bindparam("topic_id"))
    .values(
        last_sequence=bindparam("sequence"),
        message_count=topics.c.message_count + bindparam("more"),
        latest_at=bindparam("at", type_=BigInteger),
        last_message_at=bindparam("at", type_=BigInteger),
    ),
    ["topic_id", "sequence", "more", "at"],
)


def read_tail(connection: Connection, topic_id: UUID) -> Tail | None:
    """Where a topic ends; None when it is gone."""
    row = _READ_TAIL.run(connection, topic_id.bytes).fetchone()
    return None if row is None else Tail(*row)


def keep_tail(connection: Connection, topic_id: UUID, tail: Tail) -> None:
    """Store what was counted in."""
    if tail.more:
        _KEEP_TAIL.run(connection, topic_id.bytes, tail.sequence, tail.more, tail.latest_at)


_ADD = PreparedRows(
    messages,
    [column.name for column in messages.c],
    optional=["title", "expires_at", "edited_at", "publisher_id", "extras"],
)


def add_messages(connection: Connection, told: Sequence[MessagePublished]) -> None:
    """Store messages at their positions."""
    _ADD.add(connection, [_row(message) for message in told])


def _row(message: MessagePublished) -> Sequence[Any]:
    return (
        message.position,
        bytearray(message.id.bytes),
        bytearray(message.topic_id.bytes),
        message.sequence,
        message.message,
        message.title,
        message.priority,
        _JSON.encode(message.tags).decode() if message.tags else "[]",
        to_microseconds(message.timestamp),
        None if message.expires_at is None else to_microseconds(message.expires_at),
        0,
        None,
        None if message.publisher_id is None else bytearray(message.publisher_id.bytes),
        None if message.extras is None else _JSON.encode(message.extras).decode(),
    )


_COUNT = Prepared(
    update(daily)
    .where(daily.c.payer_id == bindparam("payer_id"), daily.c.day == bindparam("this_day"))
    .values(messages=daily.c.messages + 1)
    .returning(daily.c.messages),
    ["payer_id", "this_day"],
)


def day_of(time: datetime) -> int:
    """The day of a moment in UTC, in days since 1970."""
    return time.date().toordinal() - _EPOCH_DAY


_READ_DAY = Prepared(
    select(daily.c.messages).where(daily.c.payer_id == bindparam("payer_id"), daily.c.day == bindparam("this_day")),
    ["payer_id", "this_day"],
)
_KEEP_DAY = Prepared(
    update(daily)
    .where(daily.c.payer_id == bindparam("payer_id"), daily.c.day == bindparam("this_day"))
    .values(messages=bindparam("number")),
    ["payer_id", "this_day", "number"],
)
_BEGIN_DAY = Prepared(insert(daily), ["payer_id", "day", "messages"])


def read_day(connection: Connection, payer_id: UUID, now: datetime) -> Day:
    """How many messages of today, in UTC, went on somebody's account."""
    today = day_of(now)
    row = _READ_DAY.run(connection, payer_id.bytes, today).fetchone()
    stored = None if row is None else int(row[0])
    return Day(payer_id, today, stored or 0, stored)


def keep_day(connection: Connection, day: Day) -> None:
    """Store how many it are by now."""
    if day.messages == (day.stored or 0):
        return
    if day.stored is None:
        _BEGIN_DAY.run(connection, day.payer_id.bytes, day.day, day.messages)
    else:
        _KEEP_DAY.run(connection, day.payer_id.bytes, day.day, day.messages)


def count_today(connection: Connection, payer_id: UUID, now: datetime) -> int:
    """Count one more message on somebody's account; how many it are today, in UTC."""
    today = day_of(now)
    row = _COUNT.run(connection, payer_id.bytes, today).fetchone()
    if row is not None:
        return int(row[0])
    _BEGIN_DAY.run(connection, payer_id.bytes, today, 1)
    return 1


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
        select(publish_keys.c.fingerprint, *COLUMNS)
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
        publisher_id=row.publisher_id,
        extras=read_extras(row.extras),
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
