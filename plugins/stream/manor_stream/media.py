"""What a publisher sends, as FLV has it: audio, video and data, each with its time and what its first bytes say.

The layout of tags and of their bodies' first bytes is that of Adobe's "Video File Format Specification Version 10.1",
annex E; the headers with a FourCC are those of Veovera's "Enhanced RTMP".
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

LEAST_WEIGHT = 256
"""Bytes that a tag counts for at least: a body of one byte is an object and a place in a queue, too."""


class Kind(enum.Enum):
    """What a tag has in it, with the number that both FLV and RTMP give it."""

    AUDIO = 8
    VIDEO = 9
    DATA = 18


@dataclass(frozen=True, slots=True)
class Media:
    """One tag: usually one frame of video or of audio.

    Args:
        kind: What it is.
        timestamp: Milliseconds since the publish began; of one kind they never go back.
        data: The body of an FLV tag.
        is_header: Whether decoders need it before everything else (a sequence header).
        is_key_frame: Whether video can begin with it.
    """

    kind: Kind
    timestamp: int
    data: bytes
    is_header: bool = False
    is_key_frame: bool = False

    @classmethod
    def of(cls, kind: Kind, timestamp: int, data: bytes) -> Media:
        """Read from the first bytes what they say."""
        is_header = _is_header(kind, data)
        return cls(kind, timestamp, data, is_header, not is_header and _is_key_frame(kind, data))

    @property
    def codec(self) -> str:
        """What it is encoded with, for people: `H.264`, `H.265`, `AV1`, `AAC`; "" for data and for the unknown."""
        match self.kind:
            case Kind.VIDEO:
                return _video_codec(self.data)
            case Kind.AUDIO:
                return _audio_codec(self.data)
            case Kind.DATA:
                return ""

    @property
    def weight(self) -> int:
        """What it counts for where memory is bounded, in bytes."""
        return max(len(self.data), LEAST_WEIGHT)

    @property
    def is_enhanced(self) -> bool:
        """Whether its header has a FourCC, which ffmpeg reads from 6.1 on for some codecs, and from 8.0 for more."""
        return bool(self.data) and (
            (self.kind is Kind.VIDEO and bool(self.data[0] & _ENHANCED_VIDEO))
            or (self.kind is Kind.AUDIO and self.data[0] >> 4 == _ENHANCED_AUDIO)
        )


def flv_header(has_audio: bool, has_video: bool) -> bytes:
    """What an FLV stream begins with."""
    return b"FLV\x01" + bytes([4 * has_audio + has_video]) + b"\0\0\0\x09\0\0\0\0"


def flv_tag(media: Media) -> bytes:
    """One tag of an FLV stream, with the size of itself that follows it."""
    size = len(media.data)
    # Eight more bits of the time stand behind the lower 24.
    stamp = media.timestamp & 0xFFFFFFFF
    head = b"%c%b%b%c\0\0\0" % (
        media.kind.value,
        size.to_bytes(3, "big"),
        (stamp & 0xFFFFFF).to_bytes(3, "big"),
        stamp >> 24,
    )
    return b"".join((head, media.data, (len(head) + size).to_bytes(4, "big")))


_ENHANCED_VIDEO = 0x80
_ENHANCED_AUDIO = 9
_MULTITRACK_VIDEO = 6
_MULTITRACK_AUDIO = 5
_KEY_FRAME = 1
_FRAME_PACKETS = (1, 3, 6)
"""Those with pictures: with a time of their own, without one, and of several tracks."""

_VIDEO_CODECS = {
    2: "H.263",
    3: "Screen video",
    4: "VP6",
    5: "VP6",
    6: "Screen video",
    7: "H.264",
    12: "H.265",
    13: "AV1",
}
# 12 and 13 are in no specification; encoders sent them before there was a FourCC.
_WITH_PACKET_TYPE = (7, 12, 13)

_AUDIO_CODECS = {
    0: "PCM",
    1: "ADPCM",
    2: "MP3",
    3: "PCM",
    4: "Nellymoser",
    5: "Nellymoser",
    6: "Nellymoser",
    7: "G.711",
    8: "G.711",
    10: "AAC",
    11: "Speex",
    14: "MP3",
}
_AAC = 10

FOUR_CC = {
    b"avc1": "H.264",
    b"hvc1": "H.265",
    b"vvc1": "H.266",
    b"av01": "AV1",
    b"vp08": "VP8",
    b"vp09": "VP9",
    b"mp4a": "AAC",
    b".mp3": "MP3",
    b"Opus": "Opus",
    b"fLaC": "FLAC",
    b"ac-3": "AC-3",
    b"ec-3": "E-AC-3",
}
"""Names for people of the codecs that headers and metadata name by four letters."""


def _is_header(kind: Kind, data: bytes) -> bool:
    if kind is Kind.DATA or len(data) < 2:
        return False
    first = data[0]
    if kind is Kind.VIDEO:
        if first & _ENHANCED_VIDEO:
            return first & 0x0F == 0
        return first & 0x0F in _WITH_PACKET_TYPE and data[1] == 0
    if first >> 4 == _ENHANCED_AUDIO:
        return first & 0x0F == 0
    return first >> 4 == _AAC and data[1] == 0


def _is_key_frame(kind: Kind, data: bytes) -> bool:
    # With a FourCC the frame's type has three bits, without one four: the highest is the sign of the FourCC.
    if kind is not Kind.VIDEO or not data or data[0] >> 4 & 0x07 != _KEY_FRAME:
        return False
    if data[0] & _ENHANCED_VIDEO:
        return data[0] & 0x0F in _FRAME_PACKETS
    # The end of a sequence is sent as a key frame too, and has no picture in it.
    return data[0] & 0x0F not in _WITH_PACKET_TYPE or data[1:2] == b"\x01"


def _video_codec(data: bytes) -> str:
    if not data:
        return ""
    if not data[0] & _ENHANCED_VIDEO:
        return _VIDEO_CODECS.get(data[0] & 0x0F, "")
    return "several tracks" if data[0] & 0x0F == _MULTITRACK_VIDEO else FOUR_CC.get(data[1:5], "")


def _audio_codec(data: bytes) -> str:
    if not data:
        return ""
    if data[0] >> 4 != _ENHANCED_AUDIO:
        return _AUDIO_CODECS.get(data[0] >> 4, "")
    return "several tracks" if data[0] & 0x0F == _MULTITRACK_AUDIO else FOUR_CC.get(data[1:5], "")
