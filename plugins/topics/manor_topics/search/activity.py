"""How many messages came, hour by hour or day by day, and how important they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row

from manor import to_microseconds
from manor_topics.search.finding import Criteria, ask
from manor_topics.search.index import DAY, HOUR, State
from manor_topics.search.scope import Scope

Bucket = Literal["hour", "day"]

LENGTHS: Mapping[Bucket, int] = {"hour": HOUR, "day": DAY}
MOST_BUCKETS = 1000
HOURS_UP_TO = timedelta(hours=72)
"""Longer times are shown by days, unless hours are asked for."""

_AT_ONCE = 500
"""Topics that one statement asks for."""

Cells = Counter[tuple[int, int]]
"""How many, by the bucket's number since 1970 and the priority."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is asked for; both ends are included.

    Args:
        start: Where it begins.
        end: Where it ends.
        bucket: What it is divided into.
    """

    start: datetime
    end: datetime
    bucket: Bucket

    @property
    def buckets(self) -> range:
        """Their numbers since 1970."""
        length = LENGTHS[self.bucket]
        return range(to_microseconds(self.start) // length, to_microseconds(self.end) // length + 1)


def automatic(start: datetime, end: datetime) -> Bucket:
    """What a time is divided into when nobody says."""
    return "hour" if end - start <= HOURS_UP_TO else "day"


def count_all(
    connection: Connection, state: State, topics: Collection[UUID], criteria: Criteria, span: Span, now: datetime
) -> Cells:
    """Count all messages of some topics from the counts by hour and day, which are kept beside the index.

    Only the first and the last hour, where the time does not begin and end with one, are counted message by message.
    """
    start, end = to_microseconds(span.start), to_microseconds(span.end) + 1
    first, last = -(-start // HOUR), end // HOUR
    cells: Cells = Counter()
    ids = [id_.bytes for id_ in topics]
    for some in (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE)):
        if first > last:
            _add_rows(connection, state, some, start, end, span, cells)
        else:
            _add_rows(connection, state, some, start, first * HOUR, span, cells)
            _add_rows(connection, state, some, last * HOUR, end, span, cells)
            _add_hours(connection, some, first, last, span, cells)
        _take_expired(connection, state, some, (start, end), now, span, cells)
    return Counter({cell: count for cell, count in cells.items() if count > 0 and cell[1] in criteria.priorities})


def count_matches(
    connection: Connection, state: State, scope: Scope, criteria: Criteria, span: Span, now: datetime
) -> Cells:
    """Count messages with certain words or tags: each match's row is looked at."""
    question = ask(connection, state, scope, criteria)
    if question is None:
        return Counter()
    condition, values = question.condition
    rows = connection.exec_driver_sql(
        "SELECT m.timestamp / ?, m.priority, count(*) FROM topics_search "  # noqa: S608 - ours
        "CROSS JOIN topics_messages m ON m.position = topics_search.rowid "
        f"WHERE {condition} AND topics_search.rowid BETWEEN ? AND ? AND m.timestamp BETWEEN ? AND ? "
        "AND (m.expires_at IS NULL OR m.expires_at > ?) GROUP BY 1, 2",
        (
            LENGTHS[span.bucket],
            *values,
            question.low,
            question.high,
            to_microseconds(span.start),
            to_microseconds(span.end),
            to_microseconds(now),
        ),
    )
    return Counter({(bucket, priority): count for bucket, priority, count in rows})


def _add_hours(connection: Connection, topics: list[bytes], first: int, last: int, span: Span, cells: Cells) -> None:
    """Add whole hours; whole days among them as such, where days are asked for."""
    if span.bucket == "hour":
        _add_kept(connection, "hours", topics, first, last, 1, cells)
        return
    first_day, last_day = -(-first // 24), last // 24
    if first_day > last_day:
        _add_kept(connection, "hours", topics, first, last, 24, cells)
        return
    _add_kept(connection, "hours", topics, first, first_day * 24, 24, cells)
    _add_kept(connection, "hours", topics, last_day * 24, last, 24, cells)
    _add_kept(connection, "days", topics, first_day, last_day, 1, cells)


def _add_kept(
    connection: Connection, table: str, topics: list[bytes], first: int, before: int, divisor: int, cells: Cells
) -> None:
    if first < before:
        rows = connection.exec_driver_sql(
            f"SELECT start / ?, priority, sum(messages) FROM topics_search_{table} "  # noqa: S608 - a constant
            f"WHERE topic_id IN ({_marks(topics)}) AND start >= ? AND start < ? GROUP BY 1, 2",
            (divisor, *topics, first, before),
        )
        _add(cells, rows)


def _add_rows(
    connection: Connection, state: State, topics: list[bytes], start: int, before: int, span: Span, cells: Cells
) -> None:
    """Add the messages of less than an hour or two, one by one."""
    if start >= before:
        return
    low, high = connection.exec_driver_sql(
        "SELECT min(first), max(last) FROM topics_search_times WHERE hour BETWEEN ? AND ?",
        (start // HOUR, (before - 1) // HOUR),
    ).one()
    if low is None:
        return
    rows = connection.exec_driver_sql(
        "SELECT timestamp / ?, priority, count(*) FROM topics_messages NOT INDEXED "  # noqa: S608 - marks
        "WHERE position BETWEEN ? AND ? AND timestamp >= ? AND timestamp < ? AND is_deleted = 0 "
        f"AND topic_id IN ({_marks(topics)}) GROUP BY 1, 2",
        (LENGTHS[span.bucket], low, min(high, state.position), start, before, *topics),
    )
    _add(cells, rows)


def _take_expired(
    connection: Connection,
    state: State,
    topics: list[bytes],
    between: tuple[int, int],
    now: datetime,
    span: Span,
    cells: Cells,
) -> None:
    """Expired messages count until their rows go, a little later."""
    rows = connection.exec_driver_sql(
        "SELECT timestamp / ?, priority, -count(*) "  # noqa: S608 - marks
        "FROM topics_messages INDEXED BY topics_messages_by_expiry "
        "WHERE expires_at <= ? AND is_deleted = 0 AND timestamp >= ? AND timestamp < ? AND +position <= ? "
        f"AND +topic_id IN ({_marks(topics)}) GROUP BY 1, 2",
        (LENGTHS[span.bucket], to_microseconds(now), *between, state.position, *topics),
    )
    _add(cells, rows)


def _add(cells: Cells, rows: Iterable[Row[*tuple[Any, ...]]]) -> None:
    for bucket, priority, count in rows:
        cells[bucket, priority] += count


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
