"""Teams over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from manor import Request, Route, Unauthorized
from manor_topics.http.api import NOTIFER, SIGNED_IN
from manor_topics.rights import in_scope
from manor_topics.teams.keeping import Keeping, TeamChanges, WantedTeam
from manor_topics.teams.shown import TeamDetailed, TeamShown, TeamStats

BODY_LIMIT = 16_384
SCOPE = "teams"


class DeleteQuery(msgspec.Struct, frozen=True):
    """Whether the team's topics are deleted, too; else they become private ones of its owner."""

    delete_topics: bool = False


def people_of(request: Request[Any, Any]) -> list[UUID]:
    """The people whose credentials may act for them in teams, in the order in which they count; at least one.

    Raises:
        Forbidden: No credential carries the scope.
    """
    people = [each.user_id for each in in_scope(request.principals, SCOPE) if each.user_id is not None]
    if not people:
        raise Unauthorized("Teams are made of people")
    return people


class TeamHandlers:
    """One method for each operation.

    Args:
        keeping: Keeps teams.
    """

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping

    async def list(self, request: Request) -> Sequence[TeamShown]:
        """The active teams that you are in."""
        return await self._keeping.list(people_of(request))

    async def stats(self, request: Request) -> TeamStats:
        """What your plan has for teams, and how much of it is used; what has no limit is 2147483647."""
        return await self._keeping.stats(people_of(request)[0])

    async def list_deactivated(self, request: Request) -> Sequence[TeamShown]:
        """The deactivated teams that you own."""
        return await self._keeping.list_deactivated(people_of(request))

    async def create(self, request: Request[WantedTeam]) -> TeamShown:
        """Make a team; you own it."""
        return await self._keeping.create(people_of(request)[0], request.body)

    async def show(self, request: Request) -> TeamDetailed:
        """A team that you are in, with everybody in it."""
        return await self._keeping.show(request.params["team_id"], people_of(request))

    async def change(self, request: Request[TeamChanges]) -> TeamDetailed:
        """Change how a team describes itself; what is left out stays as it is."""
        return await self._keeping.change(request.params["team_id"], people_of(request), request.body)

    async def delete(self, request: Request[None, DeleteQuery]) -> None:
        """Delete a team; its topics become private ones of its owner, or are deleted too."""
        delete_topics = request.query.delete_topics
        await self._keeping.delete(request.params["team_id"], people_of(request), delete_topics=delete_topics)

    async def reactivate(self, request: Request) -> TeamShown:
        """Switch a deactivated team on again."""
        return await self._keeping.reactivate(request.params["team_id"], people_of(request))


def team_routes(handlers: TeamHandlers) -> list[Route]:
    """List, create, show, change, delete, reactivate."""
    path = "/api/teams"
    return [
        Route("GET", path, handlers.list, api=NOTIFER, access=SIGNED_IN, returns=list[TeamShown]),
        Route("GET", f"{path}/stats", handlers.stats, api=NOTIFER, access=SIGNED_IN, returns=TeamStats),
        Route(
            "GET",
            f"{path}/deactivated",
            handlers.list_deactivated,
            api=NOTIFER,
            access=SIGNED_IN,
            returns=list[TeamShown],
        ),
        Route(
            "POST",
            path,
            handlers.create,
            api=NOTIFER,
            access=SIGNED_IN,
            body=WantedTeam,
            body_limit=BODY_LIMIT,
            returns=TeamShown,
            status=201,
            errors=(409,),
        ),
        Route("GET", f"{path}/{{team_id}}", handlers.show, api=NOTIFER, access=SIGNED_IN, returns=TeamDetailed),
        Route(
            "PATCH",
            f"{path}/{{team_id}}",
            handlers.change,
            api=NOTIFER,
            access=SIGNED_IN,
            body=TeamChanges,
            body_limit=BODY_LIMIT,
            returns=TeamDetailed,
        ),
        Route(
            "DELETE",
            f"{path}/{{team_id}}",
            handlers.delete,
            api=NOTIFER,
            access=SIGNED_IN,
            query=DeleteQuery,
            status=204,
        ),
        Route(
            "POST",
            f"{path}/{{team_id}}/reactivate",
            handlers.reactivate,
            api=NOTIFER,
            access=SIGNED_IN,
            returns=TeamShown,
            errors=(409,),
        ),
    ]
