"""The part that people see in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manor import Pages, Route
from manor_topics.pages.face import Face
from manor_topics.pages.finding import Finding
from manor_topics.pages.lists import ListPages
from manor_topics.pages.live import LivePages
from manor_topics.pages.managing import ManagingPages
from manor_topics.pages.notifying import NotifyingPages
from manor_topics.pages.topic import TopicPages
from manor_topics.parts import Part, Shared
from manor_topics.push.part import Pushes
from manor_topics.search.part import Searches


class Screens(Part):
    """The topics' pages.

    Args:
        shared: What all parts use.
        pushes: Registers browsers.
        searches: Finds messages.
    """

    def __init__(self, shared: Shared, pushes: Pushes, searches: Searches) -> None:
        context = shared.context
        self._pages = Pages(context.name, Path(__file__).parent.parent, public_url=context.public_url)
        face, finding = Face(self._pages), Finding(searches.searching)
        self._groups = (
            ListPages(shared, face, finding),
            TopicPages(shared, face, finding, pushes.public_key),
            LivePages(shared, face),
            ManagingPages(shared, face),
            NotifyingPages(face, pushes.registering, pushes.public_key),
        )

    def routes(self) -> Sequence[Route]:
        """Pages, and the files that they need."""
        return [*self._pages.routes(), *(route for group in self._groups for route in group.routes())]
