"""Operations: what is on, for viewers, bots and the admin."""

from __future__ import annotations

from datetime import datetime

import msgspec

from manor import PUBLIC, Door, Reply, Request, Route, Scope
from manor_stream.http.admin_status import AdminStatus, broadcast_of, broadcaster_of, health_of
from manor_stream.http.api import ADMIN_ACCESS, INTEGRATION, INTEGRATION_API, POLLED_API, admin_route, uncached
from manor_stream.parts import Shared
from manor_stream.watching.version import version


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What is on, for viewers.

    Args:
        online: Whether there is something to watch.
        viewer_count: How many watch; 0 while nothing is on.
        overall_max_viewer_count: The most there ever were.
        session_max_viewer_count: The most of this broadcast, or of the last one.
        last_connect_time: When the broadcast went live; None once it has ended.
        last_disconnect_time: When the last one ended; None while one is live.
        version_number: Manor's.
        stream_title: What is on.
        server_time: Now.
    """

    online: bool
    viewer_count: int
    overall_max_viewer_count: int
    session_max_viewer_count: int
    last_connect_time: datetime | None
    last_disconnect_time: datetime | None
    version_number: str
    stream_title: str
    server_time: datetime


class StatusReads:
    """Answers questions for what is on.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._encoded: tuple[object, Reply] | None = None

    def routes(self) -> list[Route]:
        """For everybody (as quickly as can be: every viewer asks each few seconds), for bots, and for the admin."""
        bots = Scope(ADMIN_ACCESS, kinds=(INTEGRATION,))
        return [
            Route("GET", "/api/status", self.public, api=POLLED_API, access=PUBLIC, returns=Status, door=Door.AT_ONCE),
            Route("GET", "/api/integrations/status", self.public, api=INTEGRATION_API, access=bots, returns=Status),
            admin_route("GET", "/api/admin/status", self.admin, returns=AdminStatus),
        ]

    def public(self, request: Request) -> Reply:
        """Whether something is on, since when, and how many watch."""
        viewers, on_air = self._shared.viewers, self._shared.on_air
        count, now = viewers.live_count, self._shared.context.clock.now()
        # Encoded once a second and for each change, not once for each viewer.
        facts = (
            int(now.timestamp()),
            count,
            viewers.overall_peak,
            viewers.session_peak,
            on_air.is_online,
            on_air.last_connected_at,
            on_air.last_disconnected_at,
            self._shared.settings.now.stream_title,
        )
        if self._encoded is None or self._encoded[0] != facts:
            status = Status(
                on_air.is_online,
                count,
                viewers.overall_peak,
                viewers.session_peak,
                on_air.last_connected_at,
                on_air.last_disconnected_at,
                version(),
                self._shared.settings.now.stream_title,
                now,
            )
            self._encoded = facts, uncached(status)
        return self._encoded[1]

    def admin(self, request: Request) -> Reply:
        """What is on, who publishes it with what, and whether it is well."""
        viewers, on_air = self._shared.viewers, self._shared.on_air
        status = AdminStatus(
            broadcaster_of(on_air),
            broadcast_of(on_air),
            health_of(on_air),
            on_air.is_online,
            viewers.live_count,
            viewers.session_peak,
            viewers.overall_peak,
            version(),
            self._shared.settings.now.stream_title,
        )
        return uncached(status)
