"""Where frequent terms stand in full blocks, a bit for each position: counting with these takes microseconds.

A term that thousands of a block's messages have is walked through in the index at 100 ns for each of them, for every
search that has it. Its bits are kept beside the index instead, once the block has come to rest, and are gone in the
transaction that changes one of the block's messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection

from manor_topics.search.index import BLOCK, read_state

FREQUENT = BLOCK // 32
"""Messages of a block that have a term whose bits are kept. To walk through fewer takes the index a millisecond."""

SAMPLE = 4096
"""Messages of a block that are looked at for frequent terms."""

MOST_TERMS = 64
"""Terms of one question whose bits are read: 1 MiB for each block."""


def wanting(connection: Connection) -> Sequence[tuple[int, int]]:
    """Full blocks without bits, the newest first, each with the count of its changes."""
    full = (read_state(connection).position + 1) // BLOCK
    if not full:
        return []
    rows = connection.exec_driver_sql(
        "WITH RECURSIVE blocks (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM blocks WHERE number + 1 < ?) "
        "SELECT number, coalesce(changes, 0) FROM blocks LEFT JOIN topics_search_blocks ON block = number "
        "WHERE NOT EXISTS (SELECT 1 FROM topics_search_bits b WHERE b.block = number) ORDER BY number DESC",
        (full,),
    )
    return [(block, changes) for block, changes in rows]


def sample_of(block: int) -> range:
    """Positions of a block that are looked at for frequent terms."""
    first = block * BLOCK
    return range(first, first + BLOCK, BLOCK // SAMPLE)


def promising(found: Counter[str], seen: int) -> list[str]:
    """Terms that seem to be frequent, by a sample.

    A third less than frequent is enough: the others are counted. One that is frequent and left out is walked through
    in the index.
    """
    return sorted(term for term, count in found.items() if count * BLOCK * 3 >= seen * FREQUENT * 2)


def read(connection: Connection, block: int, term: str) -> bytes | None:
    """The bits of a term in a block; None when it is not frequent after all."""
    first = block * BLOCK
    # SQLAlchemy's own rows cost ten times as much here.
    cursor = connection.connection.cursor()
    cursor.execute(
        "SELECT rowid - ? FROM topics_search WHERE topics_search MATCH ? AND rowid BETWEEN ? AND ?",
        (first, f'"{term}"', first, first + BLOCK - 1),
    )
    places = cursor.fetchall()
    return packed(place for (place,) in places) if len(places) >= FREQUENT else None


def packed(places: Iterable[int]) -> bytes:
    """Places within a block as bits, the first one lowest."""
    digits = bytearray(b"0" * BLOCK)
    for place in places:
        digits[-1 - place] = 49
    return int(digits, 2).to_bytes(BLOCK // 8, "little")


def keep(connection: Connection, block: int, changes: int, epoch: int, bits: Collection[tuple[str, bytes]]) -> bool:
    """Keep the bits of a block; whether they are kept.

    They are not if one of its messages changed since they were read, or somebody else was faster.
    """
    there = connection.exec_driver_sql("SELECT 1 FROM topics_search_bits WHERE block = ? LIMIT 1", (block,)).scalar()
    if there is not None or read_state(connection).epoch != epoch:
        return False
    now = connection.exec_driver_sql("SELECT changes FROM topics_search_blocks WHERE block = ?", (block,)).scalar()
    if (now or 0) != changes:
        return False
    connection.connection.cursor().executemany(
        "INSERT INTO topics_search_bits VALUES (?, ?, ?)", [(block, term, each) for term, each in bits]
    )
    return True


def places_of(connection: Connection, terms: Collection[str], blocks: range) -> dict[int, dict[str, int]]:
    """What is known of some terms in some blocks."""
    marks = ", ".join("?" * len(terms))
    rows = connection.exec_driver_sql(
        f"SELECT block, term, bits FROM topics_search_bits WHERE block BETWEEN ? AND ? AND term IN ({marks})",  # noqa: S608 - marks
        (blocks.start, blocks.stop - 1, *terms),
    )
    found: dict[int, dict[str, int]] = {}
    for block, term, bits in rows:
        found.setdefault(block, {})[term] = int.from_bytes(bits, "little")
    return found


def between(places: int, low: int, high: int) -> int:
    """Those of a block's places that are between two of them, both included."""
    return places >> low << low & (1 << (high + 1)) - 1


def highest(places: int, limit: int, offset: int) -> list[int]:
    """So many places, the highest first, after as many others."""
    if offset:
        # The place below which as many are left as the offset leaves.
        wanted = places.bit_count() - offset
        low, high = 0, places.bit_length()
        while low < high:
            middle = (low + high) // 2
            if (places & (1 << middle) - 1).bit_count() < wanted:
                low = middle + 1
            else:
                high = middle
        places &= (1 << low) - 1
    found: list[int] = []
    while places and len(found) < limit:
        found.append(places.bit_length() - 1)
        places ^= 1 << found[-1]
    return found
