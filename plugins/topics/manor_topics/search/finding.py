"""Finding messages: a page of them, newest first, and how many there are in all."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from manor import to_microseconds
from manor_topics.search import bitmaps, labels
from manor_topics.search.asking import Asked, Every, Term, either
from manor_topics.search.counting import Counted, Counter, Counts, Known, Place, Question
from manor_topics.search.index import BLOCK, HOUR, State
from manor_topics.search.scope import Scope
from manor_topics.search.words import Wanted

_FEW = 300
"""Rows that are looked up in the index one by one; more are met while it is read."""

_EARLIEST = 0
_LATEST = 2**62


@dataclass(frozen=True, slots=True)
class Criteria:
    """What messages are wanted.

    Args:
        wanted: Their words; None for any.
        tags: They have one of these; () for any.
        priority_min: The most important priority.
        priority_max: The least important one.
        date_from: None before this.
        date_to: None after this.
    """

    wanted: Wanted | None = None
    tags: Sequence[str] = ()
    priority_min: int | None = None
    priority_max: int | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None

    @property
    def priorities(self) -> range:
        """The priorities that they may have."""
        return range(self.priority_min or 1, (self.priority_max or 5) + 1)


@dataclass(frozen=True, slots=True)
class Found:
    """Positions of messages, newest first, how many match in all, and what was counted on the way."""

    positions: Sequence[int]
    total: int
    learned: Mapping[Place, tuple[int, int]]


NOTHING = Found((), 0, {})


def ask(connection: Connection, state: State, scope: Scope, criteria: Criteria) -> Question | None:
    """Put the question to the index; None when nothing can match."""
    if scope.is_nowhere or not criteria.priorities or (criteria.wanted is not None and criteria.wanted.is_nothing):
        return None
    parts: list[Asked] = [scope.asked] if scope.asked is not None else []
    if criteria.wanted is not None:
        parts += [Term(term) for term in sorted(criteria.wanted.terms, key=lambda term: (-len(term), term))]
        parts += [Term(prefix, is_beginning=True) for prefix in sorted(criteria.wanted.prefixes)]
    if criteria.tags:
        parts.append(either(map(labels.of_tag, criteria.tags)))
    if len(criteria.priorities) < 5:
        parts.append(either(map(labels.of_priority, criteria.priorities)))
    low, high = _bounds(connection, criteria, state)
    if low > high:
        return None
    return Question(Every(tuple(parts)) if parts else Term(labels.EVERY), scope.topics, low, high)


def find(
    connection: Connection,
    state: State,
    scope: Scope,
    criteria: Criteria,
    *,
    now: datetime,
    limit: int,
    offset: int,
    counts: Counts,
) -> Found:
    """A page of positions.

    Args:
        connection: Of a reading unit.
        state: The index as that sees it; what came later is not found.
        scope: Where to look.
        criteria: For what.
        now: What has expired by now is not found.
        limit: How many at most.
        offset: How many to skip.
        counts: What was counted before.
    """
    question = ask(connection, state, scope, criteria)
    if question is None:
        return NOTHING
    counter = Counter(connection, state, counts)
    left_out = sorted(_left_out(connection, question, criteria, now))
    counted = [
        Counted(part.low, part.high, part.count - len(_between(left_out, part))) for part in counter.count(question)
    ]
    positions = list(_page(connection, question, counter.known, counted, left_out, limit, offset))
    return Found(positions, sum(part.count for part in counted), counter.learned)


def _page(
    connection: Connection,
    question: Question,
    known: Known,
    counted: Sequence[Counted],
    left_out: Sequence[int],
    limit: int,
    offset: int,
) -> Iterator[int]:
    condition, given = question.condition
    for part in counted:
        if limit <= 0:
            return
        if offset >= part.count:
            offset -= part.count
            continue
        rows = _known_page(known, part, _between(left_out, part), limit, offset)
        if rows is None:
            sql = f"SELECT rowid FROM topics_search WHERE {condition} AND rowid BETWEEN ? AND ?"  # noqa: S608 - ours
            values = [*given, part.low, part.high]
            if without := _between(left_out, part):
                sql += " AND +rowid NOT IN (SELECT value FROM json_each(?))"
                values.append(json.dumps(without))
            sql += " ORDER BY rowid DESC LIMIT ? OFFSET ?"
            rows = connection.exec_driver_sql(sql, (*values, limit, offset)).scalars().all()
        yield from rows
        limit, offset = limit - len(rows), 0


def _known_page(known: Known, part: Counted, without: Sequence[int], limit: int, offset: int) -> Sequence[int] | None:
    places = known.places(part.low, part.high)
    if places is None:
        return None
    first = part.low - part.low % BLOCK
    for position in without:
        places &= ~(1 << position - first)
    return [first + place for place in bitmaps.highest(places, limit, offset)]


def _between(positions: Sequence[int], part: Counted) -> Sequence[int]:
    return positions[bisect_left(positions, part.low) : bisect_right(positions, part.high)]


# --- Dates: positions follow time, as far as clocks do -------------------------------------------------------------


def _bounds(connection: Connection, criteria: Criteria, state: State) -> tuple[int, int]:
    """Between which positions everything of these dates stands."""
    low, high = 1, state.position
    if criteria.date_from is not None:
        low = max(low, _first(connection, to_microseconds(criteria.date_from) // HOUR))
    if criteria.date_to is not None:
        high = min(high, _last(connection, to_microseconds(criteria.date_to) // HOUR))
    return low, high


def _first(connection: Connection, hour: int) -> int:
    """The first position of all that came in an hour or later."""
    sql = "SELECT min(first) FROM topics_search_times WHERE hour >= ?"
    found: int | None = connection.exec_driver_sql(sql, (hour,)).scalar_one()
    return _LATEST if found is None else found


def _last(connection: Connection, hour: int) -> int:
    """The last position of all that came in an hour or earlier."""
    sql = "SELECT max(last) FROM topics_search_times WHERE hour <= ?"
    return connection.exec_driver_sql(sql, (hour,)).scalar_one() or _EARLIEST


def _left_out(connection: Connection, question: Question, criteria: Criteria, now: datetime) -> set[int]:
    """Matches that are in the index and not to be found: expired ones, and those of the first and last hour that are
    too early or too late."""
    left_out = _expired(connection, question, now)
    if criteria.date_from is not None:
        time = to_microseconds(criteria.date_from)
        last = _last(connection, -(-time // HOUR) - 1)
        left_out |= _dated(connection, question, question.low, min(last, question.high), "<", time)
    if criteria.date_to is not None:
        time = to_microseconds(criteria.date_to)
        first = _first(connection, time // HOUR)
        left_out |= _dated(connection, question, max(first, question.low), question.high, ">", time)
    return left_out


def _expired(connection: Connection, question: Question, now: datetime) -> set[int]:
    """Expired matches whose rows are still there: they go within a minute or so, so there are few."""
    rows = connection.exec_driver_sql(
        "SELECT position FROM topics_messages INDEXED BY topics_messages_by_expiry "
        "WHERE expires_at <= ? AND is_deleted = 0 AND +position BETWEEN ? AND ?",
        (to_microseconds(now), question.low, question.high),
    )
    expired = rows.scalars().all()
    if not expired:
        return set()
    condition, values = question.condition
    rowid = "rowid" if len(expired) <= _FEW else "+rowid"
    sql = f"SELECT rowid FROM topics_search WHERE {condition} AND {rowid} IN (SELECT value FROM json_each(?))"  # noqa: S608 - ours
    return set(connection.exec_driver_sql(sql, (*values, json.dumps(expired))).scalars())


def _dated(connection: Connection, question: Question, low: int, high: int, comparison: str, time: int) -> set[int]:
    """Matches between two positions whose timestamp is before or after a moment."""
    if low > high:
        return set()
    condition, values = question.condition
    sql = (
        f"SELECT rowid FROM topics_search WHERE {condition} AND rowid BETWEEN ? AND ? AND "  # noqa: S608 - ours
        f"(SELECT d.timestamp FROM topics_messages d WHERE d.position = topics_search.rowid) {comparison} ?"
    )
    return set(connection.exec_driver_sql(sql, (*values, low, high, time)).scalars())
