"""Times of frames: from what an encoder's clock says to milliseconds since the publish began."""

from __future__ import annotations

from manor_stream.media import Kind

MOST_BACK = 1_000
"""Milliseconds that audio and video may be out of step; an encoder's clock that goes back further began anew."""

MOST_AHEAD = 60_000
"""Milliseconds without a frame after which an encoder's clock was set rather than ran on."""

_WRAP = 1 << 32


class Timeline:
    """Places frames on one line. Of one kind, times never go back.

    Each kind goes on from its own last frame: a camera and a microphone may have clocks of their own, far from each
    other. One whose clock was set, or that begins, goes on from the other's if both have the same clock.
    """

    def __init__(self) -> None:
        # What the last frame said, and where it is on our line: of each kind, and of all.
        self._last: dict[Kind, tuple[int, int]] = {}
        self._last_of_all: tuple[int, int] | None = None
        self._latest: dict[Kind, int] = {}

    def place(self, kind: Kind, stamp: int, *, is_frame: bool = True) -> int:
        """The time of a message.

        Args:
            kind: What is in it.
            stamp: What it says itself: milliseconds, of which 32 bits are left.
            is_frame: Whether the clock goes on with it. Headers and data often have 0, whatever the time is.
        """
        if self._last_of_all is None and not is_frame:
            return 0
        position = self._position(kind, stamp)
        if is_frame:
            self._last[kind] = self._last_of_all = stamp, position
        placed = max(position, self._latest.get(kind, 0))
        self._latest[kind] = placed
        return placed

    def _position(self, kind: Kind, stamp: int) -> int:
        for before in (self._last.get(kind), self._last_of_all):
            if before is None:
                continue
            said, position = before
            step = (stamp - said + _WRAP // 2) % _WRAP - _WRAP // 2
            if -MOST_BACK <= step <= MOST_AHEAD:
                return position + step
        return max(self._latest.values(), default=0)
