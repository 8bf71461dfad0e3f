"""What the shell says to the house about teams, and what the house answers."""

from __future__ import annotations

from uuid import UUID

import msgspec


class ListTeams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A page behind a name."""

    after: str = ""
    limit: int = 1000


class TeamListed(msgspec.Struct, frozen=True, kw_only=True):
    """A team; `owner` is a username, "" when they are gone."""

    id: UUID
    name: str
    display_name: str
    owner: str
    member_count: int
    is_active: bool


class TeamsListed(msgspec.Struct, frozen=True):
    """A page of teams, by name; an empty one is the last."""

    teams: list[TeamListed]


class SetTeamActive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team, by name or id, and what it is to be."""

    team: str
    is_active: bool


class ShowTeam(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team, by name or id."""

    team: str


class DeleteTeam(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A team, by name or id, and whether its topics are deleted too."""

    team: str
    delete_topics: bool = False
