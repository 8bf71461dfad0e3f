"""Replacing the key that signs tokens when it has served its time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import trio

from manor import Clock
from manor_auth.keys import KeyRing

HOUR = 3600.0


class Rotation:
    """Looks at the age of the current key.

    Args:
        keys: What is rotated.
        clock: Says how old a key is.
        days: The age at which it is replaced, as configured now; 0 for never.
    """

    def __init__(self, keys: KeyRing, clock: Clock, days: Callable[[], int]) -> None:
        self._keys = keys
        self._clock = clock
        self._days = days

    async def run(self) -> None:
        """Look once an hour, for as long as the house serves."""
        while True:
            self.rotate_if_due()
            await trio.sleep(HOUR)

    def rotate_if_due(self) -> bool:
        """Replace the key if it is old enough or the admin wants another algorithm, and forget those that verify
        nothing any more."""
        age = self._clock.now() - self._keys.current.created_at
        days = self._days()
        is_due = (days > 0 and age >= timedelta(days=days)) or not self._keys.is_as_configured
        if is_due:
            self._keys.rotate()
        else:
            self._keys.prune()
        return is_due
