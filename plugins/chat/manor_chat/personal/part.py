"""Preferences and drafts."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, Route
from manor_chat.http.drafts import draft_routes
from manor_chat.http.preferences import preference_routes
from manor_chat.parts import Shared


class Personal(Part):
    """The tags preferences, drafts and scheduled posts."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return [*preference_routes(self._shared), *draft_routes(self._shared)]
