"""Topics: publish a message with one request, hear it live, read it later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

from manor import Command, Delivery, Event, Migration, PluginContext, Route, Subscription, TierLimit, hookimpl
from manor_topics.catalog import Catalog
from manor_topics.commands import CreateTopics, TopicsCreated
from manor_topics.config import TopicsConfig
from manor_topics.creating import Creating
from manor_topics.events import MessagePublished, TopicCreated
from manor_topics.http.publish import PublishHandlers
from manor_topics.http.read import ReadHandlers
from manor_topics.http.routes import routes
from manor_topics.live import Streams
from manor_topics.migrations import migrations
from manor_topics.publishing import Publishing
from manor_topics.reading import Reading


class Topics:
    """Named topics that anyone with the right publishes to, and hears over SSE and WebSocket."""

    Config = TopicsConfig
    enabled_by_default = True

    def __init__(self, context: PluginContext[TopicsConfig]) -> None:
        storage = context.storage
        self._context = context

        def config() -> TopicsConfig:
            return context.config

        self._catalog = Catalog(storage)
        self._creating = Creating(storage, self._taken)
        self._streams = Streams(context.live, storage, context.clock, config)
        reading = Reading(storage, self._catalog, context.live, config)
        self._publish = PublishHandlers(Publishing(storage, self._retention), self._catalog, config, taken=self._taken)
        self._read = ReadHandlers(reading, self._streams, context.limits, context.clock)

    @hookimpl
    def manor_routes(self) -> list[Route]:
        """Publishing, reading, streams."""
        return routes(self._publish, self._read, self._context.config)

    @hookimpl
    def manor_event_types(self) -> list[type[Event]]:
        """What others may hear."""
        return [MessagePublished, TopicCreated]

    @hookimpl
    def manor_subscriptions(self) -> list[Subscription]:  # type: ignore[type-arg]
        """Streams and the topics in memory follow each commit."""
        return [
            Subscription(MessagePublished.name, MessagePublished, self._streams.tell, Delivery.INLINE),
            Subscription(TopicCreated.name, TopicCreated, self._catalog.forget, Delivery.INLINE),
        ]

    @hookimpl
    def manor_migrations(self) -> list[Migration]:
        """The tables, and the topic `welcome`."""
        return migrations(self._context.clock)

    @hookimpl
    def manor_tier_limits(self) -> list[TierLimit]:
        """How long messages are kept."""
        return [TierLimit("retention_days", {"": 30, "TEAM": 90, "BUSINESS": 365}, "Days that a message is kept")]

    @hookimpl
    def manor_commands(self) -> list[Command]:
        """`manor topics create`."""
        return [Command("topics.create", CreateTopics, self._creating.create_all, returns=TopicsCreated)]

    @hookimpl
    def manor_lifespan(self) -> Callable[[], AbstractAsyncContextManager[None]]:
        """Looks for topics that another plugin's routes hide."""
        return self._lifespan

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        owners = {owned.route.path.split("/")[1]: owned.owner for owned in self._context.routes}
        for topic in await self._creating.hidden_by(self._taken()):
            self._context.log.warning(
                "a topic is hidden by a route", topic=topic.name, id=str(topic.id), hidden_by=owners.get(topic.name)
            )
        yield

    def first_step(self, url: str) -> str:
        """What somebody who has just started the daemon may try."""
        return f"curl -d 'Hello' {url}/welcome"

    def _taken(self) -> frozenset[str]:
        return self._context.routes.first_segments

    def _retention(self) -> timedelta | None:
        days = self._context.tiers.limit("retention_days")
        return timedelta(days=days) if days else None
