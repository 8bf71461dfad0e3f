"""Teams over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

from manor import Part, Route
from manor_chat.http.own_teams import own_team_routes
from manor_chat.http.team_members import team_member_routes
from manor_chat.http.team_roles import team_role_routes
from manor_chat.http.teams import team_routes
from manor_chat.parts import Shared


class Teams(Part):
    """Making teams, being in them, asking others into them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def routes(self) -> Sequence[Route]:
        """Operations."""
        areas = (team_routes, team_member_routes, team_role_routes, own_team_routes)
        return [route for area in areas for route in area(self._shared)]
