"""Making topics."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

from manor import SYSTEM_ID, Conflict, FieldProblem, Storage, Transaction, Unprocessable, new_id
from manor_topics import store
from manor_topics.commands import CreateTopics, TopicsCreated
from manor_topics.domain import AccessLevel, Misfit, Topic, check_description, check_name
from manor_topics.events import TopicCreated

ICON_NAME = "bell"
ICON_COLOR = "blue"


class Creating:
    """Makes topics.

    Args:
        storage: Where they go.
        taken: First path segments of the server's own routes: no topic is called so.
    """

    def __init__(self, storage: Storage, taken: Callable[[], Collection[str]]) -> None:
        self._storage = storage
        self._taken = taken

    async def create_all(self, wanted: CreateTopics) -> TopicsCreated:
        """Make topics that belong to the server itself, all of them or none.

        Raises:
            Unprocessable: A name or the description cannot be taken.
            Conflict: A name is taken.
        """
        is_discoverable = wanted.is_discoverable and wanted.access_level == "public"
        try:
            for name in wanted.names:
                check_name(name, self._taken())
            check_description(wanted.description, is_listed=is_discoverable)
        except Misfit as misfit:
            raise refusal(misfit) from misfit

        def work(transaction: Transaction) -> list[Topic]:
            made = []
            for name in dict.fromkeys(wanted.names):
                if store.find_topic(transaction.connection, name) is not None:
                    raise Conflict(f"There is a topic '{name}' already")
                topic = new_topic(
                    name,
                    owner_id=SYSTEM_ID,
                    access_level=wanted.access_level,
                    description=wanted.description,
                    is_discoverable=is_discoverable,
                    now=transaction.now,
                )
                add(transaction, topic)
                made.append(topic)
            return made

        return TopicsCreated(await self._storage.write(work))

    async def hidden_by(self, segments: Collection[str]) -> list[Topic]:
        """Topics whose paths other routes serve by now: they are reached by id alone."""
        return await self._storage.read(lambda transaction: store.named_like(transaction.connection, segments))


def new_topic(
    name: str,
    *,
    owner_id: UUID,
    access_level: AccessLevel,
    now: datetime,
    description: str | None = None,
    is_discoverable: bool = False,
) -> Topic:
    """A topic as it begins."""
    return Topic(
        id=new_id(),
        name=name,
        owner_id=owner_id,
        team_id=None,
        access_level=access_level,
        description=description,
        is_discoverable=is_discoverable,
        icon_name=ICON_NAME,
        icon_color=ICON_COLOR,
        created_at=now,
    )


def add(transaction: Transaction, topic: Topic) -> None:
    """Store a topic, and say so."""
    store.add_topic(transaction.connection, topic)
    transaction.emit(
        TopicCreated(topic_id=topic.id, topic=topic.name, owner_id=topic.owner_id, access_level=topic.access_level)
    )


def refusal(misfit: Misfit) -> Unprocessable:
    """A 422 about one value."""
    return Unprocessable(str(misfit), errors=[FieldProblem(misfit.field, misfit.reason)])
