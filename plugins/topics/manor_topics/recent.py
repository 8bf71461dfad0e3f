"""The newest messages of many topics."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from manor_topics.message_store import COLUMNS, read_message
from manor_topics.messages import Message
from manor_topics.tables import messages, topics


def newest_of(connection: Connection, is_wanted: ColumnElement[bool], *, now: datetime, limit: int) -> list[Message]:
    """The newest messages of some topics, newest first.

    However many messages the topics have, a few of each are looked at: none that is older than the newest messages of
    `limit` topics.

    Args:
        connection: Of a reading transaction.
        is_wanted: Which topics.
        now: What has expired by then is left out.
        limit: How many at most.
    """
    own = messages.alias("own")
    is_own = and_(
        own.c.topic_id == topics.c.id,
        own.c.is_deleted.is_(False),
        or_(own.c.expires_at.is_(None), own.c.expires_at > now),
    )
    newest_first = own.c.position.desc()
    head = select(own.c.position).where(is_own).order_by(newest_first).limit(1).correlate(topics).scalar_subquery()
    heads = select(head.label("position")).where(is_wanted).subquery()
    enough = select(heads.c.position).order_by(heads.c.position.desc().nulls_last()).limit(1).offset(limit - 1)
    oldest = connection.execute(select(func.coalesce(enough.scalar_subquery(), 0))).scalar_one()

    some = select(own.c.position).where(is_own, own.c.position >= oldest).order_by(newest_first).limit(limit)
    # An outer join: SQLite would go through all messages first, and ask each whether it is among a topic's newest.
    each = topics.outerjoin(messages, messages.c.position.in_(some.correlate(topics)))
    statement = select(*COLUMNS, topics.c.name.label("topic")).select_from(each).where(is_wanted)
    rows = connection.execute(statement.order_by(messages.c.position.desc().nulls_last()).limit(limit))
    return [read_message(row, row.topic) for row in rows if row.position is not None]
