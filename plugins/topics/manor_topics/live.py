"""Streams: what a topic's subscribers are told, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from manor import Clock, Entry, Live, LiveService, Storage, Transaction, new_id
from manor_topics import message_store
from manor_topics.config import TopicsConfig
from manor_topics.domain import Topic
from manor_topics.events import MessagePublished
from manor_topics.messages import Message

PAGE = 100
"""Messages that a replay reads at once; with the longest messages a page is a few MiB."""

RETRY = 3000
"""Milliseconds that an EventSource waits before it connects again."""

_HEADERS = {"Cache-Control": "no-cache, no-transform"}


class Ready(msgspec.Struct, frozen=True):
    """The first frame. Clients read `message` and `timestamp` of every JSON payload, this one too."""

    topic: str
    message: str
    connection_id: UUID
    timestamp: datetime


class Gap(msgspec.Struct, frozen=True):
    """Said before a replay that may lack something: the client's last message is not known any more."""

    topic: str
    message: str
    timestamp: datetime


class Ping(msgspec.Struct, frozen=True, tag="ping", tag_field="type"):
    """A WebSocket's ping; on SSE it has no data."""

    timestamp: datetime


def channel_name(topic_id: UUID) -> str:
    """The name of a topic's channel."""
    return f"topics:{topic_id}"


class Streams:
    """Opens streams, and tells them what was published."""

    def __init__(self, live: LiveService, storage: Storage, clock: Clock, config: Callable[[], TopicsConfig]) -> None:
        self._live = live
        self._storage = storage
        self._clock = clock
        self._config = config

    def tell(self, published: MessagePublished) -> None:
        """Have a topic's subscribers hear a message. For an INLINE subscription."""
        channel = self._live.find(channel_name(published.topic_id))
        if channel is not None:
            channel.append(_entry(published.position, published.id, published.encoded))

    def open(
        self, topic: Topic, cursor: int | None, *, has_gap: bool, released: Callable[[], None] | None = None
    ) -> Live:
        """A stream of one topic: ready, what was missed, then what comes.

        Args:
            topic: What is heard.
            cursor: The position that the replay follows; None for no replay.
            has_gap: Whether something may be missing before the replay; said aloud.
            released: Called once when the stream is over.
        """
        now = self._clock.now()
        ready = Ready(topic.name, "Connected to topic", new_id(), now)
        greeting = [Entry(0, "ready", msgspec.json.encode(ready), retry=RETRY)]
        if has_gap:
            gap = Gap(topic.name, "Messages may be missing here: the last one you had is not known any more", now)
            greeting.append(Entry(0, "gap", msgspec.json.encode(gap)))

        async def replay(after: int) -> Sequence[Entry]:
            return await self._storage.read(lambda transaction: _page(transaction, topic, after))

        feed = self._live.feed(
            [self._live.channel(channel_name(topic.id))],
            greeting=greeting,
            replay=replay,
            ping=self._ping,
            ping_seconds=self._config().ping_seconds,
            released=released,
        )
        return Live(feed, cursor, headers=_HEADERS)

    def _ping(self) -> Entry:
        return Entry(0, "ping", b"", text=msgspec.json.encode(Ping(self._clock.now())))


def _page(transaction: Transaction, topic: Topic, after: int) -> list[Entry]:
    rows = message_store.messages_after(transaction.connection, topic, after, now=transaction.now, limit=PAGE)
    return [_message_entry(position, message) for position, message in rows]


def _message_entry(position: int, message: Message) -> Entry:
    return _entry(position, message.id, msgspec.json.encode(message))


def _entry(position: int, message_id: UUID, encoded: bytes) -> Entry:
    return Entry(position, "message", encoded, id=str(message_id))
