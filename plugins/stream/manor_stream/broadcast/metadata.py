"""What `onMetaData` says of a publisher's media. Pure.

The members are those of Adobe's "Video File Format Specification Version 10.1", annex E.5, and codecs by four letters
those of Veovera's "Enhanced RTMP".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from manor_stream.media import FOUR_CC
from manor_stream.on_air import Metadata

VIDEO_IDS = {2: "H.263", 4: "VP6", 5: "VP6", 7: "H.264", 12: "H.265", 13: "AV1"}
AUDIO_IDS = {2: "MP3", 10: "AAC", 11: "Speex", 14: "MP3"}

NAMES = {"h264": "H.264", "avc": "H.264", "h265": "H.265", "hevc": "H.265", "hev1": "H.265", "aac": "AAC", "mp3": "MP3"}
"""What encoders call codecs where the specification has a number."""

LONGEST_TEXT = 200


def read_metadata(raw: Mapping[str, Any]) -> Metadata:
    """What can be believed of it: everything that is not a sensible number or text is left out."""
    return Metadata(
        width=int(_number(raw.get("width"), 16_384)),
        height=int(_number(raw.get("height"), 16_384)),
        frame_rate=_number(raw.get("framerate"), 1000),
        video_bitrate=_number(raw.get("videodatarate"), 1_000_000),
        video_codec=_codec(raw.get("videocodecid"), VIDEO_IDS),
        audio_bitrate=_number(raw.get("audiodatarate"), 100_000),
        audio_codec=_codec(raw.get("audiocodecid"), AUDIO_IDS),
        encoder=_text(raw.get("encoder")),
    )


def completed(metadata: Metadata, *, video_codec: str, audio_codec: str, size: tuple[int, int] | None) -> Metadata:
    """The same with what the headers show, which counts more than what was said.

    Args:
        metadata: What was said.
        video_codec: What is really sent; "" for no video.
        audio_codec: The same of audio.
        size: Width and height in pixels; None where the headers do not show it.
    """
    width, height = size or (metadata.width, metadata.height)
    if not video_codec:
        width = height = 0
    return replace(metadata, width=width, height=height, video_codec=video_codec, audio_codec=audio_codec)


def _number(value: Any, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return value if 0 < value <= most else 0


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(letter for letter in value if letter.isprintable())[:LONGEST_TEXT]


def _codec(value: Any, ids: Mapping[int, str]) -> str:
    if isinstance(value, str):
        text = value.strip()
        known = FOUR_CC.get(text.encode("utf-8", "replace")) or NAMES.get(text.lower().replace(".", ""))
        return known or _text(text)
    number = _number(value, 2**32 - 1)
    if number != int(number):
        return ""
    # A FourCC is sent as the number that its letters are.
    return ids.get(int(number)) or FOUR_CC.get(int(number).to_bytes(4, "big"), "")
