"""Topics and their history over HTTP."""

from __future__ import annotations

from datetime import datetime

from manor import Clock, Request
from manor_topics.creating import refusal
from manor_topics.domain import Misfit
from manor_topics.http.api import HistoryQuery, PageQuery
from manor_topics.messages import History, TopicListed, TopicMine, TopicShown
from manor_topics.reading import Reading
from manor_topics.rights import in_scope
from manor_topics.since import Since, read_since

READING = ("topics:read", "subscribe")
"""Who may follow a topic may look at it too."""


class ReadHandlers:
    """One method per operation that reads.

    Args:
        reading: Answers questions.
        clock: What durations in `since` are counted back from.
    """

    def __init__(self, reading: Reading, clock: Clock) -> None:
        self._reading = reading
        self._clock = clock

    async def list_topics(self, request: Request[None, PageQuery]) -> list[TopicListed]:
        """Topics that the caller may read, those with the newest messages first."""
        query = request.query
        principals = in_scope(request.principals, "topics:read")
        return await self._reading.list_topics(principals, limit=query.limit, offset=query.offset)

    async def list_mine(self, request: Request[None, PageQuery]) -> list[TopicMine]:
        """Topics that the caller may change: their own, and those of teams that they administer."""
        query = request.query
        principals = in_scope(request.principals, "topics:read")
        return await self._reading.list_mine(principals, limit=query.limit, offset=query.offset)

    async def list_public(self, request: Request[None, PageQuery]) -> list[TopicListed]:
        """Topics that are meant to be found: public and discoverable."""
        in_scope(request.principals, "topics:read")
        return await self._reading.list_public(limit=request.query.limit, offset=request.query.offset)

    async def show(self, request: Request) -> TopicShown:
        """A topic by name or id, with its counters and open streams."""
        return await self._reading.show(request.params["topic"], in_scope(request.principals, *READING))

    async def history(self, request: Request[None, HistoryQuery]) -> History:
        """A topic's messages: newest first, or, with `since`, those after it, oldest first."""
        topic = await self._reading.topic(request.params["topic"], in_scope(request.principals, *READING))
        since = since_of(request.query.since, now=self._clock.now())
        return await self._reading.history(topic, since, limit=request.query.limit)


def since_of(text: str | None, *, now: datetime) -> Since | None:
    """Since when somebody wants to read; None without a word. A form sends its empty fields too.

    Args:
        text: The parameter.
        now: What durations are counted back from.

    Raises:
        Unprocessable: It means nothing.
    """
    try:
        return read_since(text, now=now) if text else None
    except Misfit as misfit:
        raise refusal(misfit) from misfit
