"""The route table: which operation stands where."""

from __future__ import annotations

from manor import PUBLIC, Route, Upgrade
from manor_topics.config import TopicsConfig
from manor_topics.http.api import NOTIFER, PUBLISHING, STREAM_PLACES, HistoryQuery, PageQuery, StreamQuery
from manor_topics.http.publish import PublishHandlers
from manor_topics.http.read import ReadHandlers
from manor_topics.messages import History, Message, TopicListed, TopicShown

_LONGEST_ESCAPE = 6
"""Bytes that JSON may take for one byte of a message: `\\u0001`."""

_OTHER_MEMBERS = 16_384


def routes(publish: PublishHandlers, read: ReadHandlers, config: TopicsConfig) -> list[Route]:
    """All operations of the plugin."""
    body_limit = config.max_message_bytes * _LONGEST_ESCAPE + _OTHER_MEMBERS
    publishing = [
        Route(
            method,
            "/{topic}",
            publish.publish,
            api=PUBLISHING,
            access=PUBLIC,
            body=bytes,
            body_limit=body_limit,
            returns=Message,
            summary="Publish a message",
        )
        for method in ("POST", "PUT")
    ]
    topics = [
        Route(
            "GET",
            "/api/topics",
            read.list_topics,
            api=NOTIFER,
            access=PUBLIC,
            query=PageQuery,
            returns=list[TopicListed],
        ),
        Route(
            "GET",
            "/api/topics/public",
            read.list_public,
            api=NOTIFER,
            access=PUBLIC,
            query=PageQuery,
            returns=list[TopicListed],
        ),
        Route("GET", "/api/topics/{topic}", read.show, api=NOTIFER, access=PUBLIC, returns=TopicShown),
        Route("GET", "/api/topics/{topic}/stats", read.show, api=NOTIFER, access=PUBLIC, returns=TopicShown),
    ]
    reading = [
        Route(
            "GET",
            "/{topic}/json",
            read.history,
            api=NOTIFER,
            access=PUBLIC,
            query=HistoryQuery,
            returns=History,
            places=STREAM_PLACES,
        ),
        Route(
            "GET",
            "/{topic}/sse",
            read.stream,
            api=NOTIFER,
            access=PUBLIC,
            query=StreamQuery,
            places=STREAM_PLACES,
        ),
        Route(
            "GET",
            "/{topic}/ws",
            read.stream,
            api=NOTIFER,
            access=PUBLIC,
            query=StreamQuery,
            websocket=Upgrade.ONLY,
            places=STREAM_PLACES,
        ),
    ]
    return [*publishing, *topics, *reading]
