"""The part that people hear topics with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from manor import (
    BackgroundTask,
    Delivery,
    Event,
    MemberChanged,
    Route,
    Subscription,
    TeamChanged,
    TeamDeleted,
    UserChanged,
)
from manor_topics.events import MessageDeleted, MessageEdited, MessagePublished, TopicDeleted, TopicUpdated
from manor_topics.http.streams import StreamHandlers
from manor_topics.parts import Part, Shared
from manor_topics.streams.limit import StreamLimit


class Listening(Part):
    """Streams of one topic and of many, for as long as their readers may hear them.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._streams = shared.streams
        limit = StreamLimit(context.limits, shared.payers)
        self._one = StreamHandlers(shared, limit)

    def routes(self) -> Sequence[Route]:
        """Server-sent events and WebSockets."""
        return self._one.routes()

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """What is told, and what ends streams."""
        streams, watch = self._streams, self._streams.watch
        heard: list[tuple[type[Event], Callable[[Any], None]]] = [
            (MessagePublished, streams.tell),
            (MessageEdited, streams.tell_edited),
            (MessageDeleted, streams.tell_deleted),
            (TopicUpdated, watch.topic_updated),
            (TopicDeleted, watch.topic_deleted),
            (MemberChanged, watch.member_changed),
            (TeamChanged, watch.team_changed),
            (TeamDeleted, watch.team_changed),
            (UserChanged, watch.user_changed),
        ]
        return [Subscription(event.name, event, hear, Delivery.INLINE) for event, hear in heard]

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Ends streams."""
        watch = self._streams.watch
        return [BackgroundTask("lost streams", watch.look), BackgroundTask("old streams", watch.end_old)]
