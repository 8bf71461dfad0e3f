"""What the server says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, Route
from manor_chat.http.system import system_routes
from manor_chat.http.unlicensed import unlicensed_routes
from manor_chat.parts import Shared


class Describing(Part):
    """System, usage, roles, plugins, and what is not there."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return [*system_routes(self._shared), *unlicensed_routes(self._shared.api)]
