"""What an admin does about teams from the shell."""

from __future__ import annotations

import trio

from manor import (
    Command,
    Conflict,
    NotFound,
    Team,
    Transaction,
    count_members,
    find_team,
    find_user,
    list_all_teams,
    set_team_active,
)
from manor_topics.domain import read_id
from manor_topics.parts import Shared
from manor_topics.teams.commands import DeleteTeam, ListTeams, SetTeamActive, ShowTeam, TeamListed, TeamsListed
from manor_topics.teams.keeping import Keeping

SHELL = "shell"
"""Who acts, in the audit log."""


class TeamCommands:
    """The commands about teams.

    Args:
        shared: What all parts use.
        keeping: Deletes and reactivates.
    """

    def __init__(self, shared: Shared, keeping: Keeping) -> None:
        self._storage = shared.context.storage
        self._audit = shared.context.audit
        self._keeping = keeping

    def all(self) -> list[Command]:
        """For the hook."""
        return [
            Command("teams.list", ListTeams, self.list, returns=TeamsListed),
            Command("teams.show", ShowTeam, self.show, returns=TeamListed),
            Command("teams.set_active", SetTeamActive, self.set_active, returns=TeamListed),
            Command("teams.delete", DeleteTeam, self.delete, returns=TeamListed),
        ]

    async def list(self, arguments: ListTeams) -> TeamsListed:
        """A page of teams, by name."""

        def work(transaction: Transaction) -> TeamsListed:
            page = list_all_teams(transaction, after=arguments.after, limit=arguments.limit)
            return TeamsListed([_listed(transaction, team) for team in page])

        return await self._storage.read(work)

    async def show(self, arguments: ShowTeam) -> TeamListed:
        """One of them.

        Raises:
            NotFound: There is no such team.
        """
        return await self._storage.read(lambda transaction: _listed(transaction, _find(transaction, arguments.team)))

    async def set_active(self, arguments: SetTeamActive) -> TeamListed:
        """Keep a team's members out, or let them in again; nothing is deleted.

        Raises:
            NotFound: There is no such team.
            Conflict: It is so already.
            Forbidden: It cannot be active: its owner's plan has no teams.
        """

        def work(transaction: Transaction) -> TeamListed:
            team = _find(transaction, arguments.team)
            if arguments.is_active:
                return _listed(transaction, self._keeping.activate(transaction, team, actor=SHELL))
            if not team.is_active:
                raise Conflict(f"The team '{team.name}' is deactivated already")
            self._audit.record(transaction, "topics.team_deactivated", actor=SHELL, target=str(team.id))
            return _listed(transaction, set_team_active(transaction, team.id, False))

        return await self._storage.write(work)

    async def delete(self, arguments: DeleteTeam) -> TeamListed:
        """Delete a team; its topics become private ones of its owner, or are deleted too.

        Returns:
            The team as it was.

        Raises:
            NotFound: There is no such team.
        """
        shown = await self.show(ShowTeam(arguments.team))

        def work(transaction: Transaction) -> bool:
            team = _find(transaction, str(shown.id))
            return self._keeping.remove_some(transaction, team, actor=SHELL, delete_topics=arguments.delete_topics)

        while await self._storage.write(work):
            await trio.lowlevel.checkpoint()
        return shown


def _find(transaction: Transaction, reference: str) -> Team:
    # An id first: a team may be called like another one's.
    team_id = read_id(reference)
    team = None if team_id is None else find_team(transaction, team_id=team_id)
    team = team or find_team(transaction, name=reference)
    if team is None:
        raise NotFound(f"There is no team with the id or name {reference[:64]!r}")
    return team


def _listed(transaction: Transaction, team: Team) -> TeamListed:
    owner = find_user(transaction, user_id=team.owner_id)
    return TeamListed(
        id=team.id,
        name=team.name,
        display_name=team.display_name,
        owner=owner.username if owner is not None else "",
        member_count=count_members(transaction, team.id),
        is_active=team.is_active,
    )
