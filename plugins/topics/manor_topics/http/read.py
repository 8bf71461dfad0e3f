"""Topics, history and streams over HTTP."""

from __future__ import annotations

from manor import Address, Clock, Live, RateLimiter, Request
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, read_id
from manor_topics.http.api import STREAM_RETRY_SECONDS, STREAMS_PER_ADDRESS, HistoryQuery, PageQuery, StreamQuery
from manor_topics.live import Streams
from manor_topics.messages import History, TopicListed, TopicMine, TopicShown
from manor_topics.reading import Reading
from manor_topics.rights import in_scope
from manor_topics.since import Since, SinceMessage, read_since

READING = ("topics:read", "subscribe")
"""Who may follow a topic may look at it too."""


class ReadHandlers:
    """One method per operation that reads.

    Args:
        reading: Answers questions.
        streams: Opens streams.
        limits: Counts open streams.
        clock: What durations in `since` are counted back from.
    """

    def __init__(self, reading: Reading, streams: Streams, limits: RateLimiter, clock: Clock) -> None:
        self._reading = reading
        self._streams = streams
        self._limits = limits
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
        since = self._since("since", request.query.since)
        return await self._reading.history(topic, since, limit=request.query.limit)

    async def stream(self, request: Request[None, StreamQuery]) -> Live:
        """Hear a topic: what was missed, then what comes."""
        topic = await self._reading.topic(request.params["topic"], in_scope(request.principals, "subscribe"))
        start = await self._reading.start(topic, self._stream_since(request))
        released = None
        if not request.principals:
            address = Address(request.head.address)
            slot = self._limits.hold("streams", address, STREAMS_PER_ADDRESS, retry_after=STREAM_RETRY_SECONDS)
            released = slot.release
        return self._streams.open(topic, start.cursor, has_gap=start.has_gap, released=released)

    def _stream_since(self, request: Request[None, StreamQuery]) -> Since | None:
        # An EventSource repeats the URL that it was made with and adds the header: the header is newer.
        last = request.headers.get("last-event-id")
        if last:
            return self._message("Last-Event-ID", last)
        if request.query.since_id:
            return self._message("since_id", request.query.since_id)
        return self._since("since", request.query.since)

    def _message(self, field: str, text: str) -> Since:
        id_ = read_id(text.lower())
        if id_ is None:
            raise refusal(Misfit(field, "is a message's id"))
        return SinceMessage(id_)

    def _since(self, field: str, text: str | None) -> Since | None:
        try:
            # A form sends its empty fields too: empty is as good as absent.
            return read_since(text, now=self._clock.now(), field=field) if text else None
        except Misfit as misfit:
            raise refusal(misfit) from misfit
