"""Watching over open streams: each ends when its reader may not read any more, when its topic goes, or after a day."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile
from typing import Any, Protocol
from uuid import UUID

import trio

from manor import (
    Closing,
    MemberChanged,
    Outlet,
    Principal,
    Source,
    Storage,
    TeamChanged,
    TeamDeleted,
    Transaction,
    UserChanged,
    Write,
    find_user,
)
from manor_topics import store
from manor_topics.callers import Callers
from manor_topics.domain import Topic
from manor_topics.events import TopicDeleted, TopicUpdated
from manor_topics.rights import can_read, in_scope

ACCESS_LOST = Closing(4403, "access lost")
DELETED = Closing(4404, "topic deleted")
TOO_OLD = Closing(1001, "open for a day: resume from the last id")

MOST_SECONDS = 24 * 60 * 60.0
"""How long a stream stays open; its credential is asked for again then."""

AT_ONCE = 100
"""Streams that are looked at together: one read finds all their topics."""


class Feed(Source, Protocol):
    """A source that can be ended."""

    @property
    def position(self) -> int:
        """The position of what it took last."""
        ...

    def end(self, closing: Closing) -> None:
        """End it, and say why."""
        ...


class Watched:
    """A source that is watched for as long as it is heard. Made by `Watch.over`.

    Args:
        feed: What is heard.
        topics: The ids of its topics.
        principals: The credentials that opened it, those of them that may subscribe.
        checked: Of `Watch.changes`, when its right to hear them began to be looked at.
        watch: Told when it comes and goes.
    """

    __slots__ = ("__weakref__", "_feed", "_watch", "checked", "is_heard", "opened_at", "principals", "topics")

    def __init__(
        self, feed: Feed, topics: Sequence[UUID], principals: Sequence[Principal], checked: int, watch: Watch
    ) -> None:
        self._feed = feed
        self._watch = watch
        self.topics = tuple(topics)
        self.principals = tuple(principals)
        self.checked = checked
        self.opened_at = 0.0
        self.is_heard = False

    def attach(self, outlet: Outlet, cursor: int | None) -> None:
        """Hear everything from here on."""
        self._feed.attach(outlet, cursor)
        self.is_heard = True
        self._watch.joined(self)

    def detach(self, outlet: Outlet) -> None:
        """Hear no more; twice does no harm."""
        self._feed.detach(outlet)
        self._watch.left(self)

    def pump(self, outlet: Outlet, write: Write) -> Coroutine[Any, Any, Closing]:
        """Write frames until it is ended; the feed's own coroutine, so that a stream costs no second one."""
        return self._feed.pump(outlet, write)

    @property
    def position(self) -> int:
        """How far it has come."""
        return self._feed.position

    def end(self, closing: Closing) -> None:
        """End it, and say why."""
        self._feed.end(closing)


