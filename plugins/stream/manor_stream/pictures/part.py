"""The pictures' part of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import BackgroundTask, Part, Route
from manor_stream.broadcast.means import Means
from manor_stream.pictures.http import PictureOperations
from manor_stream.pictures.taking import Photographer


class Picturing(Part):
    """A thumbnail and a preview of what is on.

    Args:
        means: What a broadcast works with.
    """

    def __init__(self, means: Means) -> None:
        self._photographer = Photographer(means)
        self._operations = PictureOperations(self._photographer)

    def routes(self) -> Sequence[Route]:
        """Both pictures."""
        return self._operations.routes

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """They are taken on and on."""
        return [BackgroundTask("pictures", self._photographer.run)]
