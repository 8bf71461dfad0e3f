"""What the admin page shows of the log: the newest lines, in memory."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from manor import Clock

MOST_LINES = 500
LONGEST_LINE = 2_000

WARNING_LEVELS = frozenset({"warning", "error"})

HIDDEN = "•••"

# Categories Cc and Zl, Zp: what ends a line or moves a terminal's cursor.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

_SIGNED_IN = re.compile(r"(?<=://)[^/\s@]+@")
"""Who signs in, in a URL."""

_SIGNATURES = re.compile(r"(?i)([?&](?:x-amz-[\w-]+|signature|(?:access_?)?token|key|password|secret)=)[^&\s'\"]+")


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

    Whatever is said, neither has a known secret, the credentials in a URL, or a control character in it.

    Args:
        clock: For their times.
        log: The plugin's logger.
        secrets: What no line may have in it, as it is now.
    """

    def __init__(self, clock: Clock, log: object, secrets: Callable[[], Iterable[str]] = tuple) -> None:
        self._clock = clock
        self._log = log
        self._secrets = secrets
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
        message = self._clean(message)
        self._lines.append(LogLine(self._clock.now(), level, message))
        getattr(self._log, level)(message)

    def _clean(self, message: str) -> str:
        # Cut last: half a secret at the cut would not be found.
        for secret in self._secrets():
            if secret:
                message = message.replace(secret, HIDDEN)
        message = _SIGNED_IN.sub(f"{HIDDEN}@", message)
        message = _SIGNATURES.sub(rf"\1{HIDDEN}", message)
        return _CONTROLS.sub(" ", message).strip()[:LONGEST_LINE]
