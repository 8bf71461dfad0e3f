"""How busy the machine is: processor, memory and disk, minute by minute, in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import psutil
import trio

from manor import Clock

EVERY_SECONDS = 60.0

FIRST_SECONDS = 1.0
"""The first value says how busy the processor was since the start; at the start itself that is nothing."""

MOST_VALUES = 1440
"""A day."""


class Value(msgspec.Struct, frozen=True):
    """One value of a chart."""

    time: datetime
    value: int


class HardwareStats(msgspec.Struct, frozen=True):
    """The machine's use, in percent, oldest first."""

    cpu: Sequence[Value]
    memory: Sequence[Value]
    disk: Sequence[Value]


class Hardware:
    """Measures the machine once a minute.

    Args:
        clock: For the values' times.
        folder: On the disk that counts; it need not exist yet.
    """

    def __init__(self, clock: Clock, folder: Path) -> None:
        self._clock = clock
        self._folder = folder
        self._cpu: deque[Value] = deque(maxlen=MOST_VALUES)
        self._memory: deque[Value] = deque(maxlen=MOST_VALUES)
        self._disk: deque[Value] = deque(maxlen=MOST_VALUES)

    @property
    def stats(self) -> HardwareStats:
        """What was measured."""
        return HardwareStats(list(self._cpu), list(self._memory), list(self._disk))

    async def run(self) -> None:
        """Measure until cancelled."""
        # psutil compares with its last look, one for each thread: all of them are on the loop's, and take some tenths
        # of a millisecond.
        psutil.cpu_percent()
        await trio.sleep(FIRST_SECONDS)
        while True:
            self.measure()
            await trio.sleep(EVERY_SECONDS)

    def measure(self) -> None:
        """Take one value of each."""
        now = self._clock.now()
        folder = next((each for each in (self._folder, *self._folder.absolute().parents) if each.is_dir()), Path("/"))
        self._cpu.append(Value(now, _percent(psutil.cpu_percent())))
        self._memory.append(Value(now, _percent(psutil.virtual_memory().percent)))
        self._disk.append(Value(now, _percent(psutil.disk_usage(str(folder)).percent)))


def _percent(value: float) -> int:
    return min(100, max(0, round(value)))
