"""Threads."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, Route
from manor_chat.http.threads import thread_routes
from manor_chat.parts import Shared


class Threads(Part):
    """The tag threads."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return thread_routes(self._shared)
