"""Reading: topics, their history, and where a stream begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from manor import LiveService, Principal, Storage, Transaction, Unauthorized
from manor_topics import message_store, store
from manor_topics.callers import Caller, Callers
from manor_topics.catalog import Catalog
from manor_topics.config import TopicsConfig
from manor_topics.domain import Topic
from manor_topics.live import connection_count
from manor_topics.messages import History, TopicListed, TopicMine, TopicShown
from manor_topics.rights import can_manage, check_read, missing
from manor_topics.since import Since, SinceBeginning, SinceMessage, SinceNewest, SinceTime


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream begins: the position its replay follows (None for no replay), and whether something is lost."""

    cursor: int | None
    has_gap: bool = False


class Reading:
    """Answers questions about topics and their messages."""

    def __init__(
        self,
        storage: Storage,
        catalog: Catalog,
        callers: Callers,
        live: LiveService,
        config: Callable[[], TopicsConfig],
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._callers = callers
        self._live = live
        self._config = config

    async def topic(self, reference: str, principals: Sequence[Principal]) -> Topic:
        """The topic of that name or id, if the caller may read it.

        Raises:
            Refused: 404 when there is none, otherwise as `rights.check_read`.
        """
        topic, _ = await self.open(reference, principals)
        return topic

    async def open(self, reference: str, principals: Sequence[Principal]) -> tuple[Topic, Caller]:
        """The same, with who asks.

        Raises:
            Refused: As `topic`.
        """
        topic = await self.find(reference)
        caller = await self._callers.find(principals)
        check_read(topic, caller, self._config())
        return topic, caller

    async def find(self, reference: str) -> Topic:
        """The topic of that name or id, whoever asks.

        Raises:
            NotFound: There is none.
        """
        topic = await self._catalog.find(reference)
        if topic is None:
            raise missing(reference)
        return topic

    async def show(self, reference: str, principals: Sequence[Principal]) -> TopicShown:
        """A topic with its counters.

        Raises:
            Refused: As `topic`.
        """
        topic, caller = await self.open(reference, principals)
        return await self.shown(topic, caller)

    async def shown(self, topic: Topic, caller: Caller) -> TopicShown:
        """A topic that the caller may read, with its counters.

        Raises:
            NotFound: It is gone by now.
        """
        listed = await self._storage.read(lambda transaction: store.find_listed(transaction.connection, topic.id))
        if listed is None:
            raise missing(topic.name)
        return TopicShown(
            **{name: getattr(listed, name) for name in TopicListed.__struct_fields__},
            connection_count=connection_count(self._live, topic.id),
            can_manage=can_manage(topic, caller),
        )

    async def list_topics(self, principals: Sequence[Principal], *, limit: int, offset: int) -> list[TopicListed]:
        """The topics that the caller may read, as far as the admin lets them be listed.

        Raises:
            Unauthorized: Lists are for those with a credential here.
        """
        if self._config().listing == "authenticated" and not principals:
            raise Unauthorized("Listing topics needs a credential here")
        caller = await self._callers.find(principals)
        return await self._storage.read(
            lambda transaction: store.list_topics(
                transaction.connection,
                discoverable_only=self._config().listing == "discoverable",
                owners=caller.people,
                teams=caller.teams,
                reads_all=caller.is_admin,
                limit=limit,
                offset=offset,
            )
        )

    async def list_mine(self, principals: Sequence[Principal], *, limit: int, offset: int) -> list[TopicMine]:
        """The topics that the caller owns, and those of teams that they own or administer."""
        caller = await self._callers.find(principals)
        found = await self._storage.read(
            lambda transaction: store.list_of(
                transaction.connection,
                owners=caller.people,
                teams=caller.managed_teams,
                limit=limit,
                offset=offset,
            )
        )
        return [TopicMine(**{name: getattr(topic, name) for name in TopicListed.__struct_fields__}) for topic in found]

    async def list_public(self, *, limit: int, offset: int) -> list[TopicListed]:
        """The topics that are meant to be found: public and discoverable."""
        return await self._storage.read(
            lambda transaction: store.list_topics(
                transaction.connection,
                discoverable_only=True,
                owners=(),
                teams=(),
                reads_all=False,
                limit=limit,
                offset=offset,
            )
        )

    async def history(self, topic: Topic, since: Since | None, *, limit: int) -> History:
        """A page of messages: the newest first, or, with `since`, those strictly after it, oldest first."""

        def work(transaction: Transaction) -> History:
            connection, now = transaction.connection, transaction.now
            if since is None:
                found = message_store.newest_messages(connection, topic, now=now, limit=limit)
            else:
                after, _ = _position_after(connection, topic.id, since, now)
                # Nobody knows the message any more: all that is kept came after it, as far as anyone can tell.
                rows = message_store.messages_after(connection, topic, after or 0, now=now, limit=limit)
                found = [message for _, message in rows]
            return History(messages=found, topic=topic.name, count=len(found))

        return await self._storage.read(work)

    async def start(self, topic: Topic, since: Since | None) -> Start:
        """Where a stream begins. A message that nobody knows any more has the newest `replay_max` repeated."""
        if since is None:
            return Start(None)

        def work(transaction: Transaction) -> Start:
            connection, now = transaction.connection, transaction.now
            position, is_known = _position_after(connection, topic.id, since, now)
            if is_known:
                return Start(position)
            most = self._config().replay_max
            return Start(message_store.position_before_newest(connection, topic.id, most, now=now), has_gap=True)

        return await self._storage.read(work)


def _position_after(connection: Connection, topic_id: UUID, since: Since, now: datetime) -> tuple[int, bool]:
    """The position after which to read, and whether `since` was understood: the message may be unknown."""
    match since:
        case SinceBeginning():
            return 0, True
        case SinceNewest():
            return message_store.position_before_newest(connection, topic_id, 1, now=now), True
        case SinceTime(time):
            return message_store.position_at(connection, topic_id, time), True
        case SinceMessage(id_):
            position = message_store.position_of(connection, topic_id, id_, now=now)
            return position or 0, position is not None
