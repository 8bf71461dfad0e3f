"""Links, as a part of the plugin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from manor import BackgroundTask, Delivery, Migration, Part, Route, Subscription, Sweep, Transaction
from manor_chat.events import Told
from manor_chat.files.imaging import Studio
from manor_chat.http.links import links_routes
from manor_chat.links.looking import Looking
from manor_chat.links.previewing import Previewing
from manor_chat.migrations.files import LINKS
from manor_chat.parts import Shared
from manor_chat.store.links import forget_said
from manor_chat.times import to_milliseconds

KEPT = 90 * 86_400_000
"""Milliseconds for which it is known what an address led to."""

BATCH = 500
EVERY_SECONDS = 3600.0


class Links(Part):
    """Of the tag system: previews, the image proxy, where addresses lead; and what posts show of links."""

    def __init__(self, shared: Shared, studio: Studio) -> None:
        self._shared = shared
        self._looking = Looking(shared.context.outgoing)
        self._previewing = Previewing(shared, self._looking, studio)
        self._forgetting = Sweep(
            shared.storage,
            shared.context.log,
            (_forget,),
            batch=BATCH,
            every=EVERY_SECONDS,
            staying="what links led to stays for now",
        )

    def migrations(self) -> Sequence[Migration]:
        """What links led to."""
        return [LINKS]

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return links_routes(self._shared, self._looking)

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Posts, as the sockets are told of them."""
        return [Subscription(Told.name, Told, self._previewing.hear, Delivery.INLINE)]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Looking at links, and forgetting what they led to."""
        return [
            BackgroundTask("link previews", self._previewing.run),
            BackgroundTask("old link previews", self._forgetting.run),
        ]


def _forget(transaction: Transaction) -> int:
    return forget_said(transaction, before=to_milliseconds(transaction.now) - KEPT, limit=BATCH)
