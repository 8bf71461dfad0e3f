"""Deleted messages, for those who manage a topic: they are in no index, and few, so each is looked at."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime

import msgspec
from sqlalchemy import Connection, or_, select

from manor_topics.domain import Topic
from manor_topics.message_store import COLUMNS
from manor_topics.search import scope
from manor_topics.search.counting import Counts
from manor_topics.search.finding import Criteria, Found, find
from manor_topics.search.index import State
from manor_topics.search.words import terms_of
from manor_topics.tables import messages


def with_deleted(
    connection: Connection,
    state: State,
    topic: Topic,
    criteria: Criteria,
    *,
    now: datetime,
    limit: int,
    offset: int,
    counts: Counts,
) -> Found:
    """As `find` in one topic, with the deleted messages in their places."""
    deleted = _deleted(connection, topic, criteria, now)
    # Each of the others moves down by at most as many places as there are deleted ones.
    skipped = max(0, offset - len(deleted))
    others = find(
        connection,
        state,
        scope.of_topics([topic.id]),
        criteria,
        now=now,
        limit=limit + len(deleted),
        offset=skipped,
        counts=counts,
    )
    rising, gone = sorted(others.positions), sorted(deleted)
    placed = [
        (skipped + rank + len(gone) - bisect_left(gone, position), position)
        for rank, position in enumerate(others.positions)
    ]
    # A deleted one that is newer than all that were read, where some were skipped, is on an earlier page.
    placed += [
        (skipped + rank + len(rising) - bisect_left(rising, position), position)
        for rank, position in enumerate(deleted)
        if not skipped or (rising and position < rising[-1])
    ]
    page = sorted((place, position) for place, position in placed if offset <= place < offset + limit)
    return Found([position for _, position in page], others.total + len(deleted), others.learned)


def _deleted(connection: Connection, topic: Topic, criteria: Criteria, now: datetime) -> list[int]:
    rows = connection.execute(
        select(*COLUMNS)
        .where(
            messages.c.topic_id == topic.id,
            messages.c.is_deleted == 1,
            or_(messages.c.expires_at.is_(None), messages.c.expires_at > now),
        )
        .order_by(messages.c.position.desc())
    )
    return [
        row.position
        for row in rows
        if row.priority in criteria.priorities
        and (not criteria.tags or set(criteria.tags) & set(msgspec.json.decode(row.tags, type=list[str])))
        and (criteria.date_from is None or row.timestamp >= criteria.date_from)
        and (criteria.date_to is None or row.timestamp <= criteria.date_to)
        and _has_words(criteria, row.title, row.message)
    ]


def _has_words(criteria: Criteria, title: str | None, message: str) -> bool:
    wanted = criteria.wanted
    return wanted is None or (not wanted.is_nothing and wanted.matches(terms_of(title, message)))
