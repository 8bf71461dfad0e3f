"""What codecs can be broadcast, and what players are told of them. Pure.

HLS wants codecs as RFC 6381 writes them; where they stand in an AVC sequence header and in an AAC one say ISO/IEC
14496-15 (section 5.3.3) and 14496-3 (section 1.6.2).
"""

from __future__ import annotations

from manor_stream.media import Kind, Media
from manor_stream.quality import Quality
from manor_stream.transcoding.abilities import Abilities

READ_BY_ALL = {"H.264", "AAC", "MP3"}
"""Codecs that every ffmpeg reads from a publisher."""

ENHANCED = {"H.265", "AV1"}
"""Codecs that have no number in FLV, four letters only."""

ENHANCED_SINCE = (6, 1)
"""The first ffmpeg that reads those."""

RENAMED_SINCE = (8, 0)
"""The first that reads others by four letters, too (Enhanced RTMP, version 2): all audio, and `avc1`."""

IN_TRANSPORT_STREAMS = {"H.264", "H.265", "AAC", "MP3"}
"""What MPEG-TS segments can carry as it comes."""

LEGACY_IDS = (12, 13)

SEQUENCE_PARAMETERS = 7
"""The type of the NAL unit that describes an H.264 stream."""


def refusal(media: Media, abilities: Abilities, qualities: tuple[Quality, ...]) -> str:
    """Why this cannot be broadcast, for the publisher; "" when it can be.

    Args:
        media: A sequence header, or the first tag of a kind.
        abilities: This server's ffmpeg.
        qualities: What it is encoded in.
    """
    codec = media.codec
    wanted = "H.264" if media.kind is Kind.VIDEO else "AAC"
    if not codec or codec == "several tracks" or codec not in READ_BY_ALL | ENHANCED:
        return f"This server cannot read {codec or 'this codec'} over RTMP; send {wanted}"
    needed = (ENHANCED_SINCE if codec in ENHANCED else RENAMED_SINCE) if media.is_enhanced else (0, 0)
    # A number that is in no specification is not what any version can be trusted to read.
    is_legacy = media.kind is Kind.VIDEO and not media.is_enhanced and media.data[0] & 0x0F in LEGACY_IDS
    if is_legacy or abilities.number < needed:
        # Who sends the right codec would look for the fault in vain.
        how = f"{wanted} by its number, without Enhanced RTMP" if codec == wanted else wanted
        return f"This server's ffmpeg ({abilities.version}) cannot read {codec} over RTMP; send {how}"
    if codec not in IN_TRANSPORT_STREAMS and any(quality.video_passthrough for quality in qualities):
        return f"A quality of this server sends video through as it comes, which {codec} cannot; send {wanted}"
    return ""


def codecs_in(segment: bytes, *, audio: str) -> str:
    """What a segment is encoded with, for a master playlist; "" where it does not show.

    Args:
        segment: An MPEG-TS segment.
        audio: Its audio by its RFC 6381 name; "" for none.
    """
    video = _h264_in(segment)
    return ",".join(filter(None, (video, audio)))


def audio_name(header: Media | None, *, is_encoded: bool) -> str:
    """The RFC 6381 name of audio.

    Args:
        header: Its sequence header, or a tag where it has none; None for no audio.
        is_encoded: Whether ffmpeg encodes it anew, which gives AAC-LC.
    """
    if header is None:
        return ""
    if is_encoded:
        return "mp4a.40.2"
    if header.codec == "MP3":
        return "mp4a.40.34"
    start = 5 if header.is_enhanced else 2
    if len(header.data) <= start:
        return ""
    object_type = header.data[start] >> 3
    return f"mp4a.40.{object_type}" if 0 < object_type < 31 else ""


def size_of(header: Media | None) -> tuple[int, int] | None:
    """Width and height in an H.264 sequence header; None where it does not show."""
    if header is None or header.codec != "H.264":
        return None
    # The record stands behind five bytes, of either kind of header.
    record = header.data[5:]
    if len(record) < 8 or not record[5] & 0x1F:
        return None
    length = int.from_bytes(record[6:8], "big")
    unit = record[8 : 8 + length]
    if len(unit) < 5 or unit[0] & 0x1F != SEQUENCE_PARAMETERS:
        return None
    try:
        return _size_in(unit[1:])
    except IndexError:
        return None


def _h264_in(segment: bytes) -> str:
    at = 0
    while True:
        at = segment.find(b"\0\0\1", at)
        if at < 0 or at + 7 > len(segment):
            return ""
        if segment[at + 3] & 0x9F == SEQUENCE_PARAMETERS:
            return f"avc1.{segment[at + 4 : at + 7].hex()}"
        at += 3


class _Bits:
    """Numbers of a NAL unit, bit by bit (ITU-T H.264, section 9.1)."""

    def __init__(self, data: bytes) -> None:
        self._bytes = data.replace(b"\0\0\3", b"\0\0")
        self._at = 0

    def one(self) -> int:
        bit = self._bytes[self._at >> 3] >> (7 - (self._at & 7)) & 1
        self._at += 1
        return bit

    def several(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self.one()
        return value

    def number(self) -> int:
        zeros = 0
        while not self.one():
            zeros += 1
        return (1 << zeros) - 1 + self.several(zeros)

    def signed(self) -> int:
        value = self.number()
        return (value + 1) // 2 if value & 1 else -(value // 2)


_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}


def _size_in(parameters: bytes) -> tuple[int, int]:
    """The frame's size (ITU-T H.264, sections 7.3.2.1.1 and 7.4.2.1.1)."""
    profile = parameters[0]
    bits = _Bits(parameters[3:])
    bits.number()
    chroma = 1
    is_separate = 0
    if profile in _HIGH_PROFILES:
        chroma = bits.number()
        if chroma == 3:
            is_separate = bits.one()
        bits.number()
        bits.number()
        bits.one()
        if bits.one():
            for place in range(12 if chroma == 3 else 8):
                if bits.one():
                    _skip_scaling(bits, 16 if place < 6 else 64)
    bits.number()
    order = bits.number()
    if order == 0:
        bits.number()
    elif order == 1:
        bits.one()
        bits.signed()
        bits.signed()
        for _ in range(bits.number()):
            bits.signed()
    bits.number()
    bits.one()
    width = (bits.number() + 1) * 16
    map_height = bits.number() + 1
    is_frame = bits.one()
    height = (2 - is_frame) * map_height * 16
    if not is_frame:
        bits.one()
    bits.one()
    if bits.one():
        left, right, top, bottom = (bits.number() for _ in range(4))
        across, down = (1, 1) if is_separate or chroma in (0, 3) else (2, 2 if chroma == 1 else 1)
        width -= across * (left + right)
        height -= down * (2 - is_frame) * (top + bottom)
    return width, height


def _skip_scaling(bits: _Bits, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
