"""Putting a broadcast on the air in a house, for tests that only look at it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from manor.testing import House
from manor_stream.on_air import Metadata, OnAir, Phase
from manor_stream.parts import Shared
from manor_stream.quality import Quality
from manor_stream.watching.part import Watching

BROADCAST = UUID("01950000-0000-7000-8000-000000000001")
STARTED = datetime(2030, 1, 2, 11, 30, tzinfo=UTC)
ENDED = datetime(2030, 1, 2, 11, 45, tzinfo=UTC)

METADATA = Metadata(1280, 720, 29.97, 2500.4, "H.264", 128.0, "AAC", "obs-output module")


def shared_of(house: House) -> Shared:
    """What all parts of the plugin use."""
    return watching_of(house)._shared


def watching_of(house: House) -> Watching:
    """The part under test."""
    plugin = next(each for each in house.plugins if each.name == "stream")
    assert plugin.instance is not None, plugin.reason
    part = next(each for each in plugin.instance.parts if isinstance(each, Watching))
    assert isinstance(part, Watching)
    return part


def go_live(house: House, *, broadcast_id: UUID = BROADCAST, metadata: Metadata = METADATA) -> OnAir:
    """As a broadcast does once every quality has a segment."""
    shared = shared_of(house)
    on_air = shared.on_air
    on_air.phase = Phase.LIVE
    on_air.broadcast_id = broadcast_id
    on_air.address = "192.0.2.9"
    on_air.connected_at = on_air.live_since = on_air.last_connected_at = STARTED
    on_air.last_disconnected_at = None
    on_air.metadata = metadata
    on_air.qualities = (Quality(name="Best", video_passthrough=True), Quality(video_bitrate=800, scaled_height=360))
    on_air.latency_level = 1
    shared.viewers.begin()
    return on_air


def go_offline(house: House) -> OnAir:
    """As a broadcast does at its end."""
    on_air = shared_of(house).on_air
    on_air.phase = Phase.OFFLINE
    on_air.broadcast_id = None
    on_air.last_connected_at = None
    on_air.last_disconnected_at = ENDED
    return on_air
