"""What the plugin is made of: each part brings its own routes, events, jobs and tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from manor import (
    Authenticator,
    BackgroundTask,
    Command,
    Event,
    JobHandler,
    Migration,
    PluginContext,
    Route,
    ScopeDeclaration,
    Subscription,
    TierLimit,
    Transaction,
)
from manor_topics.callers import Callers
from manor_topics.catalog import Catalog
from manor_topics.config import TopicsConfig
from manor_topics.domain import Topic, check_name
from manor_topics.live import Streams
from manor_topics.payers import Payers
from manor_topics.publishing import Publishing
from manor_topics.reading import Reading

Lifespan = Callable[[], AbstractAsyncContextManager[None]]
"""Opens what is open while the house is."""


@dataclass(frozen=True)
class Shared:
    """What all parts use.

    Args:
        context: The plugin's own.
        catalog: Topics in memory.
        callers: Who asks.
        payers: Whose plan counts.
        streams: Opens streams and feeds them.
        publishing: Puts messages on disk.
        reading: Finds topics that the caller may read.
        parts: All of them, for what each does its share of; complete once the plugin is made.
    """

    context: PluginContext[TopicsConfig]
    catalog: Catalog
    callers: Callers
    payers: Payers
    streams: Streams
    publishing: Publishing
    reading: Reading
    parts: list[Part] = field(default_factory=list)

    @classmethod
    def of(cls, context: PluginContext[TopicsConfig]) -> Shared:
        """Make them."""

        def config() -> TopicsConfig:
            return context.config

        storage = context.storage
        catalog, callers, payers = Catalog(storage), Callers(storage), Payers(context)
        return cls(
            context,
            catalog,
            callers,
            payers,
            Streams(context.live, storage, context.clock, config, callers),
            Publishing(storage, payers),
            Reading(storage, catalog, callers, context.live, config),
        )

    @property
    def config(self) -> TopicsConfig:
        """The configuration as it is now."""
        return self.context.config

    def taken(self) -> frozenset[str]:
        """First path segments of the server's own routes: no topic is called so."""
        return self.context.routes.first_segments

    def check_name(self, name: str) -> None:
        """See that a topic may be called this here.

        Raises:
            Misfit: It may not.
        """
        check_name(name, self.taken(), as_ntfy=self.config.compat.ntfy_topic_names)


class Part:
    """One area of the plugin. What it does not override it does not have."""

    def routes(self) -> Sequence[Route]:
        """Operations."""
        return ()

    def event_types(self) -> Sequence[type[Event]]:
        """Events that it tells."""
        return ()

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Events that it hears."""
        return ()

    def authenticators(self) -> Sequence[Authenticator]:
        """Credentials that it issues."""
        return ()

    def scopes(self) -> Sequence[ScopeDeclaration]:
        """Scopes that its operations ask for."""
        return ()

    def tier_limits(self) -> Sequence[TierLimit]:
        """What plans say about it."""
        return ()

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """Deferred work."""
        return ()

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """What it does all day."""
        return ()

    def migrations(self) -> Sequence[Migration]:
        """Its tables; the number in a step's id says in which order all parts' steps run."""
        return ()

    def commands(self) -> Sequence[Command]:
        """What an admin does from the shell."""
        return ()

    def lifespan(self) -> Lifespan:
        """What is open while the house is."""
        return nothing_to_open

    def forget_topic(self, transaction: Transaction, topic: Topic) -> None:
        """A topic is being deleted: remove what this part has of it, in the same transaction, without its messages."""

    # --- A person's data -------------------------------------------------------------------------------------------

    def sections(self) -> Sequence[str]:
        """Members of a person's export that it fills."""
        return ()

    def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """A person's data, section after section."""
        return _nothing()

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Remove at most so many rows of a person; how many are gone."""
        return 0


@asynccontextmanager
async def nothing_to_open() -> AsyncIterator[None]:
    """For parts that open nothing."""
    yield


async def _nothing() -> AsyncIterator[tuple[str, Any]]:
    nothing: tuple[tuple[str, Any], ...] = ()
    for item in nothing:
        yield item
