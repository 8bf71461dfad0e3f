"""Operations: viewers, the log and the machine, for the admin."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
import trio
from msgspec import Meta

from manor import Reply, Request, Route, from_microseconds
from manor_stream.http.api import admin_route, uncached
from manor_stream.logbook import LogLine
from manor_stream.parts import Shared
from manor_stream.watching.geoip import Geo
from manor_stream.watching.hardware import Hardware, HardwareStats, Value
from manor_stream.watching.statistics import Statistics

SHOWN = timedelta(days=1)
"""Of the viewers over time, when nobody says from when on."""

MOST_LISTED = 10_000
"""Viewers in one answer."""


class WindowQuery(msgspec.Struct, frozen=True, rename="camel"):
    """From when on, in Unix seconds."""

    window_start: Annotated[int, Meta(ge=0, le=253_402_300_799)] | None = None


class ShownViewer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who watches.

    Args:
        client_id: Theirs, until the daemon starts anew.
        first_seen: When they came.
        ip_address: Where from.
        user_agent: What they watch with.
        geo: Where that is, if a database says so.
    """

    client_id: str = msgspec.field(name="clientID")
    first_seen: datetime = msgspec.field(name="firstSeen")
    ip_address: str = msgspec.field(name="ipAddress")
    user_agent: str = msgspec.field(name="userAgent")
    geo: Geo | None


class StatisticsReads:
    """Answers the admin's questions for numbers.

    Args:
        shared: What all parts use.
        statistics: How many watched when.
        hardware: How busy the machine is.
    """

    def __init__(self, shared: Shared, statistics: Statistics, hardware: Hardware) -> None:
        self._shared = shared
        self._statistics = statistics
        self._hardware = hardware

    def routes(self) -> list[Route]:
        """All of them, for the admin."""
        reads = {
            "logs": (self.logs, list[LogLine]),
            "logs/warnings": (self.warnings, list[LogLine]),
            "hardwarestats": (self.hardware_stats, HardwareStats),
            "viewers": (self.viewers, list[ShownViewer]),
        }
        return [
            admin_route(
                "GET", "/api/admin/viewersOverTime", self.viewers_over_time, query=WindowQuery, returns=list[Value]
            ),
            *(
                admin_route("GET", f"/api/admin/{path}", handler, returns=returns)
                for path, (handler, returns) in reads.items()
            ),
        ]

    def logs(self, request: Request) -> Reply:
        """What the stream said lately, the newest first."""
        return uncached(self._shared.logbook.newest_first())

    def warnings(self, request: Request) -> Reply:
        """What an admin should look at, the newest first."""
        return uncached(self._shared.logbook.newest_first(only_warnings=True))

    async def viewers_over_time(self, request: Request[None, WindowQuery]) -> Reply:
        """How many watched while something was on, the oldest first: by minutes, or longer steps of a longer time."""
        start = request.query.window_start
        since = self._now() - SHOWN if start is None else from_microseconds(start * 1_000_000)
        return uncached(await self._statistics.viewers_since(since))

    def hardware_stats(self, request: Request) -> Reply:
        """How busy the machine is, minute by minute."""
        return uncached(self._hardware.stats)

    async def viewers(self, request: Request) -> Reply:
        """Who watches now, who came first at the front."""
        present = self._shared.viewers.present()[:MOST_LISTED] if self._shared.on_air.is_online else []
        places = await self._shared.geoip.look_up(viewer.address for viewer in present)
        now, current = self._now(), trio.current_time()
        return uncached(
            [
                ShownViewer(
                    client_id=viewer.id,
                    first_seen=now - timedelta(seconds=current - viewer.since),
                    ip_address=viewer.address,
                    user_agent=viewer.user_agent,
                    geo=places.get(viewer.address),
                )
                for viewer in present
            ]
        )

    def _now(self) -> datetime:
        return self._shared.context.clock.now()
