"""Keeping the bits of frequent terms for blocks of the index that have come to rest."""

from __future__ import annotations

from collections import Counter

import trio

from manor import Storage, Transaction
from manor_topics.search import bitmaps, index

REST_SECONDS = 600.0
"""A block whose messages were changed or removed is left alone for so long: more of them often follow."""

_AT_ONCE = 512
"""Messages that one reading unit makes terms of: some 30 ms."""


class Settling:
    """Makes the bits of one block after the other.

    Args:
        storage: Where the index is.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._settling = trio.Lock()
        self._seen: dict[int, tuple[int, float]] = {}

    async def settle(self) -> None:
        """Make what is missing; free when nothing is."""
        async with self._settling:
            for block, changes in await self._storage.read(lambda transaction: bitmaps.wanting(transaction.connection)):
                if self._is_at_rest(block, changes):
                    await self._make(block, changes)

    def _is_at_rest(self, block: int, changes: int) -> bool:
        now = trio.current_time()
        seen, since = self._seen.get(block, (0, -REST_SECONDS))
        if seen != changes:
            self._seen[block] = (changes, now)
            return False
        return now - since >= REST_SECONDS

    async def _make(self, block: int, changes: int) -> None:
        # Tried once at the most for each change: a block may have no frequent terms.
        self._seen[block] = (changes, float("inf"))
        epoch = (await self._storage.read(lambda transaction: index.read_state(transaction.connection))).epoch
        kept: list[tuple[str, bytes]] = []
        for term in await self._promising(block):
            bits = await self._storage.read(
                lambda transaction, term=term: bitmaps.read(transaction.connection, block, term)  # type: ignore[misc]
            )
            if bits is not None:
                kept.append((term, bits))

        def keep(transaction: Transaction) -> None:
            bitmaps.keep(transaction.connection, block, changes, epoch, kept)

        await self._storage.write(keep)

    async def _promising(self, block: int) -> list[str]:
        found: Counter[str] = Counter()
        seen = 0
        sample = bitmaps.sample_of(block)
        for at in range(0, len(sample), _AT_ONCE):
            some = sample[at : at + _AT_ONCE]

            def count(transaction: Transaction, some: range = some) -> tuple[Counter[str], int]:
                terms: Counter[str] = Counter()
                return terms, index.count_terms(transaction.connection, some, terms)

            terms, there = await self._storage.read(count)
            found.update(terms)
            seen += there
        return bitmaps.promising(found, seen)
