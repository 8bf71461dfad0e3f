"""Members of teams, and invites into them, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from manor import Member, Request, Route
from manor_topics.http.api import NOTIFER, SIGNED_IN
from manor_topics.http.teams import BODY_LIMIT, people_of
from manor_topics.teams.joining import Joining
from manor_topics.teams.shown import InviteShown, TeamShown


class NewRole(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is to be in a team."""

    role: Literal["admin", "member"]


class WantedInvite(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asked to join, and what they will be."""

    email: str
    role: Literal["admin", "member"] = "member"


class AcceptInvite(msgspec.Struct, frozen=True, kw_only=True):
    """The token of the mail."""

    token: Annotated[str, Meta(max_length=1024)]


class InviteHandlers:
    """One method for each operation.

    Args:
        joining: Keeps members and invites.
    """

    def __init__(self, joining: Joining) -> None:
        self._joining = joining

    async def list_members(self, request: Request) -> Sequence[Member]:
        """Everybody in a team, those who joined first first."""
        return await self._joining.list(request.params["team_id"], people_of(request))

    async def set_role(self, request: Request[NewRole]) -> Member:
        """Make somebody an admin of a team, or a plain member; its owner stays its owner."""
        params = request.params
        return await self._joining.set_role(params["team_id"], params["user_id"], people_of(request), request.body.role)

    async def remove(self, request: Request) -> None:
        """Let somebody out of a team, or leave it oneself; its owner stays in it."""
        await self._joining.remove(request.params["team_id"], request.params["user_id"], people_of(request))

    async def invite(self, request: Request[WantedInvite]) -> InviteShown:
        """Ask somebody to join, by mail; without a mail server the answer has the link."""
        wanted = request.body
        return await self._joining.invite(
            request.params["team_id"], people_of(request), email=wanted.email, role=wanted.role
        )

    async def list_invites(self, request: Request) -> Sequence[InviteShown]:
        """The invites that can be accepted, the newest first."""
        return await self._joining.list_invites(request.params["team_id"], people_of(request))

    async def accept(self, request: Request[AcceptInvite]) -> TeamShown:
        """Join the team that you were asked to join."""
        return await self._joining.accept(request.body.token, people_of(request))

    async def resend(self, request: Request) -> None:
        """Send an invite once more, with another link and a week of its own; the old link opens nothing any more."""
        await self._joining.resend(request.params["invite_id"], people_of(request))

    async def cancel(self, request: Request) -> None:
        """Ask no more: the link opens nothing."""
        await self._joining.cancel(request.params["invite_id"], people_of(request))


def invite_routes(handlers: InviteHandlers) -> list[Route]:
    """Members and invites."""
    members, member = "/api/teams/{team_id}/members", "/api/teams/{team_id}/members/{user_id}"
    invites, invite = "/api/teams/{team_id}/invites", "/api/teams/invites/{invite_id}"
    return [
        Route("GET", members, handlers.list_members, api=NOTIFER, access=SIGNED_IN, returns=list[Member]),
        Route(
            "PATCH",
            member,
            handlers.set_role,
            api=NOTIFER,
            access=SIGNED_IN,
            body=NewRole,
            body_limit=BODY_LIMIT,
            returns=Member,
        ),
        Route("DELETE", member, handlers.remove, api=NOTIFER, access=SIGNED_IN, status=204),
        Route(
            "POST",
            invites,
            handlers.invite,
            api=NOTIFER,
            access=SIGNED_IN,
            body=WantedInvite,
            body_limit=BODY_LIMIT,
            returns=InviteShown,
            status=201,
            errors=(409,),
        ),
        Route("GET", invites, handlers.list_invites, api=NOTIFER, access=SIGNED_IN, returns=list[InviteShown]),
        Route(
            "POST",
            "/api/teams/invites/accept",
            handlers.accept,
            api=NOTIFER,
            access=SIGNED_IN,
            body=AcceptInvite,
            body_limit=BODY_LIMIT,
            returns=TeamShown,
            errors=(404, 409),
        ),
        Route("POST", f"{invite}/resend", handlers.resend, api=NOTIFER, access=SIGNED_IN, status=204),
        Route("DELETE", invite, handlers.cancel, api=NOTIFER, access=SIGNED_IN, status=204),
    ]
