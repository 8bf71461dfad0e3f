"""Times of frames: from what an encoder's clock says to milliseconds since the publish began."""

from __future__ import annotations

from manor_stream.media import Kind

MOST_BACK = 1_000
"""Milliseconds that audio and video may be out of step; an encoder's clock that goes back further began anew."""

MOST_AHEAD = 60_000
"""Milliseconds without a frame after which an encoder's clock was set rather than ran on."""

_WRAP = 1 << 32


class Timeline:
    """Places frames on one line. Of one kind, times never go back; all kinds share the encoder's clock.

    A kind may be far behind the other for good, as when a camera and a microphone have clocks of their own: what goes
    on from its own last frame is no jump, however far it is from the other's.
    """

    def __init__(self) -> None:
        self._last_stamp: int | None = None
        # Of the frame that `_last_stamp` is of, on our line.
        self._position = 0
        self._latest: dict[Kind, int] = {}
        # Of the last frame of each kind, since the clock was set.
        self._stamps: dict[Kind, int] = {}

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
        step = _step(self._last_stamp, stamp)
        if _runs_on(step) or (kind in self._stamps and _runs_on(_step(self._stamps[kind], stamp))):
            position = self._position + step
        else:
            position = max(self._latest.values(), default=self._position)
            if is_frame:
                self._stamps.clear()
        if is_frame:
            self._last_stamp, self._position = stamp, position
            self._stamps[kind] = stamp
        placed = max(position, self._latest.get(kind, 0))
        self._latest[kind] = placed
        return placed


def _step(before: int, after: int) -> int:
    """From one stamp to another, the shorter way around."""
    return (after - before + _WRAP // 2) % _WRAP - _WRAP // 2


def _runs_on(step: int) -> bool:
    return -MOST_BACK <= step <= MOST_AHEAD
