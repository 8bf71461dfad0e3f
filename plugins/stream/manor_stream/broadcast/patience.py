"""How often an encoder that fails is started again. Pure."""

from __future__ import annotations

from collections import deque

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
MOST_FAILURES = 5
WITHIN_SECONDS = 60.0


class Patience:
    """Counts failures: the more there were lately, the longer the pause, until it is over."""

    def __init__(self) -> None:
        self._failures: deque[float] = deque(maxlen=MOST_FAILURES)
        self._in_a_row = 0

    def note(self, now: float) -> float | None:
        """A failure: gives the seconds until the next try, None when there is to be none.

        Args:
            now: Seconds of any clock that does not jump.
        """
        if self._failures and now - self._failures[-1] > WITHIN_SECONDS:
            self._in_a_row = 0
        self._failures.append(now)
        if len(self._failures) == MOST_FAILURES and now - self._failures[0] <= WITHIN_SECONDS:
            return None
        pause = PAUSES[min(self._in_a_row, len(PAUSES) - 1)]
        self._in_a_row += 1
        return pause
