"""What a broadcast works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from manor import PluginContext
from manor_stream.broadcast.patience import PAUSES
from manor_stream.config import StreamConfig
from manor_stream.hls.window import RESUME_SECONDS, Window
from manor_stream.logbook import Logbook
from manor_stream.on_air import OnAir
from manor_stream.settings import Settings
from manor_stream.transcoding.abilities import KnownAbilities
from manor_stream.viewers import Viewers

GRACE_SECONDS = 8.0
"""A publisher who is back so soon goes on, and nobody is told of it."""

STORING_SECONDS = 5.0


@dataclass(frozen=True)
class Timing:
    """How long a broadcast waits, in seconds.

    Args:
        grace: For a publisher who is gone, before it is over.
        reset: After its end, until viewers are shown the offline clip alone.
        pauses: Before an encoder that failed is started again.
        storing: Before what could not be stored is tried again.
    """

    grace: float = GRACE_SECONDS
    reset: float = RESUME_SECONDS
    pauses: tuple[float, ...] = PAUSES
    storing: float = STORING_SECONDS


@dataclass(frozen=True)
class Means:
    """The services that a broadcast uses.

    Args:
        context: The plugin's own.
        settings: What the admin API sets.
        on_air: Told how far the broadcast is.
        viewers: Know how many watched.
        logbook: Told what an admin should know.
        window: Takes the segments.
        known: What each ffmpeg can do.
        timing: How long it waits.
    """

    context: PluginContext[StreamConfig]
    settings: Settings
    on_air: OnAir
    viewers: Viewers
    logbook: Logbook
    window: Window
    known: KnownAbilities = field(default_factory=KnownAbilities)
    timing: Timing = Timing()

    @property
    def ffmpeg(self) -> str:
        """The program to use now."""
        return self.settings.now.ffmpeg_path or self.context.config.ffmpeg

    @property
    def folder(self) -> Path:
        """Where a broadcast leaves what it has on disk; made when it is not there."""
        configured = self.context.config.data_dir
        folder = Path(configured) if configured else self.context.data_dir
        folder.mkdir(parents=True, exist_ok=True)
        return folder
