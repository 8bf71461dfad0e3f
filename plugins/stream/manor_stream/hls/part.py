"""What serves the stream to players."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, Route
from manor_stream.hls.http import VideoHandlers
from manor_stream.parts import Shared


class Hls(Part):
    """Playlists and segments.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self.window = shared.window
        self._handlers = VideoHandlers(shared.window, shared.viewers.touch, shared.shipping.base_url)

    def routes(self) -> Sequence[Route]:
        """Below /hls."""
        return self._handlers.routes()
