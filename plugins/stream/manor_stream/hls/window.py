"""The newest segments of every variant, in memory, and the playlists that list them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import trio

from manor_stream.hls.playlists import render_media, rounded
from manor_stream.hls.segments import Entry
from manor_stream.hls.segments import Numbers as Numbers
from manor_stream.hls.segments import Segment as Segment
from manor_stream.hls.segments import Variant as Variant

RESUME_SECONDS = 300.0
"""A broadcaster who is back so soon goes on in the same playlists (contract of the Owncast API)."""

MEMORY = 256 * 1024 * 1024
KEPT_AFTERWARDS = 10
"""Segments that left the playlist and can be fetched still: by players that are slow, and by caches that ask late."""

FEWEST = 3
"""Fewer than three segments are no live stream to a player (RFC 8216 section 6.3.3)."""

Told = Callable[[int, Segment, bytes], None]


class Window:
    """What can be fetched now. The broadcast alone writes it.

    Args:
        first_number: Where media sequence numbers begin: with the time in seconds, which is above what a daemon before
            this one gave, as segments are longer than one. See `numbering`, which knows better.
        now: A clock that only goes forward, in seconds.
        warn: Told what an admin should know.
    """

    def __init__(
        self,
        first_number: int = 0,
        *,
        now: Callable[[], float] = trio.current_time,
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._now = now
        self._warn = warn
        self._tracks: list[_Track] = []
        self._variants: tuple[Variant, ...] = ()
        self._watchers: list[Told] = []
        self._memory = MEMORY
        self._used = 0
        self._age = 0
        self._has_warned = False
        # Above every number that was ever given, for tracks that are not there any more.
        self._number = first_number
        # Small: hls.js, of all players, walks from 0 to the number of a discontinuity.
        self._discontinuity = -1
        self._is_reset = True
        self._ended_at: float | None = None

    def begin_above(self, numbers: Numbers) -> None:
        """Give no numbers below these. Called before the first broadcast."""
        self._number = max(self._number, numbers.segment)
        self._discontinuity = max(self._discontinuity, numbers.discontinuity - 1)

    @property
    def next_numbers(self) -> Numbers:
        """Above every number that was given so far."""
        return Numbers(
            max([self._number, *(track.number for track in self._tracks)]),
            1 + max([self._discontinuity, *(track.discontinuity for track in self._tracks)]),
        )

    # --- The broadcast writes ----------------------------------------------------------------------------------------

    def begin(self, variants: Sequence[Variant], *, seconds: float, length: int, memory: int = MEMORY) -> None:
        """A broadcast begins.

        It goes on in the playlists that are there, after a discontinuity, when they are of as many variants and ended
        less than `RESUME_SECONDS` ago. Otherwise new ones begin; each replaces the old one with its first segment.

        Args:
            variants: In the order of the master playlist.
            seconds: Of a segment, about; the target duration is no less.
            length: Segments that a playlist lists.
            memory: Bytes for all variants; the oldest segments go first, but `FEWEST` of each variant stay.
        """
        self._renumber()
        self._memory = memory
        goes_on = not self._is_reset and len(variants) == len(self._tracks) and not self._is_long_over()
        if not goes_on:
            for track in self._tracks[len(variants) :]:
                self._forget(track)
            del self._tracks[len(variants) :]
            self._tracks += [_Track() for _ in range(len(variants) - len(self._tracks))]
        for track in self._tracks:
            track.begin(length, self._discontinuity, max(rounded(seconds), 1))
            if not goes_on:
                track.is_replaced = True
                track.number = self._number
        self._variants = tuple(variants)
        self._is_reset = self._has_warned = False
        self._ended_at = None

    def describe(self, variants: Sequence[Variant]) -> None:
        """Better values for the master playlist, once the stream is really known.

        Raises:
            ValueError: They are more or fewer than the broadcast began with.
        """
        if len(variants) != len(self._tracks):
            raise ValueError(f"{len(self._tracks)} variants began, {len(variants)} are described")
        self._variants = tuple(variants)

    def add(self, variant: int, segment: Segment) -> None:
        """A segment is ready: it is listed and can be fetched when this returns."""
        track = self._tracks[variant]
        if track.is_replaced:
            self._forget(track)
            track.is_replaced = False
            track.target = 0
        self._append(track, segment)
        track.newest = segment
        track.added += 1
        track.is_ended = False
        self._tell(variant, segment)

    def end(self, clips: Sequence[Segment | None]) -> None:
        """The broadcast is over: the offline clip after a discontinuity, where there is one, and the end of the list.

        Args:
            clips: One for each variant.
        """
        self._renumber()
        self._ended_at = self._now()
        for variant, (track, clip) in enumerate(zip(self._tracks, clips, strict=True)):
            track.newest = None
            if track.is_ended and track.entries:
                # Nothing was added since it ended the last time.
                continue
            self._close(variant, track, clip)

    def reset(self, variants: Sequence[Variant], clips: Sequence[Segment | None]) -> None:
        """Nothing has been on for long: each variant is the offline clip alone, and is not there without one."""
        self._renumber()
        for track in self._tracks:
            self._forget(track)
        self._tracks = [_Track(number=self._number) for _ in variants]
        self._variants = tuple(variants)
        self._is_reset = True
        for variant, (track, clip) in enumerate(zip(self._tracks, clips, strict=True)):
            track.begin(1, self._discontinuity, 1)
            self._close(variant, track, clip)

    def watch(self, told: Told) -> None:
        """Have `told` called with variant, segment and playlist after each segment that is listed, the clips too.

        When a playlist ends without a clip, its last segment is told once more, as the playlist is another.
        """
        self._watchers.append(told)

    # --- Others ask ------------------------------------------------------------------------------------------------

    @property
    def variants(self) -> tuple[Variant, ...]:
        """As the broadcast described them, with the measured bandwidth where it did not say."""
        return tuple(
            replace(
                variant,
                bandwidth=variant.bandwidth or track.peak,
                average_bandwidth=variant.average_bandwidth or track.average,
            )
            for variant, track in zip(self._variants, self._tracks, strict=True)
        )

    @property
    def is_empty(self) -> bool:
        """Whether no variant lists anything."""
        return not any(track.entries for track in self._tracks)

    @property
    def used(self) -> int:
        """Bytes of all segments."""
        return self._used

    @property
    def is_short_of_memory(self) -> bool:
        """Whether segments had to leave playlists of this broadcast before their time."""
        return self._has_warned

    def newest(self, variant: int) -> Segment | None:
        """The newest segment of the broadcast that is on; no clip."""
        return self._tracks[variant].newest if variant < len(self._tracks) else None

    def added(self, variant: int) -> int:
        """How many segments were added since the broadcast began."""
        return self._tracks[variant].added if variant < len(self._tracks) else 0

    def listed(self, variant: int) -> int:
        """How many segments its playlist lists, with those of the broadcast before and the clip."""
        return self._tracks[variant].listed if variant < len(self._tracks) else 0

    def playlist(self, variant: int) -> bytes | None:
        """The same object until the playlist changes; None when there is no such variant, or nothing in it."""
        return self._tracks[variant].render() if 0 <= variant < len(self._tracks) else None

    def find(self, variant: int, name: str) -> Segment | None:
        """A segment that is listed, or was lately."""
        return self._tracks[variant].by_name.get(name) if 0 <= variant < len(self._tracks) else None

    # --- Within ----------------------------------------------------------------------------------------------------

    def _is_long_over(self) -> bool:
        return self._ended_at is not None and self._now() - self._ended_at >= RESUME_SECONDS

    def _renumber(self) -> None:
        """Have the next entry of every variant stand behind the same discontinuity, whatever happened to some."""
        following = self.next_numbers
        self._number, self._discontinuity = following.segment, following.discontinuity
        for track in self._tracks:
            track.next_discontinuity = self._discontinuity

    def _close(self, variant: int, track: _Track, clip: Segment | None) -> None:
        if clip is not None:
            self._append(track, clip)
        track.is_ended = True
        track.body = None
        if track.entries:
            self._tell(variant, track.entries[-1].segment)

    def _append(self, track: _Track, segment: Segment) -> None:
        self._age += 1
        self._used += len(segment.data) - track.append(segment, self._age)
        while self._used > self._memory and self._drop_oldest():
            pass

    def _drop_oldest(self) -> bool:
        """Make room: what no playlist lists goes first; gives whether anything went."""
        unlisted = [track for track in self._tracks if len(track.entries) > track.listed]
        long = unlisted or [track for track in self._tracks if track.listed > FEWEST]
        if not long:
            return False
        if not unlisted and not self._has_warned:
            self._has_warned = True
            self._warn(
                "Playlists are shorter than the latency level has them: segments of all qualities take more than "
                f"{self._memory >> 20} MiB. Fewer qualities, or lower bit rates, need less"
            )
        self._used -= min(long, key=lambda track: track.entries[0].age).drop_oldest()
        return True

    def _forget(self, track: _Track) -> None:
        while track.entries:
            self._used -= track.drop_oldest()

    def _tell(self, variant: int, segment: Segment) -> None:
        body = self._tracks[variant].render() if self._watchers else None
        if body is not None:
            for told in self._watchers:
                told(variant, segment, body)


@dataclass
class _Track:
    """One variant's segments: those that its playlist lists, and before them those that it listed lately."""

    number: int = 0
    """Of the next entry."""

    entries: deque[Entry] = field(default_factory=deque)
    by_name: dict[str, Segment] = field(default_factory=dict)
    listed: int = 0
    length: int = 1
    target: int = 0
    least_target: int = 1
    discontinuity: int = -1
    """Of the newest entry."""

    next_discontinuity: int = 0
    """Of the next entry, where that is more."""

    body: bytes | None = None
    is_ended: bool = False
    is_replaced: bool = False
    """Whether the next segment begins a new playlist."""

    newest: Segment | None = None
    added: int = 0
    peak: int = 0
    bits: int = 0
    seconds: float = 0.0

    def begin(self, length: int, discontinuity: int, least_target: int) -> None:
        """A broadcast begins, behind this discontinuity."""
        self.length = length
        self.least_target = least_target
        self.next_discontinuity = discontinuity
        self.newest = None
        self.added = self.peak = self.bits = 0
        self.seconds = 0.0

    @property
    def average(self) -> int:
        """Bit/s of what was added, in whole kbit."""
        return round(self.bits / self.seconds / 1000) * 1000 if self.seconds else 0

    def append(self, segment: Segment, age: int) -> int:
        """List a segment; gives the bytes that went for it."""
        before = self.discontinuity
        self.discontinuity = max(before + (1 if segment.is_discontinuous else 0), self.next_discontinuity)
        # Nothing stands before the first one.
        breaks = self.discontinuity - before if self.entries else 0
        self.entries.append(Entry(segment, self.number, self.discontinuity, breaks, age))
        self.by_name[segment.name] = segment
        self.number += 1
        self.listed = min(self.listed + 1, self.length)
        self.target = max(self.target, self.least_target, rounded(segment.seconds))
        self._measure(segment)
        self.body = None
        gone = 0
        while len(self.entries) - self.listed > KEPT_AFTERWARDS:
            gone += self.drop_oldest()
        return gone

    def drop_oldest(self) -> int:
        """Forget the oldest segment; gives its bytes."""
        segment = self.entries.popleft().segment
        if self.by_name.get(segment.name) is segment:
            del self.by_name[segment.name]
        if self.listed > len(self.entries):
            self.listed = len(self.entries)
            self.body = None
        return len(segment.data)

    def render(self) -> bytes | None:
        """The playlist, encoded once for each change."""
        if self.body is None and self.listed:
            first = len(self.entries) - self.listed
            entries = [entry for place, entry in enumerate(self.entries) if place >= first]
            self.body = render_media(entries, target=self.target, is_ended=self.is_ended)
        return self.body

    def _measure(self, segment: Segment) -> None:
        bits = 8 * len(segment.data)
        self.bits += bits
        self.seconds += segment.seconds
        if segment.seconds > 0:
            self.peak = max(self.peak, round(bits / segment.seconds))
