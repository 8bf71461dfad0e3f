"""What becomes of the topics of a team that goes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import msgspec

from manor import SYSTEM_ID, Storage, TeamDeleted, Transaction, find_team, find_user
from manor_topics import store
from manor_topics.changing import update_topic
from manor_topics.deleting import delete_topic
from manor_topics.domain import Topic
from manor_topics.parts import Part

AT_ONCE = 50
"""Topics of one transaction: publishing waits for no more than these."""


def part_with(
    transaction: Transaction, team_id: UUID, parts: Sequence[Part], *, owner_id: UUID | None, deletes: bool
) -> bool:
    """Take some of a team's topics out of it: they become somebody's private ones, or are deleted.

    Args:
        transaction: A writing one.
        team_id: The team, which may be gone already.
        parts: Of the plugin: each forgets what it has of a topic that is deleted.
        owner_id: Whose they are from now on; None leaves each with its owner, and deletes what has none any more.
        deletes: Whether they are deleted.

    Returns:
        Whether there may be more of them.
    """
    found = store.of_team(transaction.connection, team_id, AT_ONCE)
    for topic in found:
        whose = _living(transaction, topic) if owner_id is None else owner_id
        if deletes or whose is None:
            delete_topic(transaction, topic, parts)
        else:
            update_topic(transaction, topic, _private(topic, whose))
    return len(found) == AT_ONCE


def _private(topic: Topic, owner_id: UUID) -> Topic:
    return msgspec.structs.replace(
        topic, owner_id=owner_id, team_id=None, access_level="private", is_discoverable=False
    )


def _living(transaction: Transaction, topic: Topic) -> UUID | None:
    is_there = topic.owner_id == SYSTEM_ID or find_user(transaction, user_id=topic.owner_id) is not None
    return topic.owner_id if is_there else None


class Parting:
    """Finds topics whose team went without a word to this API; they become their owners' own.

    Args:
        storage: Where topics are.
        parts: Of the plugin.
    """

    def __init__(self, storage: Storage, parts: Sequence[Part]) -> None:
        self._storage = storage
        self._parts = parts

    async def hear(self, gone: TeamDeleted) -> None:
        """A team was deleted, however. For a DURABLE subscription."""
        await self._part(gone.team_id)

    async def run(self) -> None:
        """Look for teams that were deleted while nobody heard of it, because this plugin was disabled."""
        for team_id in await self._storage.read(_missing):
            await self._part(team_id)

    async def _part(self, team_id: UUID) -> None:
        work = partial(part_with, team_id=team_id, parts=self._parts, owner_id=None, deletes=False)
        while await self._storage.write(work):
            pass


def _missing(transaction: Transaction) -> Sequence[UUID]:
    named = store.teams_with_topics(transaction.connection)
    return [team_id for team_id in named if find_team(transaction, team_id=team_id) is None]
