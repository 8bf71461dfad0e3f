"""How often an encoder that fails is started again. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
MOST_FAILURES = 5
WITHIN_SECONDS = 60.0


class Patience:
    """Counts failures: the more there were lately, the longer the pause, until it is over.

    Args:
        pauses: In seconds, one after the other; the last is the longest.
    """

    def __init__(self, pauses: Sequence[float] = PAUSES) -> None:
        self._pauses = pauses
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
        pause = self._pauses[min(self._in_a_row, len(self._pauses) - 1)]
        self._in_a_row += 1
        return pause
