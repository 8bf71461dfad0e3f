"""Operations: what is on, for viewers, bots and the admin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from manor import PUBLIC, Door, Reply, Request, Route, Scope
from manor_stream.http.api import (
    ADMIN_ACCESS,
    ADMIN_API,
    ADMINISTRATOR,
    INTEGRATION,
    INTEGRATION_API,
    POLLED_API,
    UNCACHED,
)
from manor_stream.on_air import Metadata, OnAir
from manor_stream.parts import Shared
from manor_stream.quality import LATENCY_LEVELS, Quality
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


class StreamDetails(msgspec.Struct, frozen=True, rename="camel"):
    """What the publisher sends; `frameRate` and `framerate` are the same, for clients that know either."""

    width: int
    height: int
    frame_rate: float
    framerate: float
    video_bitrate: int
    video_codec: str
    audio_bitrate: int
    audio_codec: str
    encoder: str
    video_only: bool

    @classmethod
    def of(cls, metadata: Metadata) -> StreamDetails:
        """As the API has it: kbit/s in whole numbers."""
        return cls(
            metadata.width,
            metadata.height,
            metadata.frame_rate,
            metadata.frame_rate,
            round(metadata.video_bitrate),
            metadata.video_codec,
            round(metadata.audio_bitrate),
            metadata.audio_codec,
            metadata.encoder,
            bool(metadata.video_codec) and not metadata.audio_codec,
        )


class Broadcaster(msgspec.Struct, frozen=True, rename="camel"):
    """Who publishes, and what."""

    remote_addr: str
    time: datetime | None
    stream_details: StreamDetails


class LatencyLevel(msgspec.Struct, frozen=True, rename="camel"):
    """How a broadcast is cut."""

    level: int
    seconds_per_segment: int
    segment_count: int


class CurrentBroadcast(msgspec.Struct, frozen=True, rename="camel"):
    """What a broadcast is encoded in, as it began."""

    output_settings: Sequence[Quality]
    latency_level: LatencyLevel


class Health(msgspec.Struct, frozen=True, rename="camel"):
    """Whether there is something that an admin should look at.

    Args:
        healthy: Whether there is nothing.
        health_percentage: 100 or 0: there is nothing between.
        message: What it is.
        representation: How many of the viewers in a hundred say so: none of them is asked.
    """

    healthy: bool
    health_percentage: int
    message: str
    representation: int = 0


class AdminStatus(msgspec.Struct, frozen=True, rename="camel"):
    """What is on, for the admin; the first three are None while nobody publishes."""

    broadcaster: Broadcaster | None
    current_broadcast: CurrentBroadcast | None
    health: Health | None
    online: bool
    viewer_count: int
    session_peak_viewer_count: int
    overall_peak_viewer_count: int
    version_number: str
    stream_title: str


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
            Route("GET", "/api/admin/status", self.admin, api=ADMIN_API, access=ADMINISTRATOR, returns=AdminStatus),
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
            self._encoded = facts, Reply(msgspec.json.encode(status), headers=UNCACHED)
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
        return Reply(msgspec.json.encode(status), headers=UNCACHED)


def broadcaster_of(on_air: OnAir) -> Broadcaster | None:
    """Who publishes; None while nobody does."""
    if not on_air.is_online:
        return None
    return Broadcaster(on_air.address, on_air.connected_at, StreamDetails.of(on_air.metadata))


def broadcast_of(on_air: OnAir) -> CurrentBroadcast | None:
    """What it is encoded in; None while nothing is on."""
    if not on_air.is_online:
        return None
    seconds, count = LATENCY_LEVELS[on_air.latency_level]
    return CurrentBroadcast(on_air.qualities, LatencyLevel(on_air.latency_level, seconds, count))


def health_of(on_air: OnAir) -> Health | None:
    """Whether it is well; None while nothing is on."""
    if not on_air.is_online:
        return None
    return Health(not on_air.warnings, 0 if on_air.warnings else 100, " ".join(on_air.warnings))
