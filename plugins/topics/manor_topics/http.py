"""The operations: requests in, answers out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from manor.auth import Bearer, Header
from manor.auth import Query as QueryParameter
from manor.clock import Clock
from manor.errors import BadRequest, TooLarge
from manor.limits import Address, RateLimiter
from manor.routing import Api, Later, Live, Rate, Reply, Request
from manor_topics.catalog import Catalog
from manor_topics.config import TopicsConfig
from manor_topics.creating import refusal
from manor_topics.domain import (
    BrokenJson,
    Draft,
    MessageTooLong,
    Misfit,
    Sent,
    Since,
    SinceMessage,
    Topic,
    check_key,
    is_reserved,
    read_draft,
    read_header,
    read_id,
    read_reference,
    read_since,
)
from manor_topics.events import MessagePublished
from manor_topics.live import Streams
from manor_topics.messages import History, TopicListed, TopicShown
from manor_topics.publishing import Publisher, Publishing
from manor_topics.reading import Reading
from manor_topics.rights import check_anonymous, check_publish, missing

PLACES = (Header("X-Topic-Token"), Header("X-API-Key"), Bearer())
STREAM_PLACES = (QueryParameter("token"),)
"""Where credentials stand on routes that browsers open without headers of their own."""

NOTIFER = Api("notifer", places=PLACES, anonymous_rate=Rate(300), rate_headers=True)
PUBLISHING = Api("notifer publishing", places=PLACES, anonymous_rate=Rate(100), rate_headers=True)
"""The same API with a rate of its own."""

STREAMS_PER_ADDRESS = 20

Limit = Annotated[int, Meta(ge=1, le=100)]
Offset = Annotated[int, Meta(ge=0, le=2**62)]


class PageQuery(msgspec.Struct, frozen=True):
    """Which part of a list."""

    limit: Limit = 50
    offset: Offset = 0


class HistoryQuery(msgspec.Struct, frozen=True):
    """Which messages: `since` is a time, Unix seconds, a message id, a duration such as 10m, `all` or `latest`."""

    limit: Limit = 50
    since: str | None = None
    poll: Literal["0", "1"] | None = None


class StreamQuery(msgspec.Struct, frozen=True):
    """Where a stream begins: strictly after a message's id, or `since` as for the history."""

    since_id: str | None = None
    since: str | None = None


