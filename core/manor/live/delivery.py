"""One fan-out: what was said since the last one, written to everybody who waits for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import trio

from manor.live.crowds import tell_all
from manor.live.feed import Feed
from manor.live.pieces import Piece, pieces
from manor.live.ring import Channel, Entry, Voice, merged

AT_ONCE = 200
"""Outlets that are written to, or woken, before others get a turn on the loop."""


class Delivery:
    """What the channels that spoke have to say, joined once for everybody who is at the same place in one of them.

    It knows two ways to reach a feed. One whose outlet can be written to, and whose pump waits with nothing left to
    write, is given a `Piece` at once; for any other the pump is woken and reads the rings itself. A feed of several
    channels is reached last, once for all of them.

    Args:
        spoke: The channels that spoke since the last fan-out.
        speaking: Those that spoke since this one began; it fills while others have their turn on the loop.
    """

    def __init__(self, spoke: Iterable[Channel], speaking: Collection[Channel]) -> None:
        self._spoke = spoke
        self._speaking = speaking
        self._joined: dict[Channel, _Joined] = {}
        self._several: dict[Feed, list[Channel]] = defaultdict(list)

    async def run(self) -> None:
        """Write to all of them, in turns that leave time for others."""
        for channel in self._spoke:
            if channel.crowds:
                # Those who write for others begin first, and before the ring forgets what they were not told yet.
                tell_all(channel.crowds, at_any_rate=channel.is_full)
                await trio.lowlevel.checkpoint()
            channel.trim()
            await self._tell(channel)
        await self._tell_several()

    async def _tell(self, channel: Channel) -> None:
        joined = self._joined[channel] = _Joined(channel)
        plain = joined.plain
        feeds: Collection[Feed] = channel.feeds
        while feeds:
            behind: list[Feed] = []
            for turn in turns(feeds):
                for feed in turn:
                    tongue = feed.ready_in
                    if tongue is None:
                        if feed.hear(channel):
                            self._several[feed].append(channel)
                        continue
                    piece = plain[tongue].get(feed.position) or _made(feed, joined.plain_piece)
                    if piece is not None:
                        feed.give(piece)
                        if not piece.is_last:
                            behind.append(feed)
                await trio.lowlevel.checkpoint()
            feeds = behind

    async def _tell_several(self) -> None:
        """Those who hear several channels, or one in a voice of its own."""
        feeds: Collection[Feed] = self._several
        while feeds:
            behind: list[Feed] = []
            for turn in turns(feeds):
                for feed in turn:
                    if feed.is_ready and (piece := _made(feed, self._piece_for)) is not None:
                        feed.give(piece)
                        if not piece.is_last:
                            behind.append(feed)
                await trio.lowlevel.checkpoint()
            feeds = behind

    def _piece_for(self, feed: Feed) -> Piece | None:
        channels: Sequence[Channel] = self._several[feed]
        if self._speaking or len(channels) > 1:
            # It had heard everything before this fan-out. What came since its channels were gathered may be on any.
            there = feed.channels if self._speaking else channels
            channels = [channel for channel in there if channel.newest > feed.position]
            if not channels:
                return None
            if len(channels) > 1:
                return next(pieces(merged(channels, feed.position), feed.frame))
        joined = self._joined.get(channels[0])
        if joined is None:
            joined = self._joined[channels[0]] = _Joined(channels[0])
        if feed.voice is not None:
            return joined.voiced_piece(feed, feed.voice)
        return joined.plain[feed.tongue].get(feed.position) or joined.plain_piece(feed)


def _made(feed: Feed, make: Callable[[Feed], Piece | None]) -> Piece | None:
    try:
        return make(feed)
    except Exception:
        # The edge: a plugin's voice broke, or its entry. The feed's own pump meets the same, and there it ends one
        # subscriber; here it would end everybody's.
        feed.wake()
        return None


class _Joined:
    """The pieces of one channel, for as long as a fan-out takes.

    Attributes:
        plain: Those in the entries' own words, by tongue and by the position that they follow.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.plain: defaultdict[str, dict[int, Piece]] = defaultdict(dict)
        self._begun: dict[tuple[str, int], Piece] = {}

    def plain_piece(self, feed: Feed) -> Piece:
        """What a feed without a voice is given; from now on it is in `plain`."""
        piece = self._shared(feed, self._channel.after(feed.position))
        self.plain[feed.tongue][feed.position] = piece
        return piece

    def voiced_piece(self, feed: Feed, voice: Voice) -> Piece:
        """What a feed with a voice is given: its own, where it leaves out what others with that voice may hear."""
        entries = self._channel.after(feed.position)
        if all(map(voice.wants, entries)):
            return self._shared(feed, entries)
        return next(pieces(entries, feed.frame))

    def _shared(self, feed: Feed, entries: Sequence[Entry]) -> Piece:
        if not entries:
            return Piece((), feed.position)
        # Outlets with different positions may be at the same place: nothing was said here between the two.
        place = (feed.tongue, entries[0].position)
        piece = self._begun.get(place)
        if piece is None:
            piece = self._begun[place] = next(pieces(entries, feed.frame))
        return piece


def turns(feeds: Collection[Feed], at_once: int = AT_ONCE) -> Iterator[Sequence[Feed]]:
    """Those that are there now, in portions between which others get a turn on the loop."""
    there = list(feeds)
    for start in range(0, len(there), at_once):
        yield there[start : start + at_once]