class Watch:
    """Knows the open streams, and ends those whose time has come.

    Whoever loses a right is found by an event. The right itself is then looked up anew, in storage and not in memory,
    so a change that takes it from many costs one look at each. A stream whose right was looked at before a change and
    that attaches after it is looked at when it attaches.

    Args:
        storage: Where topics and people stand.
        callers: Knows people's teams.

    Attributes:
        changes: How many changes there were that may have taken a right.
    """

    def __init__(self, storage: Storage, callers: Callers) -> None:
        self._storage = storage
        self._callers = callers
        self._streams: dict[Watched, None] = {}
        # Each with what `changes` was when it came under suspicion.
        self._suspects: dict[Watched, int] = {}
        self._has_streams = trio.Event()
        self._has_suspects = trio.Event()
        self.changes = 0

    def over(self, feed: Feed, topics: Iterable[UUID], principals: Sequence[Principal], checked: int) -> Watched:
        """Have a feed watched.

        Args:
            feed: What is heard.
            topics: Which topics that is.
            principals: The credentials that opened it.
            checked: What `changes` was before anything was looked up for it.
        """
        return Watched(feed, tuple(topics), in_scope(principals, "subscribe"), checked, self)

    @property
    def open_streams(self) -> int:
        """How many there are."""
        return len(self._streams)

    def joined(self, stream: Watched) -> None:
        """Somebody hears it from now on."""
        stream.opened_at = trio.current_time()
        self._streams[stream] = None
        self._has_streams.set()
        if stream.checked != self.changes:
            self._suspect([stream])

    def left(self, stream: Watched) -> None:
        """Nobody hears it any more."""
        self._streams.pop(stream, None)
        self._suspects.pop(stream, None)

    # --- INLINE ----------------------------------------------------------------------------------------------------

    def topic_updated(self, event: TopicUpdated) -> None:
        """What is public is everybody's to read; of what is private, each reader is looked at."""
        if event.access_level != "public":
            self._changed(lambda stream: event.topic_id in stream.topics)

    def topic_deleted(self, event: TopicDeleted) -> None:
        """Those who hear it end at once, with the other topics that they may hear besides: clients come back."""
        self.changes += 1
        for stream in list(self._streams):
            if event.topic_id in stream.topics:
                stream.end(DELETED)

    def member_changed(self, event: MemberChanged) -> None:
        """Somebody came, went, or has another part in a team."""
        self._changed(partial(_is_of, user_id=event.user_id))

    def team_changed(self, event: TeamChanged | TeamDeleted) -> None:
        """A team was switched on or off, or is gone: its topics are not known here, so everybody is looked at."""
        self._changed(lambda stream: bool(stream.principals))

    def user_changed(self, event: UserChanged) -> None:
        """Somebody may administer the server no more. Those who may not sign in any more are the core's to end."""
        self._changed(partial(_is_of, user_id=event.user_id))

    def _changed(self, concerns: Callable[[Watched], bool]) -> None:
        self.changes += 1
        self._suspect([stream for stream in self._streams if concerns(stream)])

    def _suspect(self, streams: Sequence[Watched]) -> None:
        if streams:
            self._suspects.update(dict.fromkeys(streams, self.changes))
            self._has_suspects.set()

    # --- Looking ---------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Look at those who may have lost their right, and end those who have; runs until cancelled."""
        while True:
            await self._has_suspects.wait()
            self._has_suspects = trio.Event()
            # They stay suspects until they were looked at: a task that is begun anew has lost nobody.
            while self._suspects:
                some = list(self._suspects)[:AT_ONCE]
                changes = self.changes
                await self._look_at(some)
                for stream in some:
                    # What changed during the look may not have been seen by it.
                    if self._suspects.get(stream, changes + 1) <= changes:
                        del self._suspects[stream]

    async def _look_at(self, streams: Sequence[Watched]) -> None:
        ids = list({id_ for stream in streams for id_ in stream.topics})
        admins = {each.user_id for stream in streams for each in stream.principals if each.is_admin}

        def work(transaction: Transaction) -> tuple[dict[UUID, Topic], set[UUID]]:
            users = [find_user(transaction, user_id=id_) for id_ in admins if id_ is not None]
            still = {user.id for user in users if user is not None and user.is_admin}
            return store.by_ids(transaction.connection, ids), still

        topics, still_admins = await self._storage.read(work)
        for stream in streams:
            closing = await self._verdict(stream, topics, still_admins)
            if closing is not None:
                stream.end(closing)

    async def _verdict(self, stream: Watched, topics: Mapping[UUID, Topic], still_admins: set[UUID]) -> Closing | None:
        caller = await self._callers.find(
            [replace(each, is_admin=each.is_admin and each.user_id in still_admins) for each in stream.principals]
        )
        for id_ in stream.topics:
            topic = topics.get(id_)
            if topic is None:
                return DELETED
            if not can_read(topic, caller):
                return ACCESS_LOST
        return None

    async def end_old(self) -> None:
        """End what has been open for a day; runs until cancelled."""
        while True:
            while not self._streams:
                self._has_streams = trio.Event()
                await self._has_streams.wait()
            oldest = next(iter(self._streams))
            await trio.sleep_until(oldest.opened_at + MOST_SECONDS)
            for stream in list(takewhile(_is_old, self._streams)):
                del self._streams[stream]
                stream.end(TOO_OLD)


def _is_old(stream: Watched) -> bool:
    return stream.opened_at <= trio.current_time() - MOST_SECONDS


def _is_of(stream: Watched, user_id: UUID) -> bool:
    return any(principal.user_id == user_id for principal in stream.principals)
