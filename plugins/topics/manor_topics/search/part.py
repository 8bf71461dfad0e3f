"""The part that finds messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from manor import BackgroundTask, Command, Delivery, Migration, Route, Subscription, Transaction
from manor_topics.commands import Reindex, Reindexed
from manor_topics.events import MessagePublished
from manor_topics.http.search import SearchHandlers
from manor_topics.migrations import search, search_bits
from manor_topics.parts import Part, Shared
from manor_topics.search import index
from manor_topics.search.indexing import Indexer
from manor_topics.search.searching import Searching


class Searches(Part):
    """Search, activity, and the index behind them.

    Args:
        shared: What all parts use.

    Attributes:
        searching: Finds messages.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._indexer = Indexer(context.storage)
        self.searching = Searching(context.storage, shared.reading, shared.callers, self._indexer)
        self._handlers = SearchHandlers(self.searching, context.clock)

    def routes(self) -> Sequence[Route]:
        """Search and activity."""
        return self._handlers.routes()

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """What was published is taken up soon."""
        return [Subscription(MessagePublished.name, MessagePublished, self._indexer.tell, Delivery.INLINE)]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Keeps the index up to date."""
        return [BackgroundTask("search-index", self._indexer.run)]

    def migrations(self) -> Sequence[Migration]:
        """The index."""
        return [search.STEP, search_bits.STEP]

    def commands(self) -> Sequence[Command]:
        """`manor topics reindex`."""
        return [Command("topics.reindex", Reindex, self._reindex, returns=Reindexed)]

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Merge words of messages that are gone out of the index, step by step. This part has to be asked last."""
        if index.merge_some(transaction.connection):
            return 1
        index.drop_places(transaction.connection)
        return 0

    async def _reindex(self, wanted: Reindex) -> Reindexed:
        await self._indexer.begin_anew()
        position = await self._indexer.catch_up()
        await self._indexer.merge()
        await self._indexer.settle()
        return Reindexed(position)