class TopicHandlers:
    """One method per operation.

    Args:
        publishing: Puts messages on disk.
        reading: Answers questions.
        streams: Opens streams.
        catalog: Topics in memory.
        limits: Counts open streams.
        clock: What durations in `since` are counted back from.
        config: The plugin's own.
        taken: First path segments of the server's own routes.
    """

    def __init__(
        self,
        *,
        publishing: Publishing,
        reading: Reading,
        streams: Streams,
        catalog: Catalog,
        limits: RateLimiter,
        clock: Clock,
        config: TopicsConfig,
        taken: Callable[[], Collection[str]],
    ) -> None:
        self._publishing = publishing
        self._reading = reading
        self._streams = streams
        self._catalog = catalog
        self._limits = limits
        self._clock = clock
        self._config = config
        self._taken = taken

    # --- Publishing ------------------------------------------------------------------------------------------------

    def publish(self, request: Request[bytes]) -> Later | Awaitable[Later]:
        """Publish a message; the answer says that it is on disk."""
        topic = self._catalog.known(request.params["topic"])
        if topic is None:
            return self._publish_to_unknown(request)
        return self._publish_to(request, topic)

    def _publish_to(self, request: Request[bytes], topic: Topic) -> Later:
        check_publish(topic, request.principals, self._config)
        draft, publisher = self._draft(request), _publisher(request)
        return self._publishing.submit(topic, draft, publisher).map(_published)

    async def _publish_to_unknown(self, request: Request[bytes]) -> Later:
        name = request.params["topic"]
        topic = await self._catalog.find(name)
        if topic is not None:
            return self._publish_to(request, topic)
        if not self._may_create(request) or not isinstance(read_reference(name), str):
            raise missing(name)
        if is_reserved(name, self._taken()):
            raise missing(name)
        check_anonymous(request.principals, self._config)
        draft, publisher = self._draft(request), _publisher(request)
        return self._publishing.submit_to_new(name, draft, publisher).map(_published)

    def _may_create(self, request: Request[bytes]) -> bool:
        match self._config.auto_create:
            case "off":
                return False
            case "authenticated":
                return request.user_id is not None
            case "anyone":
                return request.user_id is not None or not request.principals

    def _draft(self, request: Request[bytes]) -> Draft:
        headers = request.headers
        sent = Sent(
            content_type=headers.get("content-type"),
            title=headers.get("x-title"),
            priority=headers.get("x-priority"),
            tags=headers.get("x-tags"),
        )
        try:
            return read_draft(request.body, sent, most_bytes=self._config.max_message_bytes)
        except Misfit as misfit:
            raise refusal(misfit) from misfit
        except BrokenJson as error:
            raise BadRequest(str(error)) from error
        except MessageTooLong as error:
            raise TooLarge(str(error)) from error

    # --- Topics ----------------------------------------------------------------------------------------------------

    async def list_topics(self, request: Request[None, PageQuery]) -> list[TopicListed]:
        """Topics that the caller may read, those with the newest messages first."""
        query = request.query
        return await self._reading.list_topics(request.principals, limit=query.limit, offset=query.offset)

    async def list_public(self, request: Request[None, PageQuery]) -> list[TopicListed]:
        """Topics that are meant to be found: public and discoverable."""
        return await self._reading.list_public(limit=request.query.limit, offset=request.query.offset)

    async def show(self, request: Request) -> TopicShown:
        """A topic by name or id, with its counters and open streams."""
        return await self._reading.show(request.params["topic"], request.principals)

    # --- Messages --------------------------------------------------------------------------------------------------

    async def history(self, request: Request[None, HistoryQuery]) -> History:
        """A topic's messages: newest first, or, with `since`, those after it, oldest first."""
        topic = await self._reading.topic(request.params["topic"], request.principals)
        since = self._since("since", request.query.since)
        return await self._reading.history(topic, since, limit=request.query.limit)

    async def stream(self, request: Request[None, StreamQuery]) -> Live:
        """Hear a topic: what was missed, then what comes."""
        topic = await self._reading.topic(request.params["topic"], request.principals)
        start = await self._reading.start(topic, self._stream_since(request))
        released = None
        if not request.principals:
            released = self._limits.hold("streams", Address(request.head.address), STREAMS_PER_ADDRESS).release
        return self._streams.open(topic, start.cursor, has_gap=start.has_gap, released=released)

    def _stream_since(self, request: Request[None, StreamQuery]) -> Since | None:
        # An EventSource repeats the URL that it was made with and adds the header: the header is newer.
        last = request.headers.get("last-event-id")
        if last:
            return self._message("Last-Event-ID", last)
        if request.query.since_id is not None:
            return self._message("since_id", request.query.since_id)
        return self._since("since", request.query.since)

    def _message(self, field: str, text: str) -> Since:
        id_ = read_id(text.lower())
        if id_ is None:
            raise refusal(Misfit(field, "is a message's id"))
        return SinceMessage(id_)

    def _since(self, field: str, text: str | None) -> Since | None:
        try:
            return None if text is None else read_since(text, now=self._clock.now(), field=field)
        except Misfit as misfit:
            raise refusal(misfit) from misfit


def _publisher(request: Request[bytes]) -> Publisher:
    principal = request.principals[0] if request.principals else None
    if principal is None:
        scope = f"address:{request.head.address}"
    else:
        scope = f"{principal.kind}:{principal.credential_id or principal.user_id}"
    sent = request.headers.get("idempotency-key")
    if sent is None:
        return Publisher(scope, request.user_id)
    try:
        return Publisher(scope, request.user_id, check_key(read_header("Idempotency-Key", sent)))
    except Misfit as misfit:
        raise refusal(misfit) from misfit


def _published(published: MessagePublished) -> Reply:
    return Reply(published.encoded)
