"""Searching posts and files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from manor import BackgroundTask, Delivery, Migration, Part, Route, Subscription
from manor_chat.http.search import search_routes
from manor_chat.migrations.search import STEP
from manor_chat.parts import Shared
from manor_chat.search.keeping import IndexKeeper


class Seen(msgspec.Struct, frozen=True):
    """That something happened to a post is enough."""


class Searching(Part):
    """The index of posts, and what is asked of it."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._keeper = IndexKeeper(shared.storage)

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return search_routes(self._shared, self._keeper)

    def migrations(self) -> Sequence[Migration]:
        """Tables."""
        return [STEP]

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Posts that come, change and go."""
        names = ("chat.post_created", "chat.post_edited", "chat.post_deleted", "chat.imported")
        return [Subscription(name, Seen, self._seen, Delivery.INLINE) for name in names]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Keeps the index."""
        return [BackgroundTask("search index", self._keeper.run)]

    def _seen(self, event: Seen) -> None:
        self._keeper.ring()
