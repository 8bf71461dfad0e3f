"""Searching over HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from manor import PUBLIC, Clock, Request, Route, Unprocessable
from manor_topics.http.api import NOTIFER, SIGNED_IN, Limit, Offset
from manor_topics.http.read import READING
from manor_topics.rights import in_scope
from manor_topics.search.activity import Bucket
from manor_topics.search.answers import ActivityShown, Filters, SearchResult, TopicMessages
from manor_topics.search.finding import Criteria
from manor_topics.search.searching import Searching
from manor_topics.search.words import Wanted, read_query

MOST_TAGS = 100
"""Of one search."""

MOST_TOPICS = 100
"""Of one look at the activity."""

Words = Annotated[str, Meta(max_length=1000, description="Words that all have to begin a word of the title or text.")]
Priority = Annotated[int, Meta(ge=1, le=5)]
List = Annotated[list[str], Meta(description="Repeated, or with commas between them; any of them counts.")]


class TopicMessagesQuery(msgspec.Struct, frozen=True):
    """Which of a topic's messages; `include_deleted` is for those who manage it."""

    q: Words | None = None
    limit: Limit = 50
    offset: Offset = 0
    priority_min: Priority | None = None
    priority_max: Priority | None = None
    tags: List = msgspec.field(default_factory=list)
    date_from: datetime | None = None
    date_to: datetime | None = None
    include_deleted: bool = False


class SearchQuery(msgspec.Struct, frozen=True):
    """Which messages; with `topic`, only that topic's."""

    q: Words | None = None
    topic: str | None = None
    tags: List = msgspec.field(default_factory=list)
    priority_min: Priority | None = None
    priority_max: Priority | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None
    limit: Limit = 50
    offset: Offset = 0


class ActivityQuery(msgspec.Struct, frozen=True):
    """Which time (without dates the last 24 hours), and which messages in it."""

    start_date: datetime | None = None
    end_date: datetime | None = None
    bucket: Bucket | None = None
    topics: List = msgspec.field(default_factory=list)
    priority_min: Priority | None = None
    priority_max: Priority | None = None
    tags: List = msgspec.field(default_factory=list)
    query: Words | None = None


class SearchHandlers:
    """One method per operation.

    Args:
        searching: Finds messages.
        clock: What the time is.
    """

    def __init__(self, searching: Searching, clock: Clock) -> None:
        self._searching = searching
        self._clock = clock

    def routes(self) -> Sequence[Route]:
        """Where they stand."""
        return [
            Route(
                "GET",
                "/api/topics/{topic}/messages",
                self.in_topic,
                api=NOTIFER,
                access=PUBLIC,
                query=TopicMessagesQuery,
                returns=TopicMessages,
            ),
            Route(
                "GET",
                "/api/messages/search",
                self.everywhere,
                api=NOTIFER,
                access=PUBLIC,
                query=SearchQuery,
                returns=SearchResult,
            ),
            Route(
                "GET",
                "/api/messages/activity",
                self.activity,
                api=NOTIFER,
                access=SIGNED_IN,
                query=ActivityQuery,
                returns=ActivityShown,
            ),
        ]

    async def in_topic(self, request: Request[None, TopicMessagesQuery]) -> TopicMessages:
        """Search a topic's messages, newest first."""
        query = request.query
        topic, page = await self._searching.in_topic(
            request.params["topic"],
            in_scope(request.principals, *READING),
            _criteria(query),
            limit=query.limit,
            offset=query.offset,
            include_deleted=query.include_deleted,
        )
        return TopicMessages(page.messages, page.total, query.limit, query.offset, query.q, topic.name)

    async def everywhere(self, request: Request[None, SearchQuery]) -> SearchResult:
        """Search the messages of all topics that are one's own, one's teams' or subscribed to, newest first."""
        query = request.query
        page = await self._searching.everywhere(
            query.topic or None,
            in_scope(request.principals, "topics:read"),
            _criteria(query),
            limit=query.limit,
            offset=query.offset,
        )
        filters = Filters(
            topic=query.topic,
            priority_min=query.priority_min,
            priority_max=query.priority_max,
            date_from=query.date_from,
            date_to=query.date_to,
            tags=_listed(query.tags, MOST_TAGS, "tags") or None,
        )
        return SearchResult(page.messages, page.total, query.limit, query.offset, query.q, filters)

    async def activity(self, request: Request[None, ActivityQuery]) -> ActivityShown:
        """Count messages by hour or day, and by priority."""
        query = request.query
        return await self._searching.activity(
            _listed(query.topics, MOST_TOPICS, "topics"),
            in_scope(request.principals, "topics:read"),
            Criteria(
                wanted=_wanted(query.query),
                tags=_listed(query.tags, MOST_TAGS, "tags"),
                priority_min=query.priority_min,
                priority_max=query.priority_max,
                date_from=query.start_date,
                date_to=query.end_date,
            ),
            query.bucket,
            self._clock.now(),
        )


def _criteria(query: TopicMessagesQuery | SearchQuery) -> Criteria:
    return Criteria(
        wanted=_wanted(query.q),
        tags=_listed(query.tags, MOST_TAGS, "tags"),
        priority_min=query.priority_min,
        priority_max=query.priority_max,
        date_from=query.date_from,
        date_to=query.date_to,
    )


def _wanted(text: str | None) -> Wanted | None:
    # A form sends its empty fields too: blank is as good as absent.
    return read_query(text) if text is not None and text.strip() else None


def _listed(sent: Iterable[str], most: int, field: str) -> list[str]:
    items = list(dict.fromkeys(item for text in sent for part in text.split(",") if (item := part.strip())))
    if len(items) > most:
        raise Unprocessable(f"{field}: at most {most} at once")
    return items
