"""What was said goes after some weeks, and who said it later; a little at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from manor import Refused, Storage, Transaction
from manor_stream.chat import store

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

EVERY_SECONDS = 600.0

PAUSE_SECONDS = 0.02
"""Between two batches: whoever writes meanwhile has most of the disk."""


class Retention:
    """Removes what was kept long enough.

    Args:
        storage: Where it is.
        log: Where it is said that nothing can be removed just now.
    """

    def __init__(self, storage: Storage, log: BoundLogger) -> None:
        self._storage = storage
        self._log = log

    async def run(self) -> None:
        """Until cancelled. A full disk is no reason to give up: what makes room is tried again."""
        while True:
            try:
                await self.sweep()
            except Refused as refused:
                self._log.warning("old chat messages stay for now", reason=refused.detail)
            await trio.sleep(EVERY_SECONDS)

    async def sweep(self) -> None:
        """Remove all that is due, batch by batch; messages first, for their writers stay as long as they do."""
        await self._all_of(store.remove_old_messages)
        await self._all_of(store.remove_old_people)

    async def _all_of(self, step: Callable[[Transaction], int]) -> None:
        while True:
            gone = await self._storage.write(step)
            if gone < store.BATCH:
                return
            await trio.sleep(PAUSE_SECONDS)
