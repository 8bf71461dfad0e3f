"""The part that understands Gotify's senders."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Route
from manor_topics.http.gotify import GotifyHandlers, routes
from manor_topics.http.publish import PublishHandlers
from manor_topics.parts import Part, Shared


class Gotify(Part):
    """`POST /message` with a topic's token.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._handlers = GotifyHandlers(shared, PublishHandlers(shared))

    def routes(self) -> Sequence[Route]:
        """None where Gotify is switched off."""
        return routes(self._handlers, self._shared) if self._shared.config.compat.gotify else ()
