"""What somebody is in a team, and what that lets them do there."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from manor import Forbidden, Member, NotFound, Team, TeamRole, Transaction, find_member, find_team
from manor_topics.domain import read_id

ANYBODY: tuple[TeamRole, ...] = ("owner", "admin", "member")
LEADERS: tuple[TeamRole, ...] = ("owner", "admin")
OWNER: tuple[TeamRole, ...] = ("owner",)

_WHO = {LEADERS: "its owner and its admins", OWNER: "its owner"}


def the_team(transaction: Transaction, reference: str) -> Team:
    """The team of an id as a path has it.

    Raises:
        NotFound: There is none, or that is no id.
    """
    team_id = read_id(reference)
    team = None if team_id is None else find_team(transaction, team_id=team_id)
    if team is None:
        raise NotFound("There is no such team")
    return team


def standing(
    transaction: Transaction, team: Team, people: Sequence[UUID], roles: Sequence[TeamRole] = ANYBODY
) -> Member:
    """Who of the people that ask acts in a team: the first who is one of `roles` there.

    A team that is deactivated is there for its owner alone.

    Raises:
        Forbidden: None of them is in it, or none may do this.
    """
    theirs = [member for person in people if (member := find_member(transaction, team.id, person)) is not None]
    if not theirs:
        raise Forbidden("You are not in this team")
    if not team.is_active:
        theirs = [member for member in theirs if member.role == "owner"]
        if not theirs:
            raise Forbidden(f"The team '{team.name}' is deactivated")
    acting = next((member for member in theirs if member.role in roles), None)
    if acting is None:
        raise Forbidden(f"In the team '{team.name}' this is for {_WHO[tuple(roles)]}")
    return acting
