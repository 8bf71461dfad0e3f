"""What an admin should know of the broadcast while it is on."""

from __future__ import annotations

from manor_stream.logbook import Logbook
from manor_stream.on_air import OnAir

SLOW_ENCODER = "slow encoder"
SLOW_PUBLISHER = "slow publisher"
RARE_KEY_FRAMES = "rare key frames"
FULL = "full"
UNRECORDED = "unrecorded"


class Warnings:
    """Warnings by what they are about: shown while they last, and logged when they begin.

    Args:
        on_air: Shows them.
        logbook: Keeps them.
    """

    def __init__(self, on_air: OnAir, logbook: Logbook) -> None:
        self._on_air = on_air
        self._logbook = logbook
        self._current: dict[str, str] = {}

    def begin(self, about: str, text: str) -> None:
        """Something is not as it should be."""
        if about not in self._current:
            self._logbook.warning(text)
        self._current[about] = text
        self._show()

    def end(self, about: str) -> None:
        """It is again; nothing happens when it was."""
        if self._current.pop(about, None) is not None:
            self._show()

    def end_all(self) -> None:
        """The broadcast is over."""
        self._current.clear()
        self._show()

    def _show(self) -> None:
        self._on_air.warnings = tuple(self._current.values())
