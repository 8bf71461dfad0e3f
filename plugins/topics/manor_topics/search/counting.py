"""Counting matches: block by block, and once only for blocks that no more messages come into.

A block is a range of positions. What matches in a full one stays the same until one of its messages is edited or
vanishes, so each costs its walk through the index once. A common word in a large history is so counted in the time
that its newest block takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from manor_topics.search import bitmaps
from manor_topics.search.asking import Asked
from manor_topics.search.index import BLOCK, State

MOST_COUNTS = 50_000
"""Counts that are kept in memory: some 10 MB."""

Place = tuple[str, int]
"""A question's key, and a block."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the index is asked.

    Args:
        asked: The terms.
        topics: As in `Scope`.
        low: The first position that counts.
        high: The last one.
    """

    asked: Asked
    topics: str | None
    low: int
    high: int

    @property
    def condition(self) -> tuple[str, list[str | int]]:
        """The rows that match, as SQL without the range, and its values."""
        if self.topics is None:
            return "topics_search MATCH ?", [str(self.asked)]
        # Written so that SQLite reads the index first and looks up each match's row by its key.
        return (
            "topics_search MATCH ? AND (SELECT hex(m.topic_id) FROM topics_messages m "
            "WHERE m.position = topics_search.rowid) IN (SELECT value FROM json_each(?))",
            [str(self.asked), self.topics],
        )


class Known:
    """The places of frequent terms, for one question: blocks that have them are counted without the index.

    Args:
        connection: Of a reading unit.
        question: What is asked.
    """

    def __init__(self, connection: Connection, question: Question) -> None:
        self._asked = question.asked
        terms = set(question.asked.terms()) if question.topics is None else set()
        blocks = range(question.low // BLOCK, question.high // BLOCK + 1)
        self._places = bitmaps.places_of(connection, terms, blocks) if 0 < len(terms) <= bitmaps.MOST_TERMS else {}

    def places(self, low: int, high: int) -> int | None:
        """Which positions of a block match, as bits from its first one on; None when the index has to be asked.

        Args:
            low: The first position that counts.
            high: The last one, in the same block.
        """
        block = low // BLOCK
        known = self._places.get(block)
        found = None if known is None else self._asked.places(known.get)
        return None if found is None else bitmaps.between(found, low - block * BLOCK, high - block * BLOCK)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many match between two positions, both of them included."""

    low: int
    high: int
    count: int


@dataclass
class Counts:
    """Counts of full blocks, each with the state of its block. Units of work read them; the loop adds to them."""

    known: dict[Place, tuple[int, int]] = field(default_factory=dict)

    def learn(self, learned: Mapping[Place, tuple[int, int]]) -> None:
        """Keep what a unit counted."""
        self.known.update(learned)
        for place in list(self.known)[: max(0, len(self.known) - MOST_COUNTS)]:
            del self.known[place]


class Counter:
    """Counts in one reading unit.

    Args:
        connection: Its.
        state: The index as the unit sees it.
        counts: What others have counted.
    """

    def __init__(self, connection: Connection, state: State, counts: Counts) -> None:
        self._connection = connection
        self._state = state
        self._counts = counts
        rows = connection.exec_driver_sql("SELECT block, changes FROM topics_search_blocks")
        self._changes: dict[int, int] = {row[0]: row[1] for row in rows}
        self.learned: dict[Place, tuple[int, int]] = {}

    def count(self, question: Question) -> Sequence[Counted]:
        """How many match, block by block, the newest first."""
        key = f"{self._state.epoch} {question.asked} {question.topics or ''}"
        self.known = Known(self._connection, question)
        condition, values = question.condition
        sql = f"SELECT count(*) FROM topics_search WHERE {condition} AND rowid BETWEEN ? AND ?"  # noqa: S608 - ours
        found = []
        for block in range(question.high // BLOCK, question.low // BLOCK - 1, -1):
            first, last = block * BLOCK, block * BLOCK + BLOCK - 1
            low, high = max(first, question.low), min(last, question.high)
            is_whole = (low, high) == (first, last) and last <= self._state.position
            changes = self._changes.get(block, 0)
            before = self._counts.known.get((key, block)) if is_whole else None
            if before is not None and before[0] == changes:
                count = before[1]
            else:
                places = self.known.places(low, high)
                if places is None:
                    count = self._connection.exec_driver_sql(sql, (*values, low, high)).scalar_one()
                else:
                    count = places.bit_count()
                if is_whole:
                    self.learned[key, block] = (changes, count)
            found.append(Counted(low, high, count))
        return found
