"""The broadcast's part of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import BackgroundTask, HealthCheck, Part
from manor_stream.broadcast.service import Broadcasts


class Broadcasting(Part):
    """Publishers' media becomes segments, with ffmpeg as a child.

    Args:
        broadcasts: Does it.
    """

    def __init__(self, broadcasts: Broadcasts) -> None:
        self._broadcasts = broadcasts

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """It works from the start on, so that encoders that are already there find it."""
        return [BackgroundTask("broadcasts", self._broadcasts.run, ready=True)]

    def health_checks(self) -> Sequence[HealthCheck]:
        """Without ffmpeg nobody can broadcast; everything else works."""
        return [HealthCheck("ffmpeg", self._broadcasts.trouble)]
