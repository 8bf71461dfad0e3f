"""How much an encoder sends, and whether that is too much."""

from __future__ import annotations

SECONDS = 10.0
"""An encoder may send more than it should for a moment, not for so long."""


class Bitrate:
    """Counts what comes.

    Args:
        most: Bits a second.
        now: The time of the loop.
    """

    def __init__(self, most: int, now: float) -> None:
        self._most_bytes = most * SECONDS / 8
        self._since = now
        self._bytes = 0

    def exceeds(self, size: int, now: float) -> bool:
        """Whether with so many bytes more it is too much for the ten seconds that they belong to."""
        if now - self._since >= SECONDS:
            self._since = now
            self._bytes = 0
        self._bytes += size
        return self._bytes > self._most_bytes
