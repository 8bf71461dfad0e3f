"""What ffmpeg's own playlists say of its segments. Pure (RFC 8216, sections 4.3.2.1 and 4.3.2.6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Listed:
    """A segment as a playlist has it.

    Args:
        name: Its file name.
        seconds: How long it plays.
        at: When its first frame came, in UTC; None when the playlist does not say.
    """

    name: str
    seconds: float
    at: datetime | None


def read_playlist(text: str) -> list[Listed]:
    """Its segments in order; lines that make no sense are passed over, with the segment that they are about."""
    listed: list[Listed] = []
    seconds = 0.0
    at: datetime | None = None
    for line in text.splitlines():
        tag, _, value = line.strip().partition(":")
        if tag == "#EXTINF":
            seconds = _seconds(value)
        elif tag == "#EXT-X-PROGRAM-DATE-TIME":
            at = _time(value)
        elif line.strip() and not line.startswith("#"):
            if seconds > 0:
                listed.append(Listed(line.strip().rpartition("/")[2], seconds, at))
            seconds, at = 0.0, None
    return listed


def _seconds(value: str) -> float:
    try:
        seconds = float(value.partition(",")[0])
    except ValueError:
        return 0
    return seconds if math.isfinite(seconds) and 0 < seconds < 3600 else 0


def _time(value: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(value.strip())
        return time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None
