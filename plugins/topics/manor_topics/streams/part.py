"""The part that people hear topics with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from manor import (
    Authenticator,
    BackgroundTask,
    Delivery,
    Event,
    MemberChanged,
    Migration,
    Route,
    Subscription,
    TeamChanged,
    TeamDeleted,
    Transaction,
    UserChanged,
)
from manor_topics.events import MessageDeleted, MessageEdited, MessagePublished, TopicDeleted, TopicUpdated
from manor_topics.http.many import ManyHandlers
from manor_topics.http.streams import StreamHandlers
from manor_topics.migrations import sessions as migrations
from manor_topics.parts import Part, Shared
from manor_topics.streams import session_store
from manor_topics.streams.limit import StreamLimit
from manor_topics.streams.session_tables import sessions
from manor_topics.streams.sessions import STREAM_SESSION, Sessions, looks_like_session


class Listening(Part):
    """Streams of one topic and of many, for as long as their readers may hear them.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._streams = shared.streams
        limit = StreamLimit(context.limits, shared.payers)
        self._sessions = Sessions(shared)
        self._one = StreamHandlers(shared, limit)
        self._many = ManyHandlers(shared, limit, self._sessions)

    def routes(self) -> Sequence[Route]:
        """Server-sent events and WebSockets."""
        return [*self._one.routes(), *self._many.routes()]

    def authenticators(self) -> Sequence[Authenticator]:
        """Stream sessions open what they were made for."""
        return [Authenticator(STREAM_SESSION, looks_like_session, self._sessions.authenticate)]

    def migrations(self) -> Sequence[Migration]:
        """The sessions."""
        return [migrations.STEP]

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
        """Ends streams, and keeps their sessions."""
        watch = self._streams.watch
        return [
            BackgroundTask("lost streams", watch.look),
            BackgroundTask("old streams", watch.end_old),
            BackgroundTask("stream sessions", self._sessions.run),
        ]

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Remove some of somebody's sessions."""
        return session_store.remove(transaction.connection, sessions.c.user_id == user_id, limit)
