"""The part that people make and change topics with, and their messages and tokens; and that lets old ones go."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from manor import BackgroundTask, Event, JobHandler, Migration, Route, ScopeDeclaration, Transaction
from manor_topics import leaving
from manor_topics.access_tokens import AccessTokens, forget_tokens
from manor_topics.changing import Changing
from manor_topics.creating import Creating
from manor_topics.deleting import Clearing
from manor_topics.domain import Topic
from manor_topics.editing import Editing
from manor_topics.events import MessageDeleted, MessageEdited
from manor_topics.http.editing import EditingHandlers, editing_routes
from manor_topics.http.managing import ManagingHandlers, managing_routes
from manor_topics.http.routes import message_body_limit
from manor_topics.http.tokens import TokenHandlers, token_routes
from manor_topics.migrations import topics
from manor_topics.parts import Part, Shared
from manor_topics.retention import Retention

SCOPES = [
    ScopeDeclaration("topics:write", "Make, change and delete your topics and their access tokens"),
    ScopeDeclaration("messages:write", "Edit and delete messages in your topics"),
]


class Managing(Part):
    """Make topics, change them, give out tokens, edit messages, delete all of it.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._shared = shared
        creating = Creating(context.storage, shared.payers, shared.check_name)
        changing = Changing(context, shared.callers, shared.payers, shared.check_name, shared.parts)
        self._topics = ManagingHandlers(shared.reading, creating, changing)
        self._editing = EditingHandlers(Editing(shared))
        self._tokens = TokenHandlers(AccessTokens(shared))
        self._clearing = Clearing(context.storage)
        self._retention = Retention(context.storage, context.log)

    def routes(self) -> Sequence[Route]:
        """What managers do."""
        body_limit = message_body_limit(self._shared.config)
        return [
            *managing_routes(self._topics),
            *editing_routes(self._editing, body_limit),
            *token_routes(self._tokens),
        ]

    def event_types(self) -> Sequence[type[Event]]:
        """What becomes of messages; topics' own events are told by who publishes, too."""
        return [MessageEdited, MessageDeleted]

    def jobs(self) -> Sequence[JobHandler[Any]]:
        """Removes what was in topics that are gone."""
        return self._clearing.jobs()

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Removes what has expired."""
        return [BackgroundTask("retention", self._retention.run)]

    def migrations(self) -> Sequence[Migration]:
        """What deleting needs."""
        return [topics.STEP]

    def forget_topic(self, transaction: Transaction, topic: Topic) -> None:
        """Its tokens open nothing any more."""
        forget_tokens(transaction, topic)

    def sections(self) -> Sequence[str]:
        """Topics, messages, tokens."""
        return leaving.SECTIONS

    def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """All that somebody has here."""
        return leaving.export(self._shared.context.storage, user_id)

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Let go of some of it."""
        return leaving.erase(transaction, user_id, limit, self._shared.parts)
