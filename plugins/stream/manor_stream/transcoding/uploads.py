"""Puts together what ffmpeg sends apart: a segment's bytes, and the playlist that says how long it is. Pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from manor_stream.transcoding.playlists_in import Listed, read_playlist

PLAYLIST = "stream.m3u8"

MOST_WAITING = 8
"""Segments that no playlist has named yet, of one variant; a further one takes the place of the oldest."""

OnSegment = Callable[[int, Listed, bytes], None]


class Unwanted(Exception):
    """Nobody waits for this file."""


class Uploads:
    """What one run of ffmpeg sends, segment by segment in the order of its playlists.

    The two may overtake each other, as each comes on a connection of its own.

    Args:
        variants: How many there are.
        session: In the segments' names.
        on_segment: Called with the variant, what the playlist says, and the bytes.
    """

    def __init__(self, variants: int, session: str, on_segment: OnSegment) -> None:
        self._pattern = re.compile(rf"stream-{re.escape(session)}-[0-9]{{1,9}}\.ts")
        self._on_segment = on_segment
        self._tracks = [_Track(self._pattern) for _ in range(variants)]

    def check(self, variant: str, name: str) -> int:
        """The variant's number, if such a file is waited for.

        Raises:
            Unwanted: It is not.
        """
        if not (variant.isascii() and variant.isdigit() and len(variant) < 4 and int(variant) < len(self._tracks)):
            raise Unwanted(variant)
        if name != PLAYLIST and not self._pattern.fullmatch(name):
            raise Unwanted(name)
        return int(variant)

    def take(self, variant: int, name: str, data: bytes) -> None:
        """Take a whole file."""
        track = self._tracks[variant]
        if name == PLAYLIST:
            track.read(data.decode("utf-8", "replace"))
        else:
            track.arrived[name] = data
            if len(track.arrived) > MOST_WAITING:
                del track.arrived[next(iter(track.arrived))]
        for listed, segment in track.ready():
            self._on_segment(variant, listed, segment)


class _Track:
    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.arrived: dict[str, bytes] = {}
        self._named: deque[Listed] = deque()
        self._newest = -1

    def read(self, text: str) -> None:
        for listed in read_playlist(text):
            if not self._pattern.fullmatch(listed.name):
                continue
            number = int(listed.name.rpartition("-")[2].partition(".")[0])
            if number > self._newest:
                self._newest = number
                self._named.append(listed)

    def ready(self) -> list[tuple[Listed, bytes]]:
        found: list[tuple[Listed, bytes]] = []
        while self._named:
            listed = self._named[0]
            if listed.name not in self.arrived:
                # What came after it in the playlist and is here shows that this one is lost, but not at once.
                if len(self._named) <= MOST_WAITING:
                    break
                self._named.popleft()
                continue
            self._named.popleft()
            found.append((listed, self.arrived.pop(listed.name)))
        return found
