"""Teams whose owner's plan has none any more: they are deactivated, and nothing of them is deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from uuid import UUID

import trio

from manor import (
    Refused,
    Team,
    TeamChanged,
    Transaction,
    UserChanged,
    find_team,
    find_user,
    list_all_teams,
    list_teams,
    set_team_active,
)
from manor_topics.parts import Shared

EVERY_SECONDS = 60.0
"""How often plans are looked at that a reload may have changed; people and teams that change are heard at once."""

PAGE = 200

MOST_HEARD = 1000
"""People and teams that are looked at one by one; when more have changed at once, all teams are."""


class Lapsing:
    """Deactivates teams.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._context = shared.context
        self._tiers = shared.context.tiers
        self._storage = shared.context.storage
        self._people: set[UUID] = set()
        self._teams: set[UUID] = set()
        self._bell = trio.Event()
        self._seen: frozenset[str] | None = None

    async def run(self) -> None:
        """Until cancelled. A full disk is no reason to give up: all teams are looked at again then."""
        while True:
            try:
                await self._look()
            except Refused as refused:
                self._seen = None
                self._context.log.warning("teams are not deactivated for now", reason=refused.detail)
            with trio.move_on_after(EVERY_SECONDS):
                await self._bell.wait()
            self._bell = trio.Event()

    # --- INLINE ----------------------------------------------------------------------------------------------------

    def hear_person(self, changed: UserChanged) -> None:
        """Somebody may have another plan."""
        self._people.add(changed.user_id)
        self._bell.set()

    def hear_team(self, changed: TeamChanged) -> None:
        """A team may have another owner, or be active again."""
        self._teams.add(changed.team_id)
        self._bell.set()

    # --- What is looked at -----------------------------------------------------------------------------------------

    async def _look(self) -> None:
        people, self._people = self._people, set()
        teams, self._teams = self._teams, set()
        with_teams = frozenset(tier for tier in self._tiers.names if self._tiers.limit("teams", tier))
        if with_teams != self._seen or len(people) + len(teams) > MOST_HEARD:
            await self._look_at_all()
            self._seen = with_teams
        elif people or teams:
            found = await self._storage.read(partial(self._changed, people=people, teams=teams))
            await self._deactivate(found)

    async def _look_at_all(self) -> None:
        after = ""
        while page := await self._storage.read(partial(list_all_teams, after=after, limit=PAGE)):
            await self._deactivate(await self._storage.read(partial(self._lapsed, teams=page)))
            after = page[-1].name

    def _changed(self, transaction: Transaction, people: Collection[UUID], teams: Collection[UUID]) -> Sequence[UUID]:
        return self._lapsed(transaction, [*_owned(transaction, people), *_found(transaction, teams)])

    def _lapsed(self, transaction: Transaction, teams: Sequence[Team]) -> Sequence[UUID]:
        return [team.id for team in teams if team.is_active and not self._has_teams(transaction, team.owner_id)]

    def _has_teams(self, transaction: Transaction, owner_id: UUID) -> bool:
        owner = find_user(transaction, user_id=owner_id)
        # Nobody's: it is handed over or deleted soon.
        return owner is None or owner.is_system or bool(self._tiers.limit("teams", owner.tier))

    async def _deactivate(self, team_ids: Sequence[UUID]) -> None:
        if not team_ids:
            return

        def work(transaction: Transaction) -> None:
            for team_id in self._lapsed(transaction, [*_found(transaction, team_ids)]):
                set_team_active(transaction, team_id, False)
                detail = {"because": "plan"}
                self._context.audit.record(
                    transaction, "topics.team_deactivated", actor="manor", target=str(team_id), detail=detail
                )

        await self._storage.write(work)


def _owned(transaction: Transaction, people: Collection[UUID]) -> Iterator[Team]:
    for person in people:
        yield from (team for team in list_teams(transaction, person) if team.owner_id == person)


def _found(transaction: Transaction, team_ids: Collection[UUID]) -> Iterator[Team]:
    for team_id in team_ids:
        if (team := find_team(transaction, team_id=team_id)) is not None:
            yield team
