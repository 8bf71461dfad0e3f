"""Links, as a part of the plugin."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, Route
from manor_chat.http.links import links_routes
from manor_chat.links.looking import Looking
from manor_chat.parts import Shared


class Links(Part):
    """Of the tag system: previews, the image proxy, where addresses lead."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._looking = Looking(shared.context.outgoing)

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return links_routes(self._shared, self._looking)
