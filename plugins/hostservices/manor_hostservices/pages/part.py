"""The part that administrators see in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manor import BackgroundTask, Pages, Part, Route
from manor_hostservices.jobs.streaming import JobStreams
from manor_hostservices.pages.backups import BackupPages
from manor_hostservices.pages.ending import StreamEndings
from manor_hostservices.pages.face import Face
from manor_hostservices.pages.fresh import Freshness
from manor_hostservices.pages.jobs import JobPages
from manor_hostservices.pages.services import ServicePages
from manor_hostservices.parts import Shared


class Screens(Part):
    """The host's pages.

    Args:
        shared: What all parts use.
        streams: Opens streams of jobs.
    """

    def __init__(self, shared: Shared, streams: JobStreams) -> None:
        context = shared.context
        pages = Pages(context.name, Path(__file__).parent.parent, public_url=context.public_url)
        freshness = Freshness(context)
        self._endings = StreamEndings(streams.end)
        self._face = Face(shared, pages, freshness)
        self._groups = (
            ServicePages(shared, self._face),
            JobPages(shared, self._face, streams, freshness, self._endings),
            BackupPages(shared, self._face),
        )

    def routes(self) -> Sequence[Route]:
        """Pages, and the files that they need."""
        return [*self._face.routes(), *(route for group in self._groups for route in group.routes())]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Ending streams."""
        return [BackgroundTask("page streams", self._endings.run)]
