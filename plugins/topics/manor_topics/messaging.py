"""The first part: publishing, topics and their history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from manor import (
    Authenticator,
    Command,
    Delivery,
    Event,
    Lifespan,
    MemberChanged,
    Migration,
    Route,
    Subscription,
    TeamChanged,
    TeamDeleted,
    TierLimit,
    UserChanged,
    UserErased,
)
from manor_topics.commands import CreateTopics, TopicsCreated
from manor_topics.creating import Creating
from manor_topics.events import MessagePublished, TopicCreated, TopicDeleted, TopicUpdated
from manor_topics.http.publish import PublishHandlers
from manor_topics.http.read import ReadHandlers
from manor_topics.http.routes import routes
from manor_topics.migrations import migrations
from manor_topics.parts import Part, Shared
from manor_topics.payers import LIMITS
from manor_topics.rights import TOPIC_TOKEN
from manor_topics.tokens import TokenCheck, looks_like_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Messaging(Part):
    """Publish to topics, read them.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._shared = shared
        self._creating = Creating(context.storage, shared.payers, shared.check_name)
        self._publish = PublishHandlers(shared)
        self._read = ReadHandlers(shared.reading, context.clock)

    def routes(self) -> Sequence[Route]:
        """Publishing and reading."""
        return routes(self._publish, self._read, self._shared.config)

    def event_types(self) -> Sequence[type[Event]]:
        """What others may hear."""
        return [MessagePublished, TopicCreated, TopicDeleted, TopicUpdated]

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """What is kept in memory follows each commit."""
        shared = self._shared
        heard: list[tuple[type[Event], Callable[[Any], None]]] = [
            (TopicCreated, shared.catalog.forget),
            (TopicUpdated, shared.catalog.forget),
            (TopicDeleted, shared.catalog.forget),
            (MemberChanged, shared.callers.forget_member),
            (UserErased, shared.callers.forget_person),
            (TeamChanged, shared.callers.forget_team),
            (TeamDeleted, shared.callers.forget_team),
            (UserChanged, shared.payers.forget_person),
            (UserErased, shared.payers.forget_person),
            (TeamChanged, shared.payers.forget_team),
            (TeamDeleted, shared.payers.forget_team),
        ]
        return [Subscription(event.name, event, hear, Delivery.INLINE) for event, hear in heard]

    def authenticators(self) -> Sequence[Authenticator]:
        """Topic tokens open topics."""
        check = TokenCheck(self._shared.context.identity)
        return [Authenticator(TOPIC_TOKEN, looks_like_token, check.authenticate, known=check.known)]

    def tier_limits(self) -> Sequence[TierLimit]:
        """How much people publish, and how long it is kept."""
        return LIMITS

    def migrations(self) -> Sequence[Migration]:
        """The tables, and the topic `welcome`."""
        return migrations(self._shared.context.clock)

    def commands(self) -> Sequence[Command]:
        """`manor topics create`."""
        return [Command("topics.create", CreateTopics, self._creating.create_all, returns=TopicsCreated)]

    def lifespan(self) -> Lifespan:
        """Looks for topics that another plugin's routes hide."""
        return self._look_for_hidden

    @asynccontextmanager
    async def _look_for_hidden(self) -> AsyncIterator[None]:
        context = self._shared.context
        owners = {owned.route.path.split("/")[1]: owned.owner for owned in context.routes}
        for topic in await self._creating.hidden_by(self._shared.taken()):
            context.log.warning(
                "a topic is hidden by a route", topic=topic.name, id=str(topic.id), hidden_by=owners.get(topic.name)
            )
        yield
