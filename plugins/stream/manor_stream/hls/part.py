"""What serves the stream to players."""

from __future__ import annotations

from collections.abc import Sequence

from manor import BackgroundTask, Lifespan, Migration, Part, Route
from manor_stream.hls.http import VideoHandlers
from manor_stream.hls.numbering import Numbering
from manor_stream.migrations import numbers
from manor_stream.parts import Shared


class Hls(Part):
    """Playlists and segments.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self.window = shared.window
        self._handlers = VideoHandlers(
            shared.window, shared.viewers.touch, shared.shipping.base_url, shared.broadcasts.offline.ask
        )
        self._numbering = Numbering(shared.context.storage, shared.window)

    def routes(self) -> Sequence[Route]:
        """Below /hls."""
        return self._handlers.routes()

    def migrations(self) -> Sequence[Migration]:
        """Where the numbers of playlists are."""
        return [numbers.STEP]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Setting numbers aside."""
        return [BackgroundTask("playlist numbers", self._numbering.run)]

    def lifespan(self) -> Lifespan:
        """The first broadcast begins above the last one of the daemon before."""
        return self._numbering.opened
