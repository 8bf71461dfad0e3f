"""How much room the data of services takes up, as it was measured last: counting it takes too long for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import trio

from manor import BackgroundTask, Clock, Part
from manor_hostservices.catalogue import Entry
from manor_hostservices.host import Host
from manor_hostservices.refusals import HostRefusal
from manor_hostservices.verbs import ReadDataSize

FRESH = timedelta(minutes=10)
"""How long a measure is good enough."""

FIRST_WAIT = 1.0
"""Seconds that whoever asks first waits: most data is measured by then."""


class KnownSize(msgspec.Struct, frozen=True):
    """How much room a service's data took up.

    Args:
        bytes: On disk.
        is_whole: False: it is more, but some of it could not be looked at.
        measured_at: When.
    """

    bytes: int
    is_whole: bool
    measured_at: datetime


class Sizes(Part):
    """Has data measured when somebody wants to know and nobody has looked for a while.

    Args:
        clock: What time it is.
        host: Measures.
        entries: The catalogue.
    """

    def __init__(self, clock: Clock, host: Host, entries: Mapping[str, Entry]) -> None:
        self._clock = clock
        self._host = host
        self._keys = [key for key, entry in entries.items() if entry.data]
        self._known: dict[str, KnownSize] = {}
        self._looked_at: datetime | None = None
        self._wanted = trio.Event()
        self._measured = trio.Event()

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Measuring: idle until somebody wants to know."""
        return [BackgroundTask("data sizes", self._run)]

    async def known(self) -> Mapping[str, KnownSize]:
        """Sizes by the services' keys, as they are known; what is not there could not be measured, or is being."""
        if self._looked_at is None or self._clock.now() - self._looked_at >= FRESH:
            self._wanted.set()
            if self._looked_at is None:
                with trio.move_on_after(FIRST_WAIT):
                    await self._measured.wait()
        return self._known

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            for key in self._keys:
                await self._measure(key)
            self._looked_at = self._clock.now()
            self._wanted = trio.Event()
            self._measured.set()

    async def _measure(self, key: str) -> None:
        try:
            size = await self._host.ask(ReadDataSize(key))
        except HostRefusal:
            self._known.pop(key, None)
            return
        self._known[key] = KnownSize(size.bytes, size.is_whole, self._clock.now())
