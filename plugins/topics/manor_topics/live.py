"""Streams: what topics' subscribers are told, frame by frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from manor import Clock, Entry, Live, LiveService, Principal, Storage, Transaction, Voice, new_id
from manor_topics import message_store
from manor_topics.callers import Callers
from manor_topics.config import TopicsConfig
from manor_topics.domain import Topic
from manor_topics.events import MessageDeleted, MessageEdited, MessagePublished
from manor_topics.messages import Message
from manor_topics.streams.merging import Start, merged_after
from manor_topics.streams.watching import Watch, Watched

PAGE = 100
"""Messages that a replay reads at once; with the longest messages a page is a few MiB."""

KNOWN_NAMES = 10_000
"""Topics whose channels' names are kept: every publish asks for both, and an id is spelt slowly."""

RETRY = 3000
"""Milliseconds that an EventSource waits before it connects again."""

GAP = "Messages may be missing here: the last one you had is not known any more"

_HEADERS = {"Cache-Control": "no-cache, no-transform"}


class Ready(msgspec.Struct, frozen=True):
    """The first frame. Clients read `message` and `timestamp` of every JSON payload, this one too."""

    topic: str
    message: str
    connection_id: UUID
    timestamp: datetime


class Rejected(msgspec.Struct, frozen=True):
    """A topic that was asked for and is not heard."""

    topic: str
    reason: str


class ReadyMany(msgspec.Struct, frozen=True):
    """The first frame of a stream of many topics."""

    topics: list[str]
    topic: str
    message: str
    connection_id: UUID
    timestamp: datetime
    rejected: list[Rejected] | UnsetType = UNSET


class Gap(msgspec.Struct, frozen=True):
    """Said before a replay that may lack something: the client's last message is not known any more."""

    topic: str
    message: str
    timestamp: datetime


class Deletion(msgspec.Struct, frozen=True):
    """What is left of a message that was deleted; like a message, as far as clients look at it."""

    id: UUID
    topic: str
    message: Literal[""]
    timestamp: datetime
    is_deleted: Literal[True]
    priority: int
    tags: tuple[()] = ()


class Ping(msgspec.Struct, frozen=True, tag="ping", tag_field="type"):
    """A WebSocket's ping; on SSE it has no data."""

    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who opens a stream, and how they want it.

    Args:
        principals: The credentials of the request.
        checked: What `Streams.watch.changes` was before the topics were looked up.
        messages_only: Whether edits and deletions are left out.
        released: Called once when the stream is over.
        voice: In whose words everything is said; None for our own.
    """

    principals: Sequence[Principal]
    checked: int
    messages_only: bool = False
    released: Callable[[], None] | None = None
    voice: Voice | None = None


@lru_cache(maxsize=KNOWN_NAMES)
def channel_name(topic_id: UUID) -> str:
    """The name of the channel that has all that happens in a topic."""
    return f"topics:{topic_id}"


@lru_cache(maxsize=KNOWN_NAMES)
def plain_channel_name(topic_id: UUID) -> str:
    """The name of the channel that has a topic's messages alone."""
    return f"topics:{topic_id}:messages"


def connection_count(live: LiveService, topic_id: UUID) -> int:
    """How many streams hear a topic."""
    return sum(map(live.connection_count, (channel_name(topic_id), plain_channel_name(topic_id))))


