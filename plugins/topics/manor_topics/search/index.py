"""The full-text index of messages: written behind publishing, kept right when messages change or vanish.

Its place, the counts by hour and the index itself change in one transaction, so whatever stops the process leaves them
agreeing. Terms of a row are worked out from the row whenever they are needed; the index keeps no texts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Row
from sqlalchemy.engine.interfaces import DBAPICursor

from manor import to_microseconds
from manor_topics import store
from manor_topics.search import labels
from manor_topics.search.words import FOLDING, terms_of

BLOCK = 131_072
"""Positions whose matches are counted together. See `counting`."""

HOUR = 3_600_000_000
DAY = 24 * HOUR
MOST_TEXT = 500_000
"""Characters that are made into terms at once."""

MERGE_PAGES = 200
"""Pages of the index that one step of merging writes: some ten milliseconds."""

_TAGS = msgspec.json.Decoder(list[str])
_READ = (
    "SELECT position, topic_id, message, title, priority, tags, timestamp, is_deleted FROM topics_messages "
    "WHERE position > ? ORDER BY position LIMIT ?"
)
_READ_SOME = (
    "SELECT m.topic_id, m.message, m.title, m.priority, m.tags, p.labels FROM topics_messages m "
    "LEFT JOIN topics_search_places p ON p.topic_id = m.topic_id "
    "WHERE m.position IN (SELECT value FROM json_each(?)) AND m.is_deleted = 0"
)
_ADD = "INSERT INTO topics_search (rowid, terms) VALUES (?, ?)"
_REMOVE = "INSERT INTO topics_search (topics_search, rowid, terms) VALUES ('delete', ?, ?)"


@dataclass(frozen=True, slots=True)
class State:
    """How far the index has come.

    Args:
        position: Every message up to here is in it.
        epoch: How many times it was made anew.
        ahead: How many messages changed before they came into it.
        unmerged: How many messages left it whose words may still be in its pages.
        merging: How many of them the merge that is under way is about.
        folding: How texts became terms; see `words.FOLDING`.
    """

    position: int
    epoch: int
    ahead: int
    unmerged: int
    merging: int
    folding: str

    @property
    def is_current(self) -> bool:
        """Whether texts become the same terms today."""
        return self.folding == FOLDING


@dataclass(frozen=True, slots=True)
class Entry:
    """A message on its way into the index."""

    position: int
    topic_id: bytes
    priority: int
    timestamp: int
    terms: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages on their way into the index, and the state that they were read in."""

    state: State
    entries: Sequence[Entry]
    newest: int

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing new."""
        return self.newest == self.state.position


def read_state(connection: Connection) -> State:
    """How far the index has come."""
    row = connection.exec_driver_sql(
        "SELECT position, epoch, ahead, unmerged, merging, folding FROM topics_search_state"
    ).one()
    return State(*row)


def gather(connection: Connection, limit: int) -> Batch:
    """Read what comes next and work out its terms: most of the work, done beside the writer."""
    state = read_state(connection)
    newest, entries, length = state.position, [], 0
    cursor = _cursor(connection)
    cursor.execute(_READ, (state.position, limit))
    for position, topic_id, message, title, priority, tags, timestamp, is_deleted in cursor.fetchall():
        if length > MOST_TEXT:
            break
        newest = position
        if not is_deleted:
            terms = _terms(topic_id, message, title, priority, tags)
            entries.append(Entry(position, topic_id, priority, timestamp, terms))
            length += len(message)
    return Batch(state, entries, newest)


def add(connection: Connection, batch: Batch) -> bool:
    """Put a batch in, unless one of its messages changed since it was read, or another batch was faster.

    Returns:
        Whether it was put in.
    """
    state = read_state(connection)
    if (state.position, state.epoch, state.ahead) != (batch.state.position, batch.state.epoch, batch.state.ahead):
        return False
    cursor = _cursor(connection)
    places = _places(connection, cursor, {entry.topic_id for entry in batch.entries})
    cursor.executemany(_ADD, [(entry.position, f"{entry.terms} {places[entry.topic_id]}") for entry in batch.entries])
    _count(cursor, [(entry.topic_id, entry.timestamp, entry.priority) for entry in batch.entries], 1)
    _note_times(cursor, batch.entries)
    cursor.execute("UPDATE topics_search_state SET position = ?, folding = ?", (batch.newest, FOLDING))
    return True


def forget(connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]]) -> None:
    """Messages vanish: take them out.

    Args:
        connection: Of the transaction in which they do.
        rows: All columns of the messages, as they were while they were visible.
    """
    _take_out(connection, rows)


def renew(connection: Connection, before: Row[*tuple[Any, ...]], after: Row[*tuple[Any, ...]]) -> None:
    """A message was edited: have it found by what it says now.

    Args:
        connection: Of the transaction that edits it.
        before: All its columns, as they were.
        after: All its columns, as they are.
    """
    indexed = _take_out(connection, [before])
    if not indexed:
        return
    cursor = _cursor(connection)
    topic_id = after.topic_id.bytes
    terms = _terms(topic_id, after.message, after.title, after.priority, after.tags)
    places = _places(connection, cursor, {topic_id})
    cursor.execute(_ADD, (after.position, f"{terms} {places[topic_id]}"))
    _count(cursor, [(topic_id, to_microseconds(after.timestamp), after.priority)], 1)


def begin_anew(connection: Connection) -> None:
    """Empty the index; it is filled again from the messages, oldest first."""
    cursor = _cursor(connection)
    cursor.execute("INSERT INTO topics_search (topics_search) VALUES ('delete-all')")
    for table in ("places", "blocks", "times", "hours", "days", "bits"):
        cursor.execute(f"DELETE FROM topics_search_{table}")  # noqa: S608 - a constant
    cursor.execute(
        "UPDATE topics_search_state SET position = 0, epoch = epoch + 1, unmerged = 0, merging = 0, folding = ?",
        (FOLDING,),
    )


def merge_some(connection: Connection) -> bool:
    """Merge some of the index's pages, after which the words of messages that left it are gone from these.

    Returns:
        Whether there is more to do: call it again, in a transaction of its own.
    """
    state = read_state(connection)
    if not state.unmerged:
        return False
    cursor = _cursor(connection)
    # The first, negative step puts all that is there into one merge; the others go on with that.
    pages = MERGE_PAGES if state.merging else -MERGE_PAGES
    before = _changes(cursor)
    cursor.execute("INSERT INTO topics_search (topics_search, rank) VALUES ('merge', ?)", (pages,))
    if _changes(cursor) - before >= 2:  # fewer says that there was nothing to do (SQLite's FTS5, section 6.8)
        if not state.merging:
            cursor.execute("UPDATE topics_search_state SET merging = unmerged")
        return True
    done = state.merging or state.unmerged
    cursor.execute("UPDATE topics_search_state SET unmerged = unmerged - ?, merging = 0", (done,))
    return state.unmerged > done


def drop_places(connection: Connection) -> None:
    """Forget the labels of topics that are gone with all their messages."""
    _cursor(connection).execute(
        "DELETE FROM topics_search_places WHERE is_changed = 1 "
        "AND NOT EXISTS (SELECT 1 FROM topics_topics t WHERE t.id = topic_id) "
        "AND NOT EXISTS (SELECT 1 FROM topics_messages m WHERE m.topic_id = topics_search_places.topic_id)"
    )


def count_terms(connection: Connection, positions: Collection[int], found: Counter[str]) -> int:
    """Count the terms of some indexed messages; returns how many of these are still there."""
    cursor = _cursor(connection)
    cursor.execute(_READ_SOME, (json.dumps(list(positions)),))
    rows = cursor.fetchall()
    for topic_id, message, title, priority, tags, place in rows:
        found.update({*_terms(topic_id, message, title, priority, tags).split(), *(place or "").split()})
    return len(rows)


def _take_out(connection: Connection, rows: Iterable[Row[*tuple[Any, ...]]]) -> int:
    """Take messages out; how many were in."""
    state = read_state(connection)
    cursor = _cursor(connection)
    every = list(rows)
    known = [row for row in every if row.position <= state.position]
    if len(known) < len(every):
        # Whoever is reading them for the index has to read them again.
        cursor.execute("UPDATE topics_search_state SET ahead = ahead + 1")
    if not known:
        return 0
    places = _places(connection, cursor, {row.topic_id.bytes for row in known})
    cursor.executemany(
        _REMOVE,
        [
            (
                row.position,
                f"{_terms(row.topic_id.bytes, row.message, row.title, row.priority, row.tags)} "
                f"{places[row.topic_id.bytes]}",
            )
            for row in known
        ],
    )
    _count(cursor, [(row.topic_id.bytes, to_microseconds(row.timestamp), row.priority) for row in known], -1)
    blocks = [(block,) for block in {row.position // BLOCK for row in known}]
    cursor.executemany(
        "INSERT INTO topics_search_blocks VALUES (?, 1) ON CONFLICT (block) DO UPDATE SET changes = changes + 1", blocks
    )
    cursor.executemany("DELETE FROM topics_search_bits WHERE block = ?", blocks)
    cursor.execute("UPDATE topics_search_state SET unmerged = unmerged + ?", (len(known),))
    return len(known)


def _terms(topic_id: bytes, message: str, title: str | None, priority: int, tags: str) -> str:
    own = labels.of_message(topic_id, priority, _TAGS.decode(tags))
    return " ".join([own, *terms_of(title, message)])


def _places(connection: Connection, cursor: DBAPICursor, topic_ids: Iterable[bytes]) -> dict[bytes, str]:
    """What a topic's messages get because of their topic: always what its first one got.

    Else a message could not be taken out again once its topic has changed.
    """
    places: dict[bytes, str] = {}
    for topic_id in topic_ids:
        cursor.execute("SELECT labels FROM topics_search_places WHERE topic_id = ?", (topic_id,))
        row = cursor.fetchone()
        if row is None:
            topic = store.find_topic(connection, UUID(bytes=topic_id))
            row = ("",) if topic is None else (labels.of_place(topic),)
            cursor.execute("INSERT INTO topics_search_places VALUES (?, ?, ?)", (topic_id, row[0], topic is None))
        places[topic_id] = row[0]
    return places


def _count(cursor: DBAPICursor, dated: Iterable[tuple[bytes, int, int]], step: int) -> None:
    """Count messages into their hours and days, or out of them."""
    each = list(dated)
    for table, length in (("hours", HOUR), ("days", DAY)):
        cells = Counter((topic_id, timestamp // length, priority) for topic_id, timestamp, priority in each)
        cursor.executemany(
            f"INSERT INTO topics_search_{table} VALUES (?, ?, ?, ?) "  # noqa: S608 - constants
            "ON CONFLICT DO UPDATE SET messages = messages + excluded.messages",
            [(*cell, step * count) for cell, count in cells.items()],
        )
        if step < 0:
            cursor.executemany(
                f"DELETE FROM topics_search_{table} "  # noqa: S608 - constants
                "WHERE topic_id = ? AND start = ? AND priority = ? AND messages <= 0",
                list(cells),
            )


def _note_times(cursor: DBAPICursor, entries: Iterable[Entry]) -> None:
    """Note between which positions the messages of each hour stand."""
    hours: dict[int, tuple[int, int]] = {}
    for entry in entries:
        hour = entry.timestamp // HOUR
        hours[hour] = (hours.get(hour, (entry.position, 0))[0], entry.position)
    cursor.executemany(
        "INSERT INTO topics_search_times VALUES (?, ?, ?) ON CONFLICT (hour) DO UPDATE SET last = excluded.last",
        [(hour, first, last) for hour, (first, last) in hours.items()],
    )


def _changes(cursor: DBAPICursor) -> int:
    cursor.execute("SELECT total_changes()")
    row = cursor.fetchone()
    assert row is not None, "a SELECT without FROM has a row"
    return int(row[0])


def _cursor(connection: Connection) -> DBAPICursor:
    # SQLAlchemy's own execution costs more than SQLite's here.
    return connection.connection.cursor()
