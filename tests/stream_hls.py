"""Windows with made-up segments, and playlists as a player reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from manor_stream.hls.window import Segment, Variant, Window

BEGAN = datetime(2030, 1, 2, 12, tzinfo=UTC)
LOW = Variant("low", 800_000, 640, 360, 24, "")
HIGH = Variant("high", 2_500_000, 1280, 720, 30, "avc1.64001f,mp4a.40.2", 2_000_000)
CLIP = Segment("offline.ts", b"nobody is here", 4.2, BEGAN)

_HEAD = re.compile(
    r"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:(\d+)\n#EXT-X-MEDIA-SEQUENCE:(\d+)\n"
    r"#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)\n#EXT-X-INDEPENDENT-SEGMENTS\n"
)
_ENTRY = re.compile(
    r"((?:#EXT-X-DISCONTINUITY\n)*)#EXT-X-PROGRAM-DATE-TIME:([^\n]+)\n#EXTINF:(\d+\.\d{3}),\n([^#\n][^\n]*)\n"
)


@dataclass(frozen=True)
class Listed:
    """A segment as a playlist has it, with the numbers that a player counts."""

    name: str
    seconds: float
    at: datetime
    number: int
    discontinuity: int
    breaks: int


@dataclass(frozen=True)
class Playlist:
    """A media playlist."""

    target: int
    number: int
    discontinuity: int
    entries: list[Listed]
    is_ended: bool

    @property
    def names(self) -> list[str]:
        """Of its segments."""
        return [entry.name for entry in self.entries]


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def read(body: bytes | None) -> Playlist:
    """Read a playlist to its last byte; what is not as we write it is an error."""
    assert body is not None, "there is no such playlist"
    text = body.decode("ascii")
    head = _HEAD.match(text)
    assert head is not None, text
    target, number, discontinuity = (int(group) for group in head.groups())
    entries: list[Listed] = []
    place, counted = head.end(), discontinuity
    while match := _ENTRY.match(text, place):
        breaks = match[1].count("\n")
        counted += breaks
        at = datetime.fromisoformat(match[2])
        entries.append(Listed(match[4], float(match[3]), at, number + len(entries), counted, breaks))
        place = match.end()
    assert text[place:] in ("", "#EXT-X-ENDLIST\n"), text[place:]
    return Playlist(target, number, discontinuity, entries, is_ended=place < len(text))


def segment(number: int, *, seconds: float = 2.0, size: int = 10, breaks: bool = False, session: str = "s") -> Segment:
    """The segment of a session with this number."""
    name = f"stream-{session}-{number}.ts"
    return Segment(name, name.encode().ljust(size, b"."), seconds, BEGAN + timedelta(seconds=number * 2), breaks)


def window_of(count: int, *, length: int = 5, variants: int = 1) -> Window:
    """A window with so many segments of each variant."""
    window = Window(now=lambda: 0.0)
    window.begin([LOW, HIGH][:variants], seconds=2, length=length)
    for number in range(count):
        for variant in range(variants):
            window.add(variant, segment(number))
    return window
