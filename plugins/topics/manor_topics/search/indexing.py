"""Keeping the index up to date: behind publishing, and at once when somebody searches."""

from __future__ import annotations

import math

import trio

from manor import Storage, Transaction
from manor_topics.events import MessagePublished
from manor_topics.search import index
from manor_topics.search.index import Batch, State
from manor_topics.search.settling import Settling

BATCH = 250
"""Messages of one transaction. Their terms are worked out beside the writer, which has some 20 ms of work with them."""

PAUSE_SECONDS = 1.0
"""How long messages gather before they are taken up: a batch costs hardly more than one message."""

SHARE = 0.05
"""Of the time, while people publish all the time. What is left over is made up for later, or when somebody searches."""

MERGE_FROM = 10_000
"""Messages that left the index: then their words are merged away without anybody's asking."""


class Indexer:
    """Writes the index.

    Args:
        storage: Where it is.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._told = trio.Event()
        self._writing = trio.Lock()
        self._settling = Settling(storage)

    def tell(self, published: MessagePublished) -> None:
        """There is something new. For an INLINE subscription."""
        self._told.set()

    async def run(self) -> None:
        """Follow what is published, until cancelled."""
        if not (await self._storage.read(_state)).is_current:
            await self.begin_anew()
        while True:
            self._told = trio.Event()
            began = trio.current_time()
            if await self._advance():
                if self._told.is_set():
                    await trio.sleep((trio.current_time() - began) / SHARE)
                continue
            await self._tidy()
            await self._told.wait()
            await trio.sleep(PAUSE_SECONDS)

    async def begin_anew(self) -> None:
        """Empty the index, to be filled again."""
        async with self._writing:
            await self._storage.write(_begin_anew)

    async def catch_up(self, position: int | None = None) -> int:
        """Bring every message into the index, up to a position or the last one; returns how far it is then."""
        while (reached := (await self._storage.read(_state)).position) < (position or math.inf):
            if not await self._advance():
                break
        return reached

    async def settle(self) -> None:
        """Have the frequent terms of what came to rest be counted quickly."""
        await self._settling.settle()

    async def merge(self) -> None:
        """Have the words of messages that left the index be gone from its pages."""
        while await self._storage.write(_merge_some):
            await trio.lowlevel.checkpoint()

    async def _advance(self) -> bool:
        """Put a batch in; whether there was one."""
        async with self._writing:
            batch: Batch = await self._storage.read(lambda transaction: index.gather(transaction.connection, BATCH))
            if batch.is_empty:
                return False
            await self._storage.write(lambda transaction: index.add(transaction.connection, batch))
        return True

    async def _tidy(self) -> None:
        if (await self._storage.read(_state)).unmerged >= MERGE_FROM:
            await self._storage.write(lambda transaction: index.drop_places(transaction.connection))
            await self.merge()
        await self.settle()


def _state(transaction: Transaction) -> State:
    return index.read_state(transaction.connection)


def _begin_anew(transaction: Transaction) -> None:
    index.begin_anew(transaction.connection)


def _merge_some(transaction: Transaction) -> bool:
    return index.merge_some(transaction.connection)