class Streams:
    """Opens streams, and tells them what happens.

    Attributes:
        watch: Ends streams when their time has come.
    """

    def __init__(
        self, live: LiveService, storage: Storage, clock: Clock, config: Callable[[], TopicsConfig], callers: Callers
    ) -> None:
        self._live = live
        self._storage = storage
        self._clock = clock
        self._config = config
        self.watch = Watch(storage, callers)

    # --- INLINE ----------------------------------------------------------------------------------------------------

    def tell(self, published: MessagePublished) -> None:
        """Have a topic's subscribers hear a message."""
        every = self._live.find(channel_name(published.topic_id))
        plain = self._live.find(plain_channel_name(published.topic_id))
        if every is None and plain is None:
            return
        # One entry for both: whoever hears it, it is encoded once.
        entry = _entry(published.position, published.id, published.encoded)
        for channel in (every, plain):
            if channel is not None:
                channel.append(entry)

    def tell_edited(self, edited: MessageEdited) -> None:
        """Have them hear that a message says something else now."""
        channel = self._live.find(channel_name(edited.content.topic_id))
        if channel is not None:
            # Without an id: a client that resumes does so from a message.
            channel.append(Entry(edited.position, "message_updated", msgspec.json.encode(edited.content)))

    def tell_deleted(self, deleted: MessageDeleted) -> None:
        """Have them hear that a message is gone."""
        channel = self._live.find(channel_name(deleted.topic_id))
        if channel is not None:
            told = Deletion(
                deleted.id, deleted.topic, "", deleted.timestamp, is_deleted=True, priority=deleted.priority
            )
            channel.append(Entry(deleted.position, "message_deleted", msgspec.json.encode(told)))

    # --- Opening ---------------------------------------------------------------------------------------------------

    def open(self, topic: Topic, cursor: int | None, listener: Listener, *, has_gap: bool = False) -> Live:
        """A stream of one topic: ready, what was missed, then what comes.

        Args:
            topic: What is heard.
            cursor: The position that the replay follows; None for no replay.
            listener: Who hears it.
            has_gap: Whether something may be missing before the replay; said aloud.
        """

        def page(transaction: Transaction, after: int) -> list[Entry]:
            rows = message_store.messages_after(transaction.connection, topic, after, now=transaction.now, limit=PAGE)
            return [_message_entry(position, message) for position, message in rows]

        ready = Ready(topic.name, "Connected to topic", new_id(), self._clock.now())
        greeting = self._greeting(ready, [topic.name] if has_gap else [])
        return Live(self._feed([topic.id], greeting, page, listener), cursor, headers=_HEADERS)

    def open_many(
        self, topics: Sequence[Topic], start: Start, listener: Listener, *, rejected: Sequence[Rejected] = ()
    ) -> Live:
        """A stream of many topics, merged in the order of the server's positions.

        Args:
            topics: What is heard.
            start: Where that begins, topic by topic.
            listener: Who hears it.
            rejected: What was asked for, and is not heard.
        """
        places = {topic.id: start.places[topic.id] for topic in topics}

        def page(transaction: Transaction, after: int) -> list[Entry]:
            rows = merged_after(transaction.connection, places, after, now=transaction.now, limit=PAGE)
            return [_message_entry(position, message) for position, message in rows]

        names = [topic.name for topic in topics]
        ready = ReadyMany(
            names,
            ",".join(names),
            "Connected to topics",
            new_id(),
            self._clock.now(),
            rejected=list(rejected) or UNSET,
        )
        gaps = [topic.name for topic in topics if topic.id in start.gaps]
        greeting = self._greeting(ready, [ready.topic] if gaps == names else gaps)
        cursor = min(places.values()) if start.is_replayed else None
        return Live(self._feed(list(places), greeting, page, listener), cursor, headers=_HEADERS)

    def _greeting(self, ready: Ready | ReadyMany, gaps: Sequence[str]) -> list[Entry]:
        told = [Entry(0, "gap", msgspec.json.encode(Gap(topic, GAP, ready.timestamp))) for topic in gaps]
        return [Entry(0, "ready", msgspec.json.encode(ready), retry=RETRY), *told]

    def _feed(
        self,
        topic_ids: Sequence[UUID],
        greeting: Sequence[Entry],
        page: Callable[[Transaction, int], list[Entry]],
        listener: Listener,
    ) -> Watched:
        async def replay(after: int) -> Sequence[Entry]:
            return await self._storage.read(lambda transaction: page(transaction, after))

        name = plain_channel_name if listener.messages_only else channel_name
        feed = self._live.feed(
            [self._live.channel(name(topic_id)) for topic_id in topic_ids],
            greeting=greeting,
            replay=replay,
            ping=self._ping,
            ping_seconds=self._config().ping_seconds,
            released=listener.released,
            voice=listener.voice,
        )
        return self.watch.over(feed, topic_ids, listener.principals, listener.checked)

    def _ping(self) -> Entry:
        return Entry(0, "ping", b"", text=msgspec.json.encode(Ping(self._clock.now())))


def _message_entry(position: int, message: Message) -> Entry:
    return _entry(position, message.id, msgspec.json.encode(message))


def _entry(position: int, message_id: UUID, encoded: bytes) -> Entry:
    return Entry(position, "message", encoded, id=str(message_id))
