"""What the admin page shows of the log: the newest lines, in memory."""

from __future__ import annotations

from collections import deque
from datetime import datetime

import msgspec

from manor import Clock

MOST_LINES = 500
LONGEST_LINE = 2_000

WARNING_LEVELS = frozenset({"warning", "error"})


class LogLine(msgspec.Struct, frozen=True):
    """One line.

    Args:
        time: When it was written.
        level: `info`, `warning` or `error`.
        message: For the admin; no secret in it.
    """

    time: datetime
    level: str
    message: str


class Logbook:
    """Lines about broadcasts, uploads and deliveries. The daemon's own log has them too.

    Args:
        clock: For their times.
        log: The plugin's logger.
    """

    def __init__(self, clock: Clock, log: object) -> None:
        self._clock = clock
        self._log = log
        self._lines: deque[LogLine] = deque(maxlen=MOST_LINES)

    def info(self, message: str) -> None:
        """Something happened as it should."""
        self._add("info", message)

    def warning(self, message: str) -> None:
        """Something that an admin should look at."""
        self._add("warning", message)

    def error(self, message: str) -> None:
        """Something failed."""
        self._add("error", message)

    def newest_first(self, *, only_warnings: bool = False) -> list[LogLine]:
        """All of them, or those from warning on."""
        return [line for line in reversed(self._lines) if not only_warnings or line.level in WARNING_LEVELS]

    def _add(self, level: str, message: str) -> None:
        self._lines.append(LogLine(self._clock.now(), level, message[:LONGEST_LINE]))
        getattr(self._log, level)(message[:LONGEST_LINE])
