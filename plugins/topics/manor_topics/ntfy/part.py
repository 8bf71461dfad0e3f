"""The part that understands ntfy's clients."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Authenticator, Route
from manor_topics.basic import BasicCheck
from manor_topics.http.ntfy import NtfyHandlers, routes
from manor_topics.http.ntfy_streams import StreamHandlers, stream_routes
from manor_topics.http.publish import PublishHandlers
from manor_topics.ntfy.account import Accounts
from manor_topics.ntfy.subscribing import Subscribing
from manor_topics.parts import Part, Shared
from manor_topics.streams.limit import StreamLimit


class Ntfy(Part):
    """JSON at `/`, everything below `/ntfy`, and Basic authentication.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._shared = shared
        subscribing = Subscribing(shared, StreamLimit(context.limits, shared.payers))
        self._handlers = NtfyHandlers(shared, PublishHandlers(shared), Accounts(shared))
        self._streams = StreamHandlers(shared, subscribing)
        self._basic = BasicCheck(
            context.identity, context.storage, context.limits, lambda: shared.config.compat.basic_password
        )

    def routes(self) -> Sequence[Route]:
        """None where ntfy is switched off."""
        if not self._shared.config.compat.ntfy:
            return ()
        return [*routes(self._handlers, self._shared), *stream_routes(self._streams)]

    def authenticators(self) -> Sequence[Authenticator]:
        """Names with keys, and tokens, in one header."""
        return [self._basic.authenticator]
