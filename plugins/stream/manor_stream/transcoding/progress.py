"""How an encoder gets on, as ffmpeg's `-progress` tells it. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MOST_BYTES = 16 * 1024

SLOW = 0.95
"""Slower than this against the clock an encoder falls behind."""

WATCHED_SECONDS = 10.0


@dataclass(frozen=True)
class Progress:
    """One report.

    Args:
        out_seconds: How much is encoded.
        speed: Against the clock, since the encoder began; 0 when it does not say.
        frames: Encoded so far.
        dropped: Frames that were left out.
    """

    out_seconds: float
    speed: float
    frames: int
    dropped: int


class ProgressReader:
    """Takes what ffmpeg writes, as it comes."""

    def __init__(self) -> None:
        self._rest = b""
        self._values: dict[str, str] = {}

    def feed(self, data: bytes) -> list[Progress]:
        """The reports that are complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-MOST_BYTES:]
        reports: list[Progress] = []
        for line in lines:
            name, _, value = line.decode("utf-8", "replace").strip().partition("=")
            if name == "progress":
                reports.append(_report(self._values))
                self._values = {}
            elif len(self._values) < 100:
                self._values[name] = value.strip()
        return reports


class Pace:
    """Whether the encoder keeps up: the seconds that it encodes against those that pass."""

    def __init__(self) -> None:
        self._reports: deque[tuple[float, float]] = deque()

    def note(self, now: float, out_seconds: float) -> float | None:
        """Take a report; gives the speed over the last ten seconds, None before there are as many.

        Args:
            now: Seconds of any clock that does not jump.
            out_seconds: As in the report.
        """
        self._reports.append((now, out_seconds))
        while len(self._reports) > 2 and self._reports[1][0] <= now - WATCHED_SECONDS:
            self._reports.popleft()
        then, before = self._reports[0]
        if now - then < WATCHED_SECONDS:
            return None
        return (out_seconds - before) / (now - then)


def _report(values: dict[str, str]) -> Progress:
    return Progress(
        out_seconds=_number(values.get("out_time_us", "")) / 1e6,
        speed=_number(values.get("speed", "").rstrip("x")),
        frames=int(_number(values.get("frame", ""))),
        dropped=int(_number(values.get("drop_frames", ""))),
    )


def _number(text: str) -> float:
    # ffmpeg says N/A until it knows.
    try:
        number = float(text)
    except ValueError:
        return 0
    return number if 0 <= number < 1e18 else 0
