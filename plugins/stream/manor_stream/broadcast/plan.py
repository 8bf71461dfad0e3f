"""What a broadcast is encoded in: the settings as they were when it began, and what comes of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from manor_stream.hls.window import Variant
from manor_stream.on_air import Metadata
from manor_stream.quality import LATENCY_LEVELS, Quality
from manor_stream.transcoding.offline_clip import Clip

OVERHEAD = 1.08
"""What MPEG-TS adds to the bytes of video and audio, about."""


@dataclass(frozen=True)
class Plan:
    """The settings of one broadcast: those that are changed meanwhile count for the next.

    Args:
        qualities: In the order of the variants.
        latency_level: 0 to 4.
        codec: The video encoder, by ffmpeg's name.
    """

    qualities: tuple[Quality, ...]
    latency_level: int
    codec: str

    @property
    def seconds(self) -> int:
        """Of a segment."""
        return LATENCY_LEVELS[self.latency_level][0]

    @property
    def length(self) -> int:
        """Segments in a playlist."""
        return LATENCY_LEVELS[self.latency_level][1]

    @property
    def encodes_video(self) -> bool:
        """Whether any quality does."""
        return not all(quality.video_passthrough for quality in self.qualities)

    @property
    def passes_video(self) -> bool:
        """Whether any quality sends the publisher's video as it comes."""
        return any(quality.video_passthrough for quality in self.qualities)


def describe_variants(plan: Plan, source: Metadata, codecs: tuple[str, ...] = ()) -> tuple[Variant, ...]:
    """The variants as players are told of them.

    Args:
        plan: What is made.
        source: What comes in, as its headers showed it.
        codecs: Of each variant by RFC 6381; none while nobody knows.
    """
    names = codecs or ("",) * len(plan.qualities)
    return tuple(_variant(quality, source, name) for quality, name in zip(plan.qualities, names, strict=True))


def clip_for(variant: Variant, *, has_video: bool, has_audio: bool) -> Clip:
    """The offline clip that goes on where a variant ended."""
    return Clip(variant.width, variant.height, variant.frame_rate, has_video, has_audio)


def _variant(quality: Quality, source: Metadata, codecs: str) -> Variant:
    width, height = size_of_quality(quality, (source.width, source.height))
    has_video = bool(source.video_codec)
    rate = 0.0 if not has_video else source.frame_rate if quality.video_passthrough else quality.frames
    name = quality.name or _name(quality, height if has_video else 0)
    return Variant(name, _bandwidth(quality, source, has_video=has_video), width, height, rate, codecs)


def _bandwidth(quality: Quality, source: Metadata, *, has_video: bool) -> int:
    # What goes through as it comes is measured: publishers say what they meant to send.
    if has_video and quality.video_passthrough:
        return 0
    if quality.copies_audio and not (has_video or not source.audio_codec):
        return 0
    audio = quality.audio_bitrate or source.audio_bitrate or 160
    video = quality.bitrate * 1.1 if has_video else 0
    return round((video + (audio if source.audio_codec else 0)) * OVERHEAD) * 1000


def size_of_quality(quality: Quality, source: tuple[int, int]) -> tuple[int, int]:
    """Width and height of what is made; zeros where nobody knows."""
    width, height = source
    if quality.video_passthrough or not (quality.scaled_width or quality.scaled_height):
        return width, height
    wanted_width, wanted_height = (side - side % 2 for side in (quality.scaled_width, quality.scaled_height))
    if wanted_width and wanted_height:
        return wanted_width, wanted_height
    if not width or not height:
        return 0, 0
    if wanted_width:
        return wanted_width, _even(wanted_width * height / width)
    return _even(wanted_height * width / height), wanted_height


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)


def _name(quality: Quality, height: int) -> str:
    if quality.video_passthrough:
        return "As broadcast"
    size = f"{height}p" if height else ""
    return f"{size} {quality.bitrate} kbit/s".strip()
