"""What playlists are made of. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Variant:
    """One quality of the stream, as the master playlist names it; 0 and "" where nobody knows.

    Args:
        name: What viewers see.
        bandwidth: Of its fullest segment, bit/s; 0: as measured.
        width: Pixels.
        height: Pixels.
        frame_rate: Frames a second.
        codecs: As RFC 6381 writes them: `avc1.64001f,mp4a.40.2`.
        average_bandwidth: Bit/s; 0: as measured.
    """

    name: str
    bandwidth: int
    width: int
    height: int
    frame_rate: float
    codecs: str
    average_bandwidth: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """Some seconds of video.

    Args:
        name: The last part of its URL, `stream-SESSION-NUMBER.ts`; never used twice for different bytes.
        data: MPEG transport stream.
        seconds: How long it plays.
        at: When its first frame came.
        is_discontinuous: Whether it does not continue the one before: another encoder made it, or something is missing.
    """

    name: str
    data: bytes
    seconds: float
    at: datetime
    is_discontinuous: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A segment's place in a playlist.

    Args:
        segment: What is played there.
        number: Its media sequence number (RFC 8216 section 3).
        discontinuity: Its discontinuity sequence number (section 6.2.1).
        breaks: How many `EXT-X-DISCONTINUITY` stand before it.
        age: Counts the entries of all variants; the oldest has the least.
    """

    segment: Segment
    number: int
    discontinuity: int
    breaks: int
    age: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where playlists have arrived, or begin.

    Args:
        segment: A media sequence number.
        discontinuity: A discontinuity sequence number.
    """

    segment: int
    discontinuity: int
