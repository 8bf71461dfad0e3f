"""Searching: one topic's messages, all that somebody cares about, and how busy it was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import trio
from sqlalchemy import Connection, select

from manor import NotFound, Principal, Storage, Transaction, Unavailable, Unprocessable, from_microseconds
from manor_topics import message_store, subscriptions_store, unread
from manor_topics.callers import Caller, Callers
from manor_topics.domain import Topic
from manor_topics.messages import Message
from manor_topics.reading import Reading
from manor_topics.rights import can_manage, can_read
from manor_topics.search import index, scope
from manor_topics.search.activity import (
    LENGTHS,
    MOST_BUCKETS,
    Bucket,
    Cells,
    Span,
    automatic,
    count_all,
    count_matches,
)
from manor_topics.search.answers import ActivityBucket, ActivityShown
from manor_topics.search.counting import Counts
from manor_topics.search.deleted import with_deleted
from manor_topics.search.finding import Criteria, Found, find
from manor_topics.search.index import State
from manor_topics.search.indexing import Indexer
from manor_topics.search.scope import Scope
from manor_topics.tables import messages, topics

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""How long a search may take, and wait for the index, which has to know all that was published before it."""

_PAUSE_SECONDS = 0.1
_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, newest first, and how many there are on all pages."""

    messages: list[Message]
    total: int


@dataclass(frozen=True, slots=True)
class _Behind:
    """The index does not know yet what was published up to a position."""

    position: int


class Searching:
    """Finds messages.

    Args:
        storage: Where they are.
        reading: Finds topics.
        callers: Who asks.
        indexer: Has the index know everything.
        patience: Seconds that a search may take.
    """

    def __init__(
        self,
        storage: Storage,
        reading: Reading,
        callers: Callers,
        indexer: Indexer,
        *,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._storage = storage
        self._reading = reading
        self._callers = callers
        self._indexer = indexer
        self._patience = patience
        self._counts = Counts()

    async def in_topic(
        self,
        reference: str,
        principals: Sequence[Principal],
        criteria: Criteria,
        *,
        limit: int,
        offset: int,
        include_deleted: bool,
    ) -> tuple[Topic, Page]:
        """A page of one topic's messages. Looking at the first page is to have viewed the topic.

        Raises:
            Refused: As `Reading.open`.
            Unavailable: The index is being made, or it takes too long.
        """
        topic, caller = await self._reading.open(reference, principals)
        # A session is a person in front of a screen; a key is a program.
        viewers = {principal.user_id for principal in principals if principal.kind == "access" and principal.user_id}

        def work(transaction: Transaction, state: State) -> tuple[Found, list[Message], unread.Seen | None]:
            connection, now = transaction.connection, transaction.now
            if include_deleted and can_manage(topic, caller):
                found = with_deleted(
                    connection, state, topic, criteria, now=now, limit=limit, offset=offset, counts=self._counts
                )
            else:
                found = self._find(transaction, state, scope.of_topics([topic.id]), criteria, limit, offset)
            is_viewed = offset == 0 and viewers and topic.id in subscriptions_store.topics_of(connection, viewers)
            seen = unread.seen_now(transaction, topic.id) if is_viewed else None
            return found, _read(connection, found.positions), seen

        found, read, seen = await self._ask(work)
        if seen is not None:
            await self._storage.write(lambda transaction: _view(transaction, viewers, topic.id, seen))
        return topic, self._page(found, read)

    async def everywhere(
        self, reference: str | None, principals: Sequence[Principal], criteria: Criteria, *, limit: int, offset: int
    ) -> Page:
        """A page of messages of all topics that the caller cares about, or of a named one that they may read.

        A topic that is missing, or that they may not read, has none.

        Raises:
            Unavailable: The index is being made, or it takes too long.
        """
        caller = await self._callers.find(principals)
        named = None if reference is None else await self._named([reference], caller)

        def work(transaction: Transaction, state: State) -> tuple[Found, list[Message]]:
            connection = transaction.connection
            place = scope.of_caller(connection, caller) if named is None else _among(named)
            found = self._find(transaction, state, place, criteria, limit, offset)
            return found, _read(connection, found.positions)

        return self._page(*await self._ask(work))

    async def activity(
        self,
        references: Sequence[str],
        principals: Sequence[Principal],
        criteria: Criteria,
        bucket: Bucket | None,
        now: datetime,
    ) -> ActivityShown:
        """How many messages came, by hour or day.

        Args:
            references: Names or ids of topics; none for all that the caller cares about.
            principals: Who asks.
            criteria: What is counted; its dates are the time that is shown, without them the last 24 hours.
            bucket: What the time is divided into; None for what suits its length.
            now: The time.

        Raises:
            Unprocessable: It ends before it begins, or has too many buckets.
            Unavailable: The index is being made, or it takes too long.
        """
        end = criteria.date_to or now
        start = criteria.date_from or end - min(_DAY, end - datetime.min.replace(tzinfo=UTC))
        if start > end:
            raise Unprocessable("start_date is not after end_date")
        span = Span(start, end, bucket or automatic(start, end))
        if len(span.buckets) > MOST_BUCKETS:
            raise Unprocessable(f"There are at most {MOST_BUCKETS} buckets: ask for days, or for less time")
        caller = await self._callers.find(principals)
        named = await self._named(references, caller) if references else None
        within = Criteria(
            criteria.wanted, criteria.tags, criteria.priority_min, criteria.priority_max, date_from=start, date_to=end
        )

        def work(transaction: Transaction, state: State) -> Cells:
            connection = transaction.connection
            if criteria.wanted is None and not criteria.tags:
                ids = scope.ids_of_caller(connection, caller) if named is None else [topic.id for topic in named]
                return count_all(connection, state, ids, within, span, transaction.now)
            place = scope.of_caller(connection, caller) if named is None else _among(named)
            return count_matches(connection, state, place, within, span, transaction.now)

        return _shown(span, await self._ask(work))

    def _find(
        self, transaction: Transaction, state: State, place: Scope, criteria: Criteria, limit: int, offset: int
    ) -> Found:
        connection, now = transaction.connection, transaction.now
        return find(connection, state, place, criteria, now=now, limit=limit, offset=offset, counts=self._counts)

    def _page(self, found: Found, read: list[Message]) -> Page:
        self._counts.learn(found.learned)
        return Page(read, found.total)

    async def _named(self, references: Sequence[str], caller: Caller) -> list[Topic]:
        """Those topics of some names or ids that the caller may read."""
        found: dict[UUID, Topic] = {}
        for reference in references:
            try:
                topic = await self._reading.find(reference)
            except NotFound:
                continue
            if can_read(topic, caller):
                found[topic.id] = topic
        return list(found.values())

    async def _ask(self, work: Callable[[Transaction, State], T]) -> T:
        """Run a reading unit once the index knows all that was published before now.

        Raises:
            Unavailable: The index is being made, or the search takes too long.
        """
        wanted: int | None = None

        def attempt(transaction: Transaction) -> T | _Behind:
            connection = transaction.connection
            state, newest = index.read_state(connection), message_store.newest_position(connection)
            if not state.is_current or state.position < min(newest, newest if wanted is None else wanted):
                return _Behind(newest)
            return work(transaction, state)

        with trio.move_on_after(self._patience):
            while isinstance(answer := await self._storage.read(attempt), _Behind):
                wanted = answer.position if wanted is None else wanted
                if await self._indexer.catch_up(wanted) >= wanted:
                    # It is being emptied: whoever does that is not waited for in a circle.
                    await trio.sleep(_PAUSE_SECONDS)
            return answer
        if wanted is None:
            raise Unavailable("The search takes too long: ask for less time, or fewer topics")
        raise Unavailable("The search index is being made: try again soon", headers={"Retry-After": "5"})


def _among(named: Collection[Topic]) -> Scope:
    return scope.of_topics([topic.id for topic in named])


def _read(connection: Connection, positions: Sequence[int]) -> list[Message]:
    """The messages at these positions, newest first."""
    statement = (
        select(*message_store.COLUMNS, topics.c.name.label("topic"))
        .join_from(messages, topics, topics.c.id == messages.c.topic_id)
        .where(messages.c.position.in_(positions))
        .order_by(messages.c.position.desc())
    )
    return [message_store.read_message(row, row.topic) for row in connection.execute(statement)]


def _view(transaction: Transaction, people: Iterable[UUID], topic_id: UUID, seen: unread.Seen) -> None:
    for person in people:
        unread.viewed(transaction, person, topic_id, seen=seen)


def _shown(span: Span, cells: Cells) -> ActivityShown:
    length = LENGTHS[span.bucket]
    buckets = [
        ActivityBucket(
            from_microseconds(bucket * length),
            *(cells[bucket, priority] for priority in range(1, 6)),
        )
        for bucket in span.buckets
    ]
    return ActivityShown(buckets, sum(cells.values()), span.bucket, span.start, span.end)
