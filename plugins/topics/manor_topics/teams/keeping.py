"""Teams as their members see them: made, described, deactivated and on again, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
import trio
from msgspec import UNSET, UnsetType

from manor import (
    UNLIMITED,
    Conflict,
    Forbidden,
    Team,
    Transaction,
    Unauthorized,
    User,
    count_seats,
    create_team,
    delete_team,
    find_member,
    find_user,
    list_teams,
    set_team_active,
    update_team,
)
from manor_topics.parts import Shared
from manor_topics.payers import Payer
from manor_topics.teams.parting import part_with
from manor_topics.teams.shown import TeamDetailed, TeamShown, TeamStats, show_all, show_team
from manor_topics.teams.standing import LEADERS, OWNER, standing, the_team


class WantedTeam(msgspec.Struct, frozen=True, kw_only=True):
    """A team that somebody wants; they own it."""

    name: str
    display_name: str
    description: str | None = None


class TeamChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be otherwise; what is left out stays as it is, and so does the name."""

    display_name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class Keeping:
    """Keeps teams.

    In all methods, `people` are those who ask, in the order in which they count, and a team's `reference` is its id.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._storage = shared.context.storage
        self._audit = shared.context.audit
        self._tiers = shared.context.tiers

    async def list(self, people: Sequence[UUID]) -> Sequence[TeamShown]:
        """The active teams that they are in, by name."""
        return await self._storage.read(lambda transaction: _teams(transaction, people, is_active=True))

    async def list_deactivated(self, people: Sequence[UUID]) -> Sequence[TeamShown]:
        """The deactivated teams that they own, by name."""
        return await self._storage.read(lambda transaction: _teams(transaction, people, is_active=False))

    async def stats(self, user_id: UUID) -> TeamStats:
        """What somebody's plan has for teams, and how much of it is used."""

        def work(transaction: Transaction) -> tuple[User, int]:
            return _somebody(transaction, user_id), count_seats(transaction, user_id)

        user, used = await self._storage.read(work)
        seats = self._tiers.limit("base_members", user.tier)
        return TeamStats(
            base_members=seats or UNLIMITED,
            additional_members=0,
            used_members=used,
            total_members=seats or UNLIMITED,
            available_members=max(0, seats - used) if seats else UNLIMITED,
            percentage_used=round(used / (seats or UNLIMITED) * 100, 1),
            daily_message_limit=self._tiers.limit("daily_messages", user.tier) or UNLIMITED,
            message_retention_days=self._tiers.limit("retention_days", user.tier) or UNLIMITED,
        )

    async def create(self, user_id: UUID, wanted: WantedTeam) -> TeamShown:
        """Make somebody's team.

        Raises:
            Unprocessable: A value cannot be taken.
            Forbidden: Their plan has no teams.
            Conflict: The name is taken.
        """

        def work(transaction: Transaction) -> TeamShown:
            self._check_plan(_somebody(transaction, user_id))
            team = create_team(transaction, user_id, **msgspec.structs.asdict(wanted))
            self._audit.record(transaction, "topics.team_made", actor=str(user_id), target=str(team.id))
            return show_team(transaction, team, "owner")

        return await self._storage.write(work)

    async def show(self, reference: str, people: Sequence[UUID]) -> TeamDetailed:
        """A team with everybody in it.

        Raises:
            NotFound: There is no such team.
            Forbidden: They are not in it, or it is deactivated and not theirs.
        """

        def work(transaction: Transaction) -> TeamDetailed:
            team = the_team(transaction, reference)
            return show_all(transaction, team, standing(transaction, team, people).role)

        return await self._storage.read(work)

    async def change(self, reference: str, people: Sequence[UUID], changes: TeamChanges) -> TeamDetailed:
        """Change how a team describes itself.

        Raises:
            NotFound: There is no such team.
            Forbidden: It is not theirs to change.
            Unprocessable: A value cannot be taken.
        """

        def work(transaction: Transaction) -> TeamDetailed:
            team = the_team(transaction, reference)
            acting = standing(transaction, team, people, LEADERS)
            changed = update_team(
                transaction,
                team.id,
                display_name=None if changes.display_name is UNSET else changes.display_name,
                description=changes.description,
            )
            return show_all(transaction, changed, acting.role)

        return await self._storage.write(work)

    async def reactivate(self, reference: str, people: Sequence[UUID]) -> TeamShown:
        """Switch a team on again.

        Raises:
            NotFound: There is no such team.
            Forbidden: It is not theirs, or their plan has no teams.
            Conflict: It is active.
        """

        def work(transaction: Transaction) -> TeamShown:
            team = the_team(transaction, reference)
            acting = standing(transaction, team, people, OWNER)
            return show_team(transaction, self.activate(transaction, team, actor=str(acting.user_id)), "owner")

        return await self._storage.write(work)

    def activate(self, transaction: Transaction, team: Team, *, actor: str) -> Team:
        """Switch a team on again, if its owner's plan has teams.

        Raises:
            Conflict: It is active.
            Forbidden: The plan has none.
        """
        if team.is_active:
            raise Conflict(f"The team '{team.name}' is active")
        owner = find_user(transaction, user_id=team.owner_id)
        if owner is None:
            raise Forbidden(f"The owner of the team '{team.name}' is gone")
        self._check_plan(owner)
        self._audit.record(transaction, "topics.team_reactivated", actor=actor, target=str(team.id))
        return set_team_active(transaction, team.id, True)

    async def delete(self, reference: str, people: Sequence[UUID], *, delete_topics: bool) -> None:
        """Delete a team; its topics become private ones of its owner, or are deleted too.

        Many topics go before it, a few at a time: whoever is interrupted asks again.

        Raises:
            NotFound: There is no such team.
            Forbidden: It is not theirs.
        """

        def work(transaction: Transaction) -> bool:
            team = the_team(transaction, reference)
            acting = standing(transaction, team, people, OWNER)
            return self.remove_some(transaction, team, actor=str(acting.user_id), delete_topics=delete_topics)

        while await self._storage.write(work):
            await trio.lowlevel.checkpoint()

    def remove_some(self, transaction: Transaction, team: Team, *, actor: str, delete_topics: bool) -> bool:
        """Take some topics out of a team, and delete the team with the last of them; whether it is still there."""
        parts = self._shared.parts
        if part_with(transaction, team.id, parts, owner_id=team.owner_id, deletes=delete_topics):
            return True
        detail = {"delete_topics": delete_topics}
        self._audit.record(transaction, "topics.team_deleted", actor=actor, target=str(team.id), detail=detail)
        delete_team(transaction, team.id)
        return False

    def _check_plan(self, owner: User) -> None:
        self._shared.payers.check_allowed("teams", Payer(owner.id, owner.tier), "Teams")


def _teams(transaction: Transaction, people: Sequence[UUID], *, is_active: bool) -> list[TeamShown]:
    """Active teams of members, deactivated ones of their owners."""
    found: dict[UUID, TeamShown] = {}
    for person in people:
        for team in list_teams(transaction, person):
            member = find_member(transaction, team.id, person)
            if member is None or team.id in found or team.is_active != is_active:
                continue
            if is_active or member.role == "owner":
                found[team.id] = show_team(transaction, team, member.role)
    return sorted(found.values(), key=lambda team: team.name)


def _somebody(transaction: Transaction, user_id: UUID) -> User:
    user = find_user(transaction, user_id=user_id)
    if user is None:
        raise Unauthorized("This account is gone")
    return user
