"""The tag teams: joining by invites, inviting by mail, and the teams of one person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer, etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_param, user_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.people.profiles import existing_person
from manor_chat.people.quotas import take_invites
from manor_chat.rights import Rights
from manor_chat.store.team_members import TeamUnread, find_team_member, team_members_of, unread_of
from manor_chat.store.teams import teams_of
from manor_chat.teams.inviting import Inviting
from manor_chat.teams.managing import join_by_invite_id, join_by_token, several_shown_to, show_member

_MOST_INVITED = 20


class InviteQuery(msgspec.Struct, frozen=True):
    """The token of a letter, or a team's invite id."""

    token: str = ""
    invite_id: str = ""


class InviteForm(msgspec.Struct, frozen=True):
    """What the web app sends in place of a list of addresses.

    Its `channelIds` and `message` mean nothing here: who is new in a team is in its default channels, as whoever joins
    in any other way, and no letter says what a stranger typed.
    """

    emails: list[str]


class GracefulQuery(msgspec.Struct, frozen=True):
    """With `graceful=true` each address has its own outcome."""

    graceful: str = ""


class UnreadQuery(msgspec.Struct, frozen=True):
    """A team that is left out, and whether threads count."""

    exclude_team: str = ""
    include_collapsed_threads: str = ""


class OwnTeamHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._inviting = Inviting(shared)

    async def join(self, request: Request[None, InviteQuery]) -> Reply:
        """Join the team that a letter's token or an invite id leads to."""
        query = request.query
        if not query.token and not query.invite_id:
            raise faults.bad_value(
                "api.team.add_user_to_team.missing_parameter.app_error", "Parameter required to add user to team."
            )

        def work(transaction: Transaction, rights: Rights) -> Any:
            if query.token:
                return show_member(join_by_token(transaction, rights.person, query.token))
            return show_member(join_by_invite_id(transaction, rights.person, query.invite_id))

        return answer(await self._shared.write(request, work), 201)

    async def invite(self, request: Request[list[str] | InviteForm, GracefulQuery]) -> Reply:
        """Ask people into a team by mail."""
        team_id, body = id_param(request, "team_id"), request.body
        asked = body.emails if isinstance(body, InviteForm) else body
        emails = list(dict.fromkeys(email.strip() for email in asked))
        if not 1 <= len(emails) <= _MOST_INVITED:
            raise faults.bad_body_param("user_email")
        is_graceful = request.query.graceful.lower() == "true"
        if request.person is not None and not request.person.is_admin:
            take_invites(self._shared.context.limits, str(request.user_id), len(emails))

        def work(transaction: Transaction, rights: Rights) -> Any:
            team = rights.team(team_id)
            rights.require_in_team("invite_user", team_id)
            rights.require_in_team("add_user_to_team", team_id)
            return self._inviting.invite(transaction, team, emails, by=rights.person, is_graceful=is_graceful)

        outcome = await self._shared.write(request, work)
        return answer(outcome) if is_graceful else STATUS_OK

    async def list_all(self, request: Request) -> Reply:
        """The teams that somebody is in."""
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> Any:
            _seen_person(transaction, rights, user_id)
            return several_shown_to(rights, teams_of(transaction, user_id))

        return etagged(request, await self._shared.read(request, work))

    async def members(self, request: Request) -> Reply:
        """Somebody's parts in their teams."""
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> Any:
            _seen_person(transaction, rights, user_id)
            return [show_member(member) for member in team_members_of(transaction, user_id)]

        return etagged(request, await self._shared.read(request, work))

    async def unread(self, request: Request[None, UnreadQuery]) -> Reply:
        """What somebody has not read, team by team."""
        user_id, query = user_param(request), request.query
        with_threads = query.include_collapsed_threads.lower() == "true"

        def work(transaction: Transaction, rights: Rights) -> Any:
            rights.require_self(user_id)
            unread = unread_of(transaction, user_id, with_threads=with_threads)
            return [
                _unread(unread.get(member.team_id) or TeamUnread(team_id=member.team_id))
                for member in team_members_of(transaction, user_id)
                if shown_id(member.team_id) != query.exclude_team
            ]

        return answer(await self._shared.read(request, work))

    async def unread_in(self, request: Request) -> Reply:
        """What somebody has not read in one team."""
        user_id, team_id = user_param(request), id_param(request, "team_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            rights.team(team_id)
            rights.require_self(user_id)
            if find_team_member(transaction, team_id, user_id) is None:
                raise faults.no_permission()
            found = unread_of(transaction, user_id, with_threads=True).get(team_id)
            return _unread(found or TeamUnread(team_id=team_id))

        return answer(await self._shared.read(request, work))


def _seen_person(transaction: Transaction, rights: Rights, user_id: UUID) -> None:
    if user_id != rights.user_id:
        existing_person(transaction, user_id)
        rights.require("read_other_users_teams")


def _unread(unread: TeamUnread) -> dict[str, Any]:
    shown = msgspec.structs.asdict(unread)
    return shown | {"team_id": shown_id(unread.team_id), "thread_urgent_mention_count": 0}


def own_team_routes(shared: Shared) -> list[Route]:
    """All of them."""
    handlers = OwnTeamHandlers(shared)

    def route(line: str, handler: Any, **more: Any) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="teams", **more)

    return [
        route("POST /teams/members/invite", handlers.join, query=InviteQuery, status=201),
        route("POST /teams/{team_id}/invite/email", handlers.invite, body=list[str] | InviteForm, query=GracefulQuery),
        route("GET /users/{user_id}/teams", handlers.list_all),
        route("GET /users/{user_id}/teams/members", handlers.members),
        route("GET /users/{user_id}/teams/unread", handlers.unread, query=UnreadQuery),
        route("GET /users/{user_id}/teams/{team_id}/unread", handlers.unread_in),
    ]
