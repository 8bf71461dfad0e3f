"""The part that says what is on, who watches, and how the server does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from manor import BackgroundTask, Lifespan, Migration, Part, Route
from manor_stream.http.pictures import PictureReads
from manor_stream.http.public import PublicReads
from manor_stream.http.statistics import StatisticsReads
from manor_stream.http.status import StatusReads
from manor_stream.migrations import statistics as statistics_tables
from manor_stream.parts import Shared
from manor_stream.watching.hardware import Hardware
from manor_stream.watching.statistics import Statistics


class Watching(Part):
    """Status, viewers and statistics.

    Args:
        shared: What all parts use.

    Attributes:
        statistics: How many watched when; the admin's page draws it.
        hardware: How busy the machine is.
    """

    def __init__(self, shared: Shared) -> None:
        context, viewers, on_air = shared.context, shared.viewers, shared.on_air
        self._shared = shared
        self.statistics = Statistics(context.storage, viewers, on_air, shared.logbook)
        self.hardware = Hardware(context.clock, shared.folder)
        self._groups = (
            PublicReads(shared),
            PictureReads(shared),
            StatusReads(shared),
            StatisticsReads(shared, self.statistics, self.hardware),
        )
        watching = context.metrics.gauge("viewers", "People who watch the broadcast that is on.")
        watching.set_function(lambda: viewers.live_count)
        live = context.metrics.gauge("live", "1 while a broadcast is on, else 0.")
        live.set_function(lambda: on_air.is_online)

    def routes(self) -> Sequence[Route]:
        """What is asked for, and pictures."""
        return [route for group in self._groups for route in group.routes()]

    def migrations(self) -> Sequence[Migration]:
        """Peaks and samples."""
        return [statistics_tables.STEP]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Counting viewers, and measuring the machine."""
        return [
            BackgroundTask("viewer statistics", self.statistics.run),
            BackgroundTask("hardware statistics", self.hardware.run),
        ]

    def lifespan(self) -> Lifespan:
        """Peaks are read before the first viewer comes; the database of places is open."""
        return self._opened

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        async with self._shared.geoip.opened(), self.statistics.opened():
            yield
