"""Following what is published: the messages on disk are the queue, and each follower has a place in it.

So publishing does nothing for those who follow, a restart loses nothing, and a burst is read in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio
from sqlalchemy import Connection, delete, insert, select

from manor import Storage, Transaction
from manor_topics import message_store
from manor_topics.events import MessagePublished
from manor_topics.messages import Message
from manor_topics.tables import followers

BATCH = 200
"""Messages that are looked at in one transaction."""

Placed = tuple[int, Message]
"""A message and its position."""


@dataclass(frozen=True, slots=True)
class _Read:
    newest: int
    wanted: Sequence[Placed]
    is_whole: bool


class Follower:
    """Has every message looked at once, in their order, soon after it is on disk.

    Its place is stored with what `take` writes, so each message is taken exactly once. While nothing is wanted the
    place is kept in memory alone: after a restart those messages are looked at again, and again not wanted.

    Args:
        name: Of its place, such as `push`; kept for ever.
        storage: Where messages are.
        wanted: Which of some messages are worth taking; reads only, and quickly: it sees every message.
        take: Writes what is to be done about them, usually deferred jobs. It may run more than once.
    """

    def __init__(
        self,
        name: str,
        storage: Storage,
        *,
        wanted: Callable[[Connection, Sequence[Placed]], Sequence[Placed]],
        take: Callable[[Transaction, Sequence[Placed]], None],
    ) -> None:
        self._name = name
        self._storage = storage
        self._wanted = wanted
        self._take = take
        self._place: int | None = None
        self._told = trio.Event()

    def tell(self, published: MessagePublished) -> None:
        """There is something new. For an INLINE subscription."""
        self._told.set()

    def ring(self) -> None:
        """There may be something new."""
        self._told.set()

    @property
    def place(self) -> int:
        """The position up to which everything was looked at; 0 before it runs."""
        return self._place or 0

    def skip(self, connection: Connection) -> None:
        """Have it begin behind all that there is, before it runs: nobody wants anything of it."""
        self._keep(connection, message_store.newest_position(connection))

    def go_to(self, position: int) -> None:
        """Leave out what comes before a position; only while it waits."""
        if self._place is not None:
            self._place = max(self._place, position)

    async def run(self) -> None:
        """Follow; runs until cancelled."""
        if self._place is None:
            self._place = await self._storage.write(self._begin)
        while True:
            self._told = trio.Event()
            while not await self._advance(self._place):
                pass
            await self._told.wait()

    async def _advance(self, place: int) -> bool:
        """Take a batch; whether that was all there is."""
        found = await self._storage.read(lambda transaction: self._look(transaction.connection, place))

        def work(transaction: Transaction) -> None:
            self._take(transaction, found.wanted)
            self._keep(transaction.connection, found.newest)

        if found.wanted:
            await self._storage.write(work)
        self._place = found.newest
        return found.is_whole

    def _look(self, connection: Connection, place: int) -> _Read:
        rows = message_store.all_after(connection, place, limit=BATCH)
        newest = rows[-1][0] if rows else place
        return _Read(newest, self._wanted(connection, rows) if rows else (), is_whole=len(rows) < BATCH)

    def _begin(self, transaction: Transaction) -> int:
        connection = transaction.connection
        place = connection.execute(
            select(followers.c.position).where(followers.c.name == self._name)
        ).scalar_one_or_none()
        if place is None:
            # A follower that is new follows from now on.
            place = message_store.newest_position(connection)
            self._keep(connection, place)
        return place

    def _keep(self, connection: Connection, place: int) -> None:
        connection.execute(delete(followers).where(followers.c.name == self._name))
        connection.execute(insert(followers).values(name=self._name, position=place))
