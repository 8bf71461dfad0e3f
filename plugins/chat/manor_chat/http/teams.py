"""The tag teams: one team, its settings and its picture."""

from __future__ import annotations

from typing import Any

import msgspec

from manor import PUBLIC, NotFound, Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import answer, etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import MOST_PER_PAGE, PageQuery, id_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.team_lists import list_visible_teams
from manor_chat.store.team_members import count_team
from manor_chat.store.teams import find_team_by_invite, find_team_by_name
from manor_chat.teams.managing import NewTeam, TeamPatch, make_team, may_see, patch_team, several_shown_to, shown_to


class TeamsQuery(PageQuery, frozen=True, kw_only=True):
    """Which teams."""

    include_total_count: str = ""


class TeamSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Teams that are looked for; with `page` and `per_page` the answer counts them, which administrators alone ask."""

    term: str = ""
    page: int | None = None
    per_page: int | None = None
    allow_open_invite: bool | None = None
    group_constrained: bool | None = None
    exclude_policy_constrained: bool | None = None


class TeamHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def make(self, request: Request[NewTeam]) -> Reply:
        """Make a team; whoever makes it leads it."""

        def work(transaction: Transaction, rights: Rights) -> Any:
            if not (self._shared.config.team_creation or rights.person.is_admin):
                raise faults.no_permission()
            rights.require("create_team")
            team = make_team(transaction, rights.person, request.body)
            rights.forget()
            return shown_to(rights, team)

        return answer(await self._shared.write(request, work), 201)

    async def list_all(self, request: Request[None, TeamsQuery]) -> Reply:
        """Teams by name: open ones to everybody, all of them to administrators."""
        query = request.query

        def work(transaction: Transaction, rights: Rights) -> Any:
            rights.require("list_public_teams")
            every = rights.may("list_private_teams")
            teams, total = list_visible_teams(transaction, every=every, offset=query.offset, limit=query.limit)
            shown = several_shown_to(rights, teams)
            return {"teams": shown, "total_count": total} if query.include_total_count.lower() == "true" else shown

        return etagged(request, await self._shared.read(request, work))

    async def search(self, request: Request[TeamSearch]) -> Reply:
        """Teams whose name or display name contains a term."""
        body = request.body
        is_paged = body.page is not None and body.per_page is not None
        pages = PageQuery(page=str(body.page), per_page=str(body.per_page if is_paged else MOST_PER_PAGE))

        def work(transaction: Transaction, rights: Rights) -> Any:
            rights.require("list_public_teams")
            every = rights.may("list_private_teams")
            if is_paged and not every:
                raise faults.switched_off(
                    "api.team.search_teams.pagination_not_implemented.public_team_search",
                    "Pagination not implemented for public-only team search.",
                )
            teams, total = list_visible_teams(
                transaction,
                every=every,
                offset=pages.offset if is_paged else 0,
                limit=pages.limit,
                term=body.term,
                allow_open_invite=body.allow_open_invite,
            )
            shown = several_shown_to(rights, teams)
            return {"teams": shown, "total_count": total} if is_paged else shown

        return answer(await self._shared.read(request, work))

    async def get(self, request: Request) -> Reply:
        """A team."""
        team_id = id_param(request, "team_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            team = rights.team(team_id)
            if not may_see(rights, team):
                raise faults.no_permission()
            return shown_to(rights, team)

        return etagged(request, await self._shared.read(request, work))

    async def get_by_name(self, request: Request) -> Reply:
        """A team by its name."""
        name = request.params["name"]

        def work(transaction: Transaction, rights: Rights) -> Any:
            team = find_team_by_name(transaction, name.lower())
            if team is None:
                raise faults.missing_team()
            if not may_see(rights, team):
                raise faults.no_permission()
            return shown_to(rights, team)

        return etagged(request, await self._shared.read(request, work))

    async def exists(self, request: Request) -> Reply:
        """Whether there is a team of this name that the caller may see."""
        name = request.params["name"]

        def work(transaction: Transaction, rights: Rights) -> bool:
            team = find_team_by_name(transaction, name.lower())
            return team is not None and (may_see(rights, team) or rights.may("list_private_teams"))

        return answer({"exists": await self._shared.read(request, work)})

    async def patch(self, request: Request[TeamPatch]) -> Reply:
        """Change how a team describes itself, and whether it is open."""
        team_id = id_param(request, "team_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            team = rights.team(team_id)
            rights.require_in_team("manage_team", team_id)
            return shown_to(rights, patch_team(transaction, team, request.body))

        return answer(await self._shared.write(request, work))

    async def stats(self, request: Request) -> Reply:
        """How many are in a team."""
        team_id = id_param(request, "team_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            rights.team(team_id)
            rights.require_in_team("view_team", team_id)
            return count_team(transaction, team_id)

        total, active = await self._shared.read(request, work)
        return answer({"team_id": shown_id(team_id), "total_member_count": total, "active_member_count": active})

    async def icon(self, request: Request) -> Reply:
        """A team's picture: none, as none can be set yet."""
        team_id = id_param(request, "team_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            team = rights.team(team_id)
            if not may_see(rights, team):
                raise faults.no_permission()

        await self._shared.read(request, work)
        raise NotFound("Unable to read the team icon file.", code="api.team.get_team_icon.read_file.app_error")

    async def invite_info(self, request: Request) -> Reply:
        """What a team is called that an invite id leads to: for the page of somebody without an account."""
        invite_id = request.params["invite_id"]
        team = await self._shared.storage.read(lambda transaction: find_team_by_invite(transaction, invite_id))
        if team is None or not team.is_active:
            raise faults.missing_team()
        names = {"name": team.name, "display_name": team.display_name, "description": team.description}
        return answer({"id": shown_id(team.id), **names})


def team_routes(shared: Shared) -> list[Route]:
    """All of them."""
    handlers = TeamHandlers(shared)

    def route(line: str, handler: Any, access: Any = SIGNED_IN, **more: Any) -> Route:
        return operation(shared.api, line, handler, access=access, tag="teams", **more)

    return [
        route("GET /teams", handlers.list_all, query=TeamsQuery),
        route("POST /teams", handlers.make, body=NewTeam, status=201),
        route("POST /teams/search", handlers.search, body=TeamSearch, errors=(501,)),
        route("GET /teams/invite/{invite_id}", handlers.invite_info, access=PUBLIC),
        route("GET /teams/name/{name}", handlers.get_by_name),
        route("GET /teams/name/{name}/exists", handlers.exists),
        route("GET /teams/{team_id}", handlers.get),
        route("PUT /teams/{team_id}/patch", handlers.patch, body=TeamPatch),
        route("GET /teams/{team_id}/stats", handlers.stats),
        route("GET /teams/{team_id}/image", handlers.icon),
    ]
