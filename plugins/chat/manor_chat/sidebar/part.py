"""The sidebar."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Migration, Part, Route
from manor_chat.http.sidebar import sidebar_routes
from manor_chat.migrations.sidebar import STEPS
from manor_chat.parts import Shared


class Sidebar(Part):
    """Categories, and which channels are in them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return sidebar_routes(self._shared)

    def migrations(self) -> Sequence[Migration]:
        """Its tables."""
        return STEPS
