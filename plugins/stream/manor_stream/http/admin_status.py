"""What is on, as the admin is shown it: who publishes what, what it is encoded in, and whether it is well."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from manor_stream.on_air import Metadata, OnAir
from manor_stream.quality import LATENCY_LEVELS, Quality


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
