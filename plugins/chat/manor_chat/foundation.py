"""What the other areas stand on: the tables, the events, and what every team has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select

from manor import Delivery, Event, Lifespan, Migration, Part, Subscription, Transaction, teams_table
from manor_chat.events import EVENTS
from manor_chat.migrations.first import STEPS
from manor_chat.parts import Shared
from manor_chat.tables.people import teams
from manor_chat.teams.keeping import keep_member, keep_team


class TeamSeen(msgspec.Struct, frozen=True):
    """Of `identity.team_changed`."""

    team_id: UUID


class MemberSeen(msgspec.Struct, frozen=True):
    """Of `identity.member_changed`."""

    team_id: UUID
    user_id: UUID


class Foundation(Part):
    """Keeps teams that were made elsewhere: by another API, or before chat was switched on."""

    def __init__(self, shared: Shared) -> None:
        self._storage = shared.storage

    def migrations(self) -> Sequence[Migration]:
        """The tables that areas share."""
        return STEPS

    def event_types(self) -> Sequence[type[Event]]:
        """All that chat tells."""
        return EVENTS

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """Teams and their members, whoever changed them."""
        return [
            Subscription("identity.team_changed", TeamSeen, self._team_changed, Delivery.DURABLE),
            Subscription("identity.member_changed", MemberSeen, self._member_changed, Delivery.DURABLE),
        ]

    def lifespan(self) -> Lifespan:
        """See at the start that every team has what it needs."""

        @asynccontextmanager
        async def open_() -> AsyncIterator[None]:
            for team_id in await self._storage.read(_unkept):
                await self._storage.write(partial(keep_team, team_id=team_id))
            yield

        return open_

    async def _team_changed(self, event: TeamSeen) -> None:
        await self._storage.write(partial(keep_team, team_id=event.team_id))

    async def _member_changed(self, event: MemberSeen) -> None:
        def work(transaction: Transaction) -> None:
            if keep_team(transaction, event.team_id) is not None:
                keep_member(transaction, event.team_id, event.user_id)

        await self._storage.write(work)


def _unkept(transaction: Transaction) -> Sequence[UUID]:
    """Teams that chat knows nothing of."""
    query = select(teams_table.c.id).join(teams, teams.c.team_id == teams_table.c.id, isouter=True)
    return transaction.connection.execute(query.where(teams.c.team_id.is_(None))).scalars().all()
