"""Streams over HTTP: server-sent events and WebSockets."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from manor import PUBLIC, Headers, Live, Request, Route, Upgrade
from manor_topics.creating import refusal
from manor_topics.domain import Misfit, read_id
from manor_topics.http.api import NOTIFER, STREAM_PLACES
from manor_topics.http.read import since_of
from manor_topics.live import Listener
from manor_topics.ntfy.api import more_places, with_basic
from manor_topics.parts import Shared
from manor_topics.rights import in_scope
from manor_topics.since import Since, SinceMessage
from manor_topics.streams.limit import StreamLimit

SCOPE = "subscribe"

LAST_EVENT_ID = {"Last-Event-ID": "The last message's id: the stream goes on behind it, whatever the query says."}


class StreamQuery(msgspec.Struct, frozen=True):
    """Where a stream begins: strictly after a message's id, or `since` as for the history; and what is heard of."""

    since_id: str | None = None
    since: str | None = None
    events: Literal["message"] | None = None


class StreamHandlers:
    """One topic's stream.

    Args:
        shared: What all parts use.
        limit: Counts open streams.
    """

    def __init__(self, shared: Shared, limit: StreamLimit) -> None:
        self._shared = shared
        self._limit = limit

    def routes(self) -> list[Route]:
        """As server-sent events and as a WebSocket."""
        return [
            Route(
                "GET",
                "/{topic}/sse",
                self.hear,
                api=with_basic(NOTIFER, self._shared.config),
                access=PUBLIC,
                query=StreamQuery,
                returns=Live,
                headers=LAST_EVENT_ID,
                places=(*STREAM_PLACES, *more_places(self._shared.config)),
            ),
            Route(
                "GET",
                "/{topic}/ws",
                self.hear,
                api=with_basic(NOTIFER, self._shared.config),
                access=PUBLIC,
                query=StreamQuery,
                headers=LAST_EVENT_ID,
                websocket=Upgrade.ONLY,
                places=(*STREAM_PLACES, *more_places(self._shared.config)),
            ),
        ]

    async def hear(self, request: Request[None, StreamQuery]) -> Live:
        """Hear a topic: what was missed, then what comes."""
        shared = self._shared
        # Before the right is looked up: what changes from here on is looked at again once the stream is attached.
        checked = shared.streams.watch.changes
        principals = in_scope(request.principals, SCOPE)
        topic = await shared.reading.topic(request.params["topic"], principals)
        start = await shared.reading.start(topic, self._since(request))
        released = await self._limit.hold(principals, request.head.address, topic)
        listener = Listener(
            principals=principals,
            checked=checked,
            messages_only=request.query.events is not None,
            released=released,
        )
        return shared.streams.open(topic, start.cursor, listener, has_gap=start.has_gap)

    def _since(self, request: Request[None, StreamQuery]) -> Since | None:
        # An EventSource repeats the URL that it was made with and adds the header: the header is newer.
        last = last_event_id(request.headers)
        if last is not None:
            return SinceMessage(last)
        if request.query.since_id:
            return SinceMessage(_message_id("since_id", request.query.since_id))
        return since_of(request.query.since, now=self._shared.context.clock.now())


def last_event_id(headers: Headers) -> UUID | None:
    """The last message that a client had, as its header says; None when there is none, or an empty one.

    Raises:
        Unprocessable: It is no message's id.
    """
    text = headers.get("last-event-id")
    return _message_id("Last-Event-ID", text) if text else None


def _message_id(field: str, text: str) -> UUID:
    id_ = read_id(text.lower())
    if id_ is None:
        raise refusal(Misfit(field, "is a message's id"))
    return id_
