"""What the plugin is made of: each part brings its own routes, events, jobs and tables."""

from __future__ import annotations

from dataclasses import dataclass, field

from manor import Part as AnyPart
from manor import PluginContext, Transaction
from manor_topics.callers import Callers
from manor_topics.catalog import Catalog
from manor_topics.config import TopicsConfig
from manor_topics.domain import Topic, check_name
from manor_topics.live import Streams
from manor_topics.payers import Payers
from manor_topics.publishing import Publishing
from manor_topics.reading import Reading


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


class Part(AnyPart):
    """One area of the plugin. What it does not override it does not have."""

    def forget_topic(self, transaction: Transaction, topic: Topic) -> None:
        """A topic is being deleted: remove what this part has of it, in the same transaction, without its messages."""
