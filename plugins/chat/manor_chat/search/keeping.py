"""Keeping the index: behind writing, and up to date before a search."""

from __future__ import annotations

import trio

from manor import Storage, Unavailable
from manor_chat.search.index import catch_up, is_behind

PATIENCE = 5.0
"""Seconds that a search waits for the index."""

REST = 0.5
"""Seconds between the first new post and its way into the index: what comes together goes in together."""


class IndexKeeper:
    """Has the index catch up.

    Args:
        storage: The house's.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = trio.Lock()
        self._rung = trio.Event()

    def ring(self) -> None:
        """Something was written."""
        self._rung.set()

    async def run(self) -> None:
        """Go on as long as the house is open."""
        while True:
            await self._catch_up()
            await self._rung.wait()
            self._rung = trio.Event()
            await trio.sleep(REST)

    async def be_current(self) -> None:
        """Have the index know all that was written before this.

        Raises:
            Unavailable: 503: there is too much of it.
        """
        if not await self._storage.read(is_behind):
            return
        with trio.move_on_after(PATIENCE):
            await self._catch_up()
            return
        raise Unavailable("The search index is still being filled; try again", headers={"Retry-After": "5"})

    async def _catch_up(self) -> None:
        async with self._lock:
            while await self._storage.write(catch_up):
                await trio.lowlevel.checkpoint()
