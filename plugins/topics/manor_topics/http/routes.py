"""The route table: which operation stands where."""

from __future__ import annotations

from manor import PUBLIC, Route
from manor_topics.config import TopicsConfig
from manor_topics.http.api import NOTIFER, PUBLISHING, SIGNED_IN, STREAM_PLACES, HistoryQuery, PageQuery
from manor_topics.http.publish import PublishHandlers
from manor_topics.http.read import ReadHandlers
from manor_topics.messages import History, Message, TopicListed, TopicMine, TopicShown
from manor_topics.ntfy.api import more_places, with_basic

_LONGEST_ESCAPE = 6
"""Bytes that JSON may take for one byte of a message: `\\u0001`."""

_OTHER_MEMBERS = 16_384

_PUBLISH_HEADERS = {
    "X-Title": "1 to 250 characters: UTF-8, or encoded words (RFC 2047).",
    "X-Priority": "1 (the most important) to 5; 3 without it.",
    "X-Tags": "At most 20 words of at most 50 characters each, with commas between them.",
    "Idempotency-Key": "At most 128 characters: the same key within a day publishes once.",
}


def message_body_limit(config: TopicsConfig) -> int:
    """The longest body that may hold a message that is not too long."""
    return config.max_message_bytes * _LONGEST_ESCAPE + _OTHER_MEMBERS


def routes(publish: PublishHandlers, read: ReadHandlers, config: TopicsConfig) -> list[Route]:
    """Publishing and reading."""
    body_limit = message_body_limit(config)
    publishing = [
        Route(
            method,
            "/{topic}",
            publish.publish,
            api=with_basic(PUBLISHING, config),
            access=PUBLIC,
            body=bytes,
            body_limit=body_limit,
            returns=Message,
            summary="Publish a message",
            headers=_PUBLISH_HEADERS,
            errors=(415, 422),
            places=more_places(config),
            tag=NOTIFER.name,
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
            "/api/topics/my",
            read.list_mine,
            api=NOTIFER,
            access=SIGNED_IN,
            query=PageQuery,
            returns=list[TopicMine],
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
            api=with_basic(NOTIFER, config),
            access=PUBLIC,
            query=HistoryQuery,
            returns=History,
            places=(*STREAM_PLACES, *more_places(config)),
        ),
    ]
    return [*publishing, *topics, *reading]
