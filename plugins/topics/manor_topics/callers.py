"""Who asks: the credentials of a request, and what teams the people behind them are in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from manor import MemberChanged, Principal, Storage, TeamChanged, TeamDeleted, TeamRole, UserErased, roles_of

MOST_PEOPLE = 10_000

Roles = Mapping[UUID, TeamRole]
"""Somebody's part in each of their active teams."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something; what any of the credentials allows is allowed.

    Args:
        principals: What the credentials of the request stand for, in the order in which they count.
        roles: What the people among them are in their teams.
    """

    principals: Sequence[Principal] = ()
    roles: Mapping[UUID, Roles] = field(default_factory=dict)

    @property
    def is_anonymous(self) -> bool:
        """Whether there was no credential at all."""
        return not self.principals

    @property
    def is_admin(self) -> bool:
        """Whether one of them administers this server."""
        return any(principal.is_admin for principal in self.principals)

    @property
    def people(self) -> Sequence[UUID]:
        """The people among them."""
        return [principal.user_id for principal in self.principals if principal.user_id is not None]

    @property
    def teams(self) -> Sequence[UUID]:
        """The teams that one of the people is in."""
        return [team_id for roles in self.roles.values() for team_id in roles]

    @property
    def managed_teams(self) -> Sequence[UUID]:
        """The teams that one of the people owns or administers."""
        return [team_id for roles in self.roles.values() for team_id, role in roles.items() if role != "member"]

    def only(self, principals: Sequence[Principal]) -> Caller:
        """The same request with fewer of its credentials."""
        return self if len(principals) == len(self.principals) else Caller(principals, self.roles)

    def role_in(self, principal: Principal, team_id: UUID | None) -> TeamRole | None:
        """What the person behind one of the credentials is in a team; None when they are not in it."""
        if team_id is None or principal.user_id is None:
            return None
        return self.roles.get(principal.user_id, {}).get(team_id)


NOBODY = Caller()


class Callers:
    """Knows people's teams, read from storage when first asked for.

    Args:
        storage: Where teams stand.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[UUID, Roles] = {}
        self._changes = 0

    def known(self, principals: Sequence[Principal]) -> Caller | None:
        """The caller, if everything about them is in memory."""
        if not principals:
            return NOBODY
        roles: dict[UUID, Roles] = {}
        for principal in principals:
            if principal.user_id is None:
                continue
            theirs = self._known.get(principal.user_id)
            if theirs is None:
                return None
            roles[principal.user_id] = theirs
        return Caller(principals, roles)

    async def find(self, principals: Sequence[Principal]) -> Caller:
        """The caller."""
        caller = self.known(principals)
        if caller is not None:
            return caller
        people, changes = list(_people(principals)), self._changes
        roles = await self._storage.read(
            lambda transaction: {person: roles_of(transaction, person) for person in people}
        )
        # Something changed during the read: what it saw may be old already, so it is used and not kept.
        if changes == self._changes:
            if len(self._known) >= MOST_PEOPLE:
                self._known.clear()
            self._known.update(roles)
        return Caller(principals, roles)

    # --- INLINE ----------------------------------------------------------------------------------------------------

    def forget_member(self, changed: MemberChanged) -> None:
        """Somebody came into a team, left it, or is something else in it."""
        self._changes += 1
        self._known.pop(changed.user_id, None)

    def forget_person(self, erased: UserErased) -> None:
        """Somebody is gone."""
        self._changes += 1
        self._known.pop(erased.user_id, None)

    def forget_team(self, changed: TeamChanged | TeamDeleted) -> None:
        """A team was switched off or on, or is gone: rare enough to read everybody's anew."""
        self._changes += 1
        self._known.clear()


def _people(principals: Sequence[Principal]) -> Iterable[UUID]:
    return {principal.user_id for principal in principals if principal.user_id is not None}
