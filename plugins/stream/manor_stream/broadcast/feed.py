"""What a publisher has sent and the encoder has not taken yet: bounded, so that a slow encoder slows the publisher."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from manor_stream.media import Media

MOST_BYTES = 4 * 1024 * 1024
FULL_SECONDS = 2.0
"""Full for so long is told to the admin."""


class FeedClosed(Exception):
    """Nobody takes media any more."""


class Feed:
    """Media on its way from one publisher to the encoder.

    Args:
        on_full: Called once each time that it stays full for `FULL_SECONDS`.
        most_bytes: From here on `put` waits.
    """

    def __init__(self, on_full: Callable[[], None], *, most_bytes: int = MOST_BYTES) -> None:
        self._on_full = on_full
        self._most_bytes = most_bytes
        self._waiting: deque[Media] = deque()
        self._is_closed = False
        self._changed = trio.Event()
        self.bytes = 0

    async def put(self, media: Media) -> None:
        """Add to it; waits while it is full, and gives way to others also while it is not: a read has many frames.

        Raises:
            FeedClosed: Nobody takes it any more.
        """
        await trio.lowlevel.checkpoint()
        if self.bytes >= self._most_bytes:
            await self._wait_for_room()
        if self._is_closed:
            raise FeedClosed
        self._waiting.append(media)
        self.bytes += media.weight
        self._tell()

    async def get(self) -> Media | None:
        """The oldest that waits; None once it is closed and empty."""
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self._is_closed:
                return None
            await self._changed.wait()
        media = self._waiting.popleft()
        self.bytes -= media.weight
        self._tell()
        return media

    def close(self, *, is_emptied: bool = False) -> None:
        """Take no more; what waits is still given, unless `is_emptied`."""
        self._is_closed = True
        if is_emptied:
            self._waiting.clear()
            self.bytes = 0
        self._tell()

    async def _wait_for_room(self) -> None:
        with trio.move_on_after(FULL_SECONDS) as patience:
            await self._room()
        if patience.cancelled_caught:
            self._on_full()
            await self._room()

    async def _room(self) -> None:
        while self.bytes >= self._most_bytes and not self._is_closed:
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
