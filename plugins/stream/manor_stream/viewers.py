"""Who watches: known by the playlists they fetch."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass

import trio

SILENT_SECONDS = 15.0
"""Without a playlist for so long somebody has left (Owncast counts so today)."""

MOST_VIEWERS = 50_000
LONGEST_AGENT = 500


@dataclass
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
    """Counts viewers by address and program, and remembers the most there were."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._watching: OrderedDict[str, Viewer] = OrderedDict()
        self.session_peak = 0
        self.overall_peak = 0

    def touch(self, address: str, user_agent: str) -> None:
        """Somebody fetched a playlist, or said that they watch. Called for every playlist: costs microseconds."""
        now = trio.current_time()
        user_agent = user_agent[:LONGEST_AGENT]
        digest = hmac.new(self._key, f"{address}\0{user_agent}".encode("utf-8", "replace"), hashlib.sha256)
        viewer_id = digest.hexdigest()[:32]
        viewer = self._watching.get(viewer_id)
        if viewer is None:
            viewer = self._watching[viewer_id] = Viewer(viewer_id, address, user_agent, now, now)
            if len(self._watching) > MOST_VIEWERS:
                self._watching.popitem(last=False)
        viewer.seen = now
        self._watching.move_to_end(viewer_id)

    @property
    def count(self) -> int:
        """How many watch now."""
        self._forget_silent()
        return len(self._watching)

    def list(self) -> list[Viewer]:
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

    def _forget_silent(self) -> None:
        limit = trio.current_time() - SILENT_SECONDS
        while self._watching:
            viewer = next(iter(self._watching.values()))
            if viewer.seen > limit:
                return
            self._watching.popitem(last=False)
