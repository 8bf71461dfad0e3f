"""The part that people see in a browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from manor import Pages, Part, Route
from manor_stream.administering.part import Administering
from manor_stream.chat.moderation import Moderation
from manor_stream.pages.admin import OverviewPages
from manor_stream.pages.admin_access import AccessPages
from manor_stream.pages.admin_chat import ChatPages
from manor_stream.pages.admin_settings import SettingsPages
from manor_stream.pages.admin_storage import StoragePages
from manor_stream.pages.embed import EmbedPages
from manor_stream.pages.face import Face
from manor_stream.pages.watch import WatchPages
from manor_stream.parts import Shared
from manor_stream.watching.part import Watching

P = TypeVar("P", bound=Part)


class Screens(Part):
    """The stream's pages.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._shared = shared
        self._pages = Pages(context.name, Path(__file__).parent.parent, public_url=context.public_url)

    def routes(self) -> Sequence[Route]:
        """Pages, and the files that they need. By now all parts are there, whose services the admin's forms use."""
        shared, face = self._shared, Face(self._pages)
        watching, administering = self._find(Watching), self._find(Administering)
        groups = (
            WatchPages(shared, face),
            EmbedPages(shared, face),
            OverviewPages(shared, face, administering.changing, watching.statistics, watching.hardware),
            SettingsPages(shared, face, administering.changing),
            StoragePages(shared, face, administering.changing),
            ChatPages(shared, face, administering.changing, Moderation(shared)),
            AccessPages(shared, face, administering),
        )
        return [*self._pages.routes(), *(route for group in groups for route in group.routes())]

    def _find(self, kind: type[P]) -> P:
        return next(part for part in self._shared.parts if isinstance(part, kind))
