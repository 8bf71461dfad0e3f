"""The one task that writes to all outlets or wakes them, and the names of the channels they hear."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from weakref import WeakValueDictionary

import trio

from manor.live.crowds import Moving, Relays
from manor.live.delivery import Delivery, turns
from manor.live.feed import CUT_AFTER, Feed, Ping, Replay
from manor.live.ring import Channel, Entry, Voice
from manor.routing import GOING_AWAY, Closing, Outlet

SHORTEST_SLEEP = 1.0
"""Seconds between two looks at who wants a ping: thousands of outlets are looked at together."""

LEAVING_AT_ONCE = 50
LEAVE_WITHIN = 0.05
"""A stopping server ends so many outlets, and goes on when they have left, or after so many seconds.

Every end is some steps of its door's. If thousands were told at once, they would take each of these steps at the same
turn of the loop, and hold up everybody who still has something to finish.
"""

TOLD_WITHIN = 1.5
"""Seconds after which the rest is ended without waiting: where many do not read, everybody is still told why before
the daemon's own time to stop is over."""

SHUTDOWN_GRACE = 3.0
"""Seconds that a stopping server gives writes under way."""


class LiveService:
    """Live delivery, `context.live`: channels by name, and feeds that hear them.

    A channel lives as long as somebody hears it, so `find` and `append` cost nothing where nobody listens.

    Attributes:
        on_too_slow: Called for each outlet that is closed because its client reads too slowly.
    """

    def __init__(self) -> None:
        self._channels: WeakValueDictionary[str, Channel] = WeakValueDictionary()
        self._feeds: set[Feed] = set()
        self._dirty: dict[Channel, None] = {}
        self._look_at = float("inf")
        self._cuts: list[tuple[float, int, Feed]] = []
        self._numbers = itertools.count()
        self._roused = trio.Event()
        self._next_left = trio.Event()
        self._is_stopping = False
        self._moving: Moving | None = None
        self.on_too_slow: Callable[[], object] = lambda: None

    def channel(self, name: str) -> Channel:
        """The channel of that name, made when there is none. Hold on to it: only that keeps it."""
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name, self._rouse)
        return channel

    def find(self, name: str) -> Channel | None:
        """The channel of that name, or None when nobody hears it."""
        return self._channels.get(name)

    def connection_count(self, name: str) -> int:
        """How many outlets hear that channel."""
        channel = self._channels.get(name)
        return 0 if channel is None else channel.outlets

    @property
    def outlets(self) -> int:
        """How many outlets there are in all."""
        return len(self._feeds)

    def feed(
        self,
        channels: Sequence[Channel],
        *,
        greeting: Sequence[Entry] = (),
        replay: Replay | None = None,
        ping: Ping | None = None,
        ping_seconds: float = 25.0,
        released: Callable[[], None] | None = None,
        voice: Voice | None = None,
    ) -> Feed:
        """A source for one outlet.

        Args:
            channels: What it hears, in the order of positions.
            greeting: What it is told first, before the replay.
            replay: Reads what is stored, page by page, from the cursor that it is attached with.
            ping: Makes the entry of a ping; None for no pings.
            ping_seconds: From one ping to the next, whatever else is said.
            released: Called once when it is over, also when no door ever attached it: gives a client's place back.
            voice: Says everything in other words; None for the entries' own.
        """
        return Feed(
            self,
            channels,
            greeting=greeting,
            replay=replay,
            ping=ping,
            ping_seconds=ping_seconds,
            released=released,
            voice=voice,
        )

    def close_where(self, predicate: Callable[[Outlet], bool], closing: Closing) -> int:
        """End every outlet that the predicate picks, such as those of a revoked credential; returns how many."""
        ended = [feed for feed in self._feeds if predicate(feed.outlet)]
        for feed in ended:
            feed.end(closing)
        return len(ended)

    def use(self, relays: Relays) -> None:
        """Have other processes write to whom they can, from those on who wait from now on."""
        self._moving = Moving(relays)

    def look_again(self) -> None:
        """A process has begun: see who can move to it."""
        self._roused.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write to outlets when something was said or a ping is due; runs as long as the house is open."""
        task_status.started()
        while True:
            with trio.move_on_at(min(self._look_at, self._cuts[0][0] if self._cuts else self._look_at)):
                await self._roused.wait()
            # One more turn: the answers of the commit that roused us go out first, and every pump that was woken last
            # time has taken its entries before a ring is trimmed.
            await trio.lowlevel.checkpoint()
            self._roused = trio.Event()
            spoke, self._dirty = self._dirty, {}
            await Delivery(spoke, self._dirty).run()
            if trio.current_time() >= self._look_at:
                await self._ask_pings()
            if self._moving is not None and not self._is_stopping and self._moving.move():
                self._roused.set()
            while self._cuts and trio.current_time() >= self._cuts[0][0]:
                _, _, feed = heapq.heappop(self._cuts)
                if feed in self._feeds:
                    feed.outlet.gone()

    async def shut_down(self, *, grace: float = SHUTDOWN_GRACE) -> None:
        """End every outlet with `GOING_AWAY` and wait until the doors have let go of them.

        Args:
            grace: Seconds for writes under way, once an outlet was ended; after the last one's, and a second for the
                doors, it returns all the same.
        """
        self._is_stopping = True
        told_at = trio.current_time() + TOLD_WITHIN
        for turn in turns(self._feeds, LEAVING_AT_ONCE):
            for feed in turn:
                feed.end(GOING_AWAY, grace=grace)
            with trio.move_on_at(min(trio.current_time() + LEAVE_WITHIN, told_at)):
                while not self._feeds.isdisjoint(turn):
                    await self._next_left.wait()
        with trio.move_on_after(grace + 1.0):
            while self._feeds:
                await self._next_left.wait()

    # --- Called by channels and feeds ------------------------------------------------------------------------------

    def joined(self, feed: Feed) -> None:
        """A feed was attached."""
        self._feeds.add(feed)
        if feed.ping_due < self._look_at:
            self._look_at = feed.ping_due
            self._roused.set()
        if self._is_stopping:
            feed.end(GOING_AWAY, grace=CUT_AFTER)

    def left(self, feed: Feed) -> None:
        """A feed was detached."""
        self._feeds.discard(feed)
        if self._moving is not None:
            self._moving.discard(feed)
        if self._is_stopping:
            self._next_left.set()
            self._next_left = trio.Event()

    def waits(self, feed: Feed) -> None:
        """A feed that its only channel's frames can be sent to has nothing left to write."""
        if self._moving is not None:
            self._moving.add(feed)
            self._roused.set()

    def will_cut(self, feed: Feed, at: float) -> None:
        """A feed was ended in the middle of a write: its door is told at that time, if it hangs until then."""
        heapq.heappush(self._cuts, (at, next(self._numbers), feed))
        self._roused.set()

    def _rouse(self, channel: Channel) -> None:
        self._dirty[channel] = None
        self._roused.set()

    async def _ask_pings(self) -> None:
        now = trio.current_time()
        for turn in turns(self._feeds):
            for feed in turn:
                if feed.ping_due <= now:
                    feed.ask_ping()
            await trio.lowlevel.checkpoint()
        due = min((feed.ping_due for feed in self._feeds), default=float("inf"))
        self._look_at = max(now + SHORTEST_SLEEP, due)
