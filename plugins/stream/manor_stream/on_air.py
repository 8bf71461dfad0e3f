"""What is on the air now: written by the broadcast alone, asked by everybody else."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from manor_stream.quality import Quality


class Phase(enum.Enum):
    """How far a broadcast is."""

    OFFLINE = "offline"
    """Nobody publishes, and nobody has lately."""

    STARTING = "starting"
    """Somebody publishes; not every quality has a segment yet."""

    LIVE = "live"
    """Viewers watch."""

    RECONNECTING = "reconnecting"
    """The publisher is gone for some seconds: viewers are told nothing yet."""


@dataclass(frozen=True)
class Metadata:
    """What the publisher says of its video, and what its headers show; 0 and "" where nobody knows.

    Args:
        width: Pixels.
        height: Pixels.
        frame_rate: Frames a second.
        video_bitrate: kbit/s.
        video_codec: For people: `H.264`, `H.265`, `AV1`.
        audio_bitrate: kbit/s.
        audio_codec: `AAC`, `MP3`.
        encoder: The program that publishes.
    """

    width: int = 0
    height: int = 0
    frame_rate: float = 0
    video_bitrate: float = 0
    video_codec: str = ""
    audio_bitrate: float = 0
    audio_codec: str = ""
    encoder: str = ""


@dataclass
class OnAir:
    """The broadcast as it is.

    Args:
        phase: How far it is.
        broadcast_id: Its row; None while nothing is on.
        address: Where the publisher comes from.
        connected_at: When the publisher came.
        live_since: When the broadcast went live.
        last_connected_at: When the last broadcast went live; None once it has ended, as the API has it.
        last_disconnected_at: When the last one ended; None while one is live.
        metadata: What it is made of.
        qualities: What it is encoded in, as they were when it began.
        latency_level: As it was when it began.
        warnings: What an admin should know now: a slow encoder, a publisher whose key frames are too far apart.
        disconnect: Drops the publisher with a reason and ends the broadcast; set while there is one.
    """

    phase: Phase = Phase.OFFLINE
    broadcast_id: UUID | None = None
    address: str = ""
    connected_at: datetime | None = None
    live_since: datetime | None = None
    last_connected_at: datetime | None = None
    last_disconnected_at: datetime | None = None
    metadata: Metadata = field(default_factory=Metadata)
    qualities: tuple[Quality, ...] = ()
    latency_level: int = 2
    warnings: tuple[str, ...] = ()
    disconnect: Callable[[str], None] | None = None

    @property
    def is_online(self) -> bool:
        """Whether there is something to watch."""
        return self.phase in (Phase.LIVE, Phase.RECONNECTING)
