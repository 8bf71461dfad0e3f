"""Removing what was kept long enough: a little at a time, again and again, and nobody who writes waits for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import trio

from manor.errors import Refused
from manor.storage import Storage, Transaction

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

PAUSE_SECONDS = 0.02
"""Between two batches: however much is due at once, others have most of the disk."""

Step = Callable[[Transaction], int]
"""Removes at most a batch, in a transaction of its own; returns how many are gone."""


class Sweep:
    """Removes what is due.

    Args:
        storage: Where it is.
        log: Where it is said that nothing can be removed just now.
        steps: What removes it, one after the other: of each kind all that is due, before the next.
        batch: How many one call of a step removes at most; fewer say that nothing is left.
        every: Seconds from one sweep to the next.
        staying: What is logged when it cannot be removed, such as `old messages stay for now`.
    """

    def __init__(
        self, storage: Storage, log: BoundLogger, steps: Sequence[Step], *, batch: int, every: float, staying: str
    ) -> None:
        self._storage = storage
        self._log = log
        self._steps = tuple(steps)
        self._batch = batch
        self._every = every
        self._staying = staying

    async def run(self) -> None:
        """Until cancelled. A full disk is no reason to give up: what makes room is not to be tried no more."""
        while True:
            try:
                await self.sweep()
            except Refused as refused:
                self._log.warning(self._staying, reason=refused.detail)
            await trio.sleep(self._every)

    async def sweep(self) -> None:
        """Remove all that is due, batch by batch."""
        for step in self._steps:
            while True:
                gone = await self._storage.write(step)
                if gone < self._batch:
                    break
                await trio.sleep(PAUSE_SECONDS)
