"""Feeds whose sockets are in another process: what their channel says is told there once, whatever their number."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from manor.live.pieces import pieces
from manor.routing import Outlet, Wire

if TYPE_CHECKING:
    from manor.live.feed import Feed
    from manor.live.ring import Channel

MOST_UNSAID = 2
"""Pieces that are on their way to a process, or are being written there. What is said meanwhile is joined to one."""

AT_ONCE = 200
"""Feeds that move before others get a turn on the loop."""


class Relay(Protocol):
    """A process of ours that writes to many outlets what it is told once. Nothing of it raises, or waits."""

    @property
    def is_free(self) -> bool:
        """Whether outlets can be moved to it now."""
        ...

    def group(self, on_said: Callable[[], None]) -> int:
        """A new group's number; `on_said` is called once for each `say`, when that is written to all."""
        ...

    def say(self, group: int, data: bytes, *, goes_on: bool) -> None:
        """Write to all of a group; with `goes_on` more follows that was said together with it."""
        ...

    def disband(self, group: int) -> None:
        """Nobody is in that group any more."""
        ...

    def join(self, outlet: Outlet, group: int, on_too_slow: Callable[[], None]) -> bool:
        """Move an outlet's socket there and have it hear a group; whether that could be."""
        ...

    def leave(self, outlet: Outlet, *, breaks_off: bool) -> None:
        """Have it hear its group no more; what waits for it is forgotten if it breaks off."""
        ...


class Relays(Protocol):
    """All such processes."""

    def emptiest(self) -> Relay | None:
        """The one with the fewest outlets; None when there is none, or it has no time now."""
        ...


class Crowd:
    """All feeds of one channel that one process writes to on one wire. Made by `Moving`.

    It is at one place of the channel's ring for all of them. A process that is busy with what it was told is not told
    more at once, unless the ring would forget it: what is said meanwhile leaves joined, in fewer writes to each.

    Args:
        channel: What they hear, in its own words.
        relay: The process.
        tongue: That of its feeds.
        wire: How their frames look.
        position: Where the first of them is.

    Attributes:
        feeds: Those in it.
        position: The position of what they were told last.
    """

    __slots__ = ("_channel", "_group", "_relay", "_tongue", "_unsaid", "_wire", "feeds", "position")

    def __init__(self, channel: Channel, relay: Relay, tongue: str, wire: Wire, position: int) -> None:
        self.feeds: set[Feed] = set()
        self.position = position
        self._channel = channel
        self._relay = relay
        self._tongue = tongue
        self._wire = wire
        self._unsaid = 0
        self._group = relay.group(self._is_said)

    def tell(self, *, at_any_rate: bool = False) -> None:
        """Have the process told what the channel has said since.

        Args:
            at_any_rate: Also while it is busy.
        """
        if self._unsaid >= MOST_UNSAID and not at_any_rate:
            return
        entries = self._channel.after(self.position)
        if not entries:
            return
        wire = self._wire
        try:
            for piece in pieces(entries, lambda entry: entry.frame(wire)):
                self.position = piece.last
                if piece.data:
                    self._unsaid += 1
                    self._relay.say(self._group, piece.data, goes_on=not piece.is_last)
        except Exception:
            # The edge: a plugin's entry broke. The feeds' own pumps meet the same, and there it ends one subscriber
            # each; here it would end everybody's.
            for feed in tuple(self.feeds):
                feed.wake()

    def take(self, feed: Feed) -> bool:
        """Have the process write to a feed that waits at the crowd's place; whether it does now."""
        if not self._relay.join(feed.outlet, self._group, feed.fall_behind):
            return False
        self.feeds.add(feed)
        feed.move(self)
        return True

    def leave(self, feed: Feed, *, breaks_off: bool) -> None:
        """A feed goes on by itself, from the crowd's place."""
        self.feeds.discard(feed)
        self._relay.leave(feed.outlet, breaks_off=breaks_off)
        self.close_if_empty()

    def close_if_empty(self) -> None:
        """A crowd of nobody is none."""
        if not self.feeds:
            self._channel.crowds.pop((self._relay, self._tongue), None)
            self._relay.disband(self._group)

    def _is_said(self) -> None:
        self._unsaid -= 1
        self.tell()


class Moving:
    """Feeds that wait in this process, and may move to another once they are where that one's crowd is.

    Args:
        relays: Where to.
    """

    def __init__(self, relays: Relays) -> None:
        self._relays = relays
        self._waiting: dict[Feed, None] = {}

    def add(self, feed: Feed) -> None:
        """It waits, and hears one channel in its own words."""
        self._waiting[feed] = None

    def discard(self, feed: Feed) -> None:
        """It is over."""
        self._waiting.pop(feed, None)

    def move(self) -> bool:
        """Move those that can; whether there are more who might."""
        moved = 0
        if self._relays.emptiest() is None:
            return False
        for feed in tuple(self._waiting):
            if feed.ready_in is None:
                # It writes by itself just now, and comes back when it waits again.
                del self._waiting[feed]
                continue
            relay = self._relays.emptiest()
            if relay is None:
                return False
            crowd = self._crowd(feed, relay)
            if crowd.position != feed.position:
                # Even if the ring has nothing in between: a feed that has replayed may be ahead of it.
                continue
            if not crowd.take(feed):
                crowd.close_if_empty()
                if not relay.is_free:
                    return False
            else:
                moved += 1
            del self._waiting[feed]
            if moved == AT_ONCE:
                return bool(self._waiting)
        return False

    def _crowd(self, feed: Feed, relay: Relay) -> Crowd:
        (channel,) = feed.channels
        crowd = channel.crowds.get((relay, feed.tongue))
        if crowd is None:
            crowd = Crowd(channel, relay, feed.tongue, feed.outlet.wire, feed.position)
            channel.crowds[relay, feed.tongue] = crowd
        elif crowd.position < feed.position:
            crowd.tell(at_any_rate=True)
        return crowd


def tell_all(crowds: dict[tuple[Relay, str], Crowd], *, at_any_rate: bool) -> None:
    """See `Crowd.tell`."""
    for crowd in tuple(crowds.values()):
        crowd.tell(at_any_rate=at_any_rate)


def everybody(feeds: set[Feed], crowds: dict[tuple[Relay, str], Crowd]) -> list[Feed]:
    """All feeds of a channel, wherever their sockets are."""
    return list(itertools.chain(feeds, *(crowd.feeds for crowd in crowds.values())))
