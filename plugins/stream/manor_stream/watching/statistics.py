"""How many watched when: peaks and samples, kept, and the event that tells of a changed count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import trio

from manor import Refused, Storage, Transaction
from manor_stream.events import ViewerCountChanged
from manor_stream.logbook import Logbook
from manor_stream.on_air import OnAir
from manor_stream.viewers import Viewers
from manor_stream.watching import store
from manor_stream.watching.hardware import Value

EVERY_SECONDS = 5.0
"""A changed count is told so often at most."""

SAMPLE_SECONDS = 60.0


class Statistics:
    """Looks at the viewers every five seconds, and keeps what is worth it.

    Args:
        storage: Keeps it.
        viewers: Who watches.
        on_air: Whether there is something to watch.
        logbook: Where it is said that nothing can be kept.
    """

    def __init__(self, storage: Storage, viewers: Viewers, on_air: OnAir, logbook: Logbook) -> None:
        self._storage = storage
        self._viewers = viewers
        self._on_air = on_air
        self._logbook = logbook
        self._kept: dict[str, int] = {}
        self._told: tuple[UUID | None, int] = (None, 0)
        self._sampled = float("-inf")
        self._is_failing = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Peaks and the last end are what they were at the last stop; at the next one, peaks are kept."""
        self._kept = await self._storage.read(store.find_peaks)
        self._viewers.overall_peak = self._kept.get("overall", 0)
        self._viewers.session_peak = self._kept.get("session", 0)
        # What the broadcast itself writes is of this run alone.
        self._on_air.last_disconnected_at = await self._storage.read(store.find_last_end)
        yield
        await self.look()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await trio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Keep peaks that have grown and a sample that is due, and tell of a count that has changed: in one unit."""
        broadcast_id = self._on_air.broadcast_id if self._on_air.is_online else None
        count = self._viewers.live_count
        now = trio.current_time()
        is_due = broadcast_id is not None and now >= self._sampled + SAMPLE_SECONDS
        known = self._told[1] if self._told[0] == broadcast_id else 0
        peaks = {"overall": self._viewers.overall_peak, "session": self._viewers.session_peak}
        if not is_due and count == known and peaks == self._kept:
            return

        def work(transaction: Transaction) -> None:
            store.keep_peaks(transaction, peaks)
            if is_due:
                store.add_sample(transaction, count)
            if broadcast_id is not None and count != known:
                transaction.emit(ViewerCountChanged(broadcast_id=broadcast_id, viewer_count=count))

        try:
            await self._storage.write(work)
        except Refused as refused:
            # A full disk is no reason to give up: the next look tries again.
            if not self._is_failing:
                self._logbook.warning(f"Viewer statistics cannot be kept for now: {refused.detail}")
            self._is_failing = True
            return
        self._is_failing = False
        self._kept = peaks
        self._told = (broadcast_id, count)
        if is_due:
            self._sampled = now

    async def viewers_since(self, since: datetime) -> list[Value]:
        """How many there were from then on, oldest first."""
        return await self._storage.read(lambda transaction: store.find_samples(transaction, since))
