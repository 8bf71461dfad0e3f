"""Who watches: known by the playlists they fetch."""

from __future__ import annotations

import hmac
import secrets
from collections import Counter, OrderedDict
from dataclasses import dataclass

import trio

from manor import Address
from manor_stream.on_air import OnAir

SILENT_SECONDS = 15.0
"""Without a playlist for so long somebody has left (Owncast counts so today)."""

MOST_VIEWERS = 50_000

MOST_OF_AN_ADDRESS = 100
"""Programs of one address that count, each as a viewer: a school's pupils do, names made up for each request do not."""

LONGEST_AGENT = 500


@dataclass(slots=True)
class Viewer:
    """Somebody who watches.

    Args:
        id: The same for the same address and program until the daemon starts anew.
        address: Where they are.
        user_agent: What they watch with.
        since: `trio.current_time()` of the first playlist.
        seen: Of the newest one.
    """

    id: str
    address: str
    user_agent: str
    since: float
    seen: float


class Viewers:
    """Counts viewers by address and program, and remembers the most there were. Addresses are in memory alone.

    Args:
        on_air: Peaks are of broadcasts that are live.
    """

    def __init__(self, on_air: OnAir) -> None:
        self._on_air = on_air
        self._key = secrets.token_bytes(32)
        # Who was silent for longest stands first.
        self._watching: OrderedDict[str, Viewer] = OrderedDict()
        self._of_address: Counter[Address] = Counter()
        self.session_peak = 0
        self.overall_peak = 0

    def touch(self, address: str, user_agent: str) -> None:
        """Somebody fetched a playlist, or said that they watch. Called for every playlist: costs microseconds."""
        self._forget_silent()
        user_agent = user_agent[:LONGEST_AGENT]
        viewer_id = self._id(f"{address}\0{user_agent}")
        viewer = self._watching.get(viewer_id)
        if viewer is None:
            self._come(viewer_id, address, user_agent)
            return
        viewer.seen = trio.current_time()
        self._watching.move_to_end(viewer_id)

    @property
    def count(self) -> int:
        """How many watch now."""
        self._forget_silent()
        return len(self._watching)

    @property
    def live_count(self) -> int:
        """How many watch a broadcast: nobody while none is on. What the API calls `viewerCount`."""
        # Asked every five seconds: whoever has left is forgotten while nothing is on, too.
        self._forget_silent()
        return self.note_peak() if self._on_air.is_online else 0

    def present(self) -> list[Viewer]:
        """Those who watch now, who came first at the front."""
        self._forget_silent()
        return sorted(self._watching.values(), key=lambda viewer: viewer.since)

    def begin(self) -> None:
        """A broadcast begins: its own peak starts at nobody."""
        self.session_peak = 0

    def note_peak(self) -> int:
        """Count, and keep the count where it is a peak; returns it."""
        count = self.count
        self.session_peak = max(self.session_peak, count)
        self.overall_peak = max(self.overall_peak, count)
        return count

    def _come(self, viewer_id: str, address: str, user_agent: str) -> None:
        network = Address(address)
        if self._of_address[network] >= MOST_OF_AN_ADDRESS:
            # Nobody is turned away: what is not counted here has the video all the same.
            return
        now = trio.current_time()
        self._watching[viewer_id] = Viewer(viewer_id, address, user_agent, now, now)
        self._of_address[network] += 1
        if len(self._watching) > MOST_VIEWERS:
            self._leave()
        if self._on_air.is_online:
            # Counted as they come: a peak between two looks is one, too.
            self.note_peak()

    def _id(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "replace"), "sha256").hex()[:32]

    def _forget_silent(self) -> None:
        limit = trio.current_time() - SILENT_SECONDS
        while self._watching and next(iter(self._watching.values())).seen <= limit:
            self._leave()

    def _leave(self) -> None:
        """The one who was silent for longest leaves."""
        _, viewer = self._watching.popitem(last=False)
        network = Address(viewer.address)
        self._of_address[network] -= 1
        if not self._of_address[network]:
            del self._of_address[network]
