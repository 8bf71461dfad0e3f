"""Times of frames: from what an encoder's clock says to milliseconds since the publish began."""

from __future__ import annotations

from manor_stream.media import Kind

MOST_BACK = 1_000
"""Milliseconds that audio and video may be out of step; an encoder's clock that goes back further began anew."""

MOST_AHEAD = 60_000
"""Milliseconds without a frame after which an encoder's clock was set rather than ran on."""

_WRAP = 1 << 32


class Timeline:
    """Places frames on one line. Of one kind, times never go back; all kinds share the encoder's clock."""

    def __init__(self) -> None:
        self._last_stamp: int | None = None
        # Of the frame that `_last_stamp` is of, on our line.
        self._position = 0
        self._latest: dict[Kind, int] = {}

    def place(self, kind: Kind, stamp: int, *, is_frame: bool = True) -> int:
        """The time of a message.

        Args:
            kind: What is in it.
            stamp: What it says itself: milliseconds, of which 32 bits are left.
            is_frame: Whether the clock goes on with it. Headers and data often have 0, whatever the time is.
        """
        if self._last_stamp is None:
            if not is_frame:
                return 0
            self._last_stamp = stamp
        step = (stamp - self._last_stamp + _WRAP // 2) % _WRAP - _WRAP // 2
        if -MOST_BACK <= step <= MOST_AHEAD:
            position = self._position + step
        else:
            position = max(self._latest.values(), default=self._position)
        if is_frame:
            self._last_stamp, self._position = stamp, position
        placed = max(position, self._latest.get(kind, 0))
        self._latest[kind] = placed
        return placed
