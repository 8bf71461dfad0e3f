"""What viewers may choose from: the qualities that a broadcast is encoded in. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

DEFAULT_VIDEO_BITRATE = 1200
DEFAULT_FRAMERATE = 24

PRESETS = {1: "ultrafast", 2: "superfast", 3: "veryfast", 4: "faster", 5: "fast"}
"""What each level of processor usage is to x264."""

LATENCY_LEVELS = {0: (1, 25), 1: (2, 15), 2: (3, 10), 3: (4, 8), 4: (5, 5)}
"""Seconds of a segment, and segments in a playlist, by latency level (contract of the Owncast API)."""

Bitrate = Annotated[int, Meta(ge=0, le=100_000)]
Pixels = Annotated[int, Meta(ge=0, le=8192)]


class Quality(msgspec.Struct, frozen=True, rename="camel"):
    """One quality, as the Owncast API's StreamQuality.

    Args:
        name: What viewers see; "" for one that is made from the rest.
        video_passthrough: The publisher's video as it comes; the encoder's settings do not count then.
        audio_passthrough: The same for audio.
        video_bitrate: kbit/s; 0 is 1200.
        audio_bitrate: kbit/s; 0 is passthrough.
        scaled_width: Pixels; 0 keeps the aspect, or the size when both are 0.
        scaled_height: As `scaled_width`.
        framerate: Frames a second; 0 is 24.
        cpu_usage_level: 1 (least) to 5 (best).
    """

    name: Annotated[str, Meta(max_length=100)] = ""
    video_passthrough: bool = False
    audio_passthrough: bool = False
    video_bitrate: Bitrate = DEFAULT_VIDEO_BITRATE
    audio_bitrate: Annotated[int, Meta(ge=0, le=1024)] = 0
    scaled_width: Pixels = 0
    scaled_height: Pixels = 0
    framerate: Annotated[int, Meta(ge=0, le=240)] = DEFAULT_FRAMERATE
    cpu_usage_level: Annotated[int, Meta(ge=1, le=5)] = 2

    @property
    def copies_audio(self) -> bool:
        """Whether audio goes through as it comes."""
        return self.audio_passthrough or self.audio_bitrate == 0

    @property
    def bitrate(self) -> int:
        """Of the encoded video, kbit/s."""
        return self.video_bitrate or DEFAULT_VIDEO_BITRATE

    @property
    def frames(self) -> int:
        """Of the encoded video, a second."""
        return self.framerate or DEFAULT_FRAMERATE

    @property
    def preset(self) -> str:
        """For x264."""
        return PRESETS[self.cpu_usage_level]


DEFAULT_QUALITIES = (Quality(name="As broadcast", video_passthrough=True, audio_passthrough=True),)
"""What a new server offers: the broadcaster's own, at the cost of no processor."""
