"""The tag teams: who leads one."""

from __future__ import annotations

from typing import Any

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_param, user_param
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.teams.managing import change_role

_ROLES = frozenset({"team_user", "team_admin"})


class WantedRoles(msgspec.Struct, frozen=True):
    """Names of roles."""

    roles: str


class SchemeRoles(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is."""

    scheme_admin: bool
    scheme_user: bool
    scheme_guest: bool = False


class TeamRoleHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def change_roles(self, request: Request[WantedRoles]) -> Reply:
        """Have somebody lead a team, or no more, by the names of roles."""
        names = request.body.roles.split()
        if "team_user" not in names or not _ROLES.issuperset(names):
            raise faults.bad_body_param("team_member_roles")
        return await self._change(request, is_admin="team_admin" in names)

    async def change_scheme_roles(self, request: Request[SchemeRoles]) -> Reply:
        """The same by flags."""
        if not request.body.scheme_user or request.body.scheme_guest:
            raise faults.bad_body_param("scheme_user")
        return await self._change(request, is_admin=request.body.scheme_admin)

    async def _change(self, request: Request[Any, Any], *, is_admin: bool) -> Reply:
        team_id, user_id = id_param(request, "team_id"), user_param(request)

        def work(transaction: Transaction, rights: Rights) -> None:
            rights.team(team_id)
            rights.require_in_team("manage_team_roles", team_id)
            change_role(transaction, team_id, user_id, is_admin=is_admin)

        await self._shared.write(request, work)
        return STATUS_OK


def team_role_routes(shared: Shared) -> list[Route]:
    """By the names of roles, and by flags."""
    handlers, member = TeamRoleHandlers(shared), "/teams/{team_id}/members/{user_id}"

    def route(line: str, handler: Any, **more: Any) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="teams", **more)

    return [
        route(f"PUT {member}/roles", handlers.change_roles, body=WantedRoles),
        route(f"PUT {member}/schemeRoles", handlers.change_scheme_roles, body=SchemeRoles),
    ]
