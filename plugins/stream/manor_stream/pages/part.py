"""The part that people see in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manor import Pages, Part, Route
from manor_stream.pages.embed import EmbedPages
from manor_stream.pages.face import Face
from manor_stream.pages.watch import WatchPages
from manor_stream.parts import Shared


class Screens(Part):
    """The stream's pages.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._pages = Pages(context.name, Path(__file__).parent.parent, public_url=context.public_url)
        face = Face(self._pages)
        self._groups = (WatchPages(shared, face), EmbedPages(shared, face))

    def routes(self) -> Sequence[Route]:
        """Pages, and the files that they need."""
        return [*self._pages.routes(), *(route for group in self._groups for route in group.routes())]
