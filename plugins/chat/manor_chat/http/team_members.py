"""The tag teams: who is in a team."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from manor import Refused, Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer, etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import PageQuery, id_member, id_members, id_param, user_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.people import Person, find_person
from manor_chat.store.team_members import TeamMemberRow, find_team_member, list_team_members
from manor_chat.store.teams import ChatTeam
from manor_chat.teams.managing import join_several, join_team, leave_team, show_member

_MOST_AT_ONCE = 256


class WantedMember(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be in a team; `team_id` is that of the path."""

    team_id: str = ""
    user_id: str = ""
    roles: str = ""


class GracefulQuery(msgspec.Struct, frozen=True):
    """With `graceful=true` those who cannot be added are told one by one."""

    graceful: str = ""


class TeamMemberHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def list_all(self, request: Request[None, PageQuery]) -> Reply:
        """A page of a team's members, by username."""
        team_id, query = id_param(request, "team_id"), request.query

        def work(transaction: Transaction, rights: Rights) -> Any:
            _seen_team(rights, team_id)
            members = list_team_members(transaction, team_id, offset=query.offset, limit=query.limit)
            return [show_member(member) for member in members]

        return etagged(request, await self._shared.read(request, work))

    async def by_ids(self, request: Request[list[str]]) -> Reply:
        """Those of a team's members who are named."""
        team_id, ids = id_param(request, "team_id"), id_members(request.body, "user_ids")

        def work(transaction: Transaction, rights: Rights) -> Any:
            _seen_team(rights, team_id)
            return [show_member(member) for member in list_team_members(transaction, team_id, ids=ids)]

        return answer(await self._shared.read(request, work))

    async def get(self, request: Request) -> Reply:
        """Somebody's part in a team."""
        team_id, user_id = id_param(request, "team_id"), user_param(request)

        def work(transaction: Transaction, rights: Rights) -> Any:
            _seen_team(rights, team_id)
            member = find_team_member(transaction, team_id, user_id)
            if member is None:
                raise faults.missing_team_member()
            return show_member(member)

        return answer(await self._shared.read(request, work))

    async def add(self, request: Request[WantedMember]) -> Reply:
        """Have somebody in a team: oneself in an open one, others where one may."""
        team_id = id_param(request, "team_id")
        user_id = id_member(request.body.user_id, "user_id")
        if request.body.team_id and id_member(request.body.team_id, "team_id") != team_id:
            raise faults.bad_body_param("team_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            team = rights.team(team_id)
            person = find_person(transaction, user_id)
            if person is None:
                raise faults.missing_user()
            _may_add(rights, team, person)
            return show_member(join_team(transaction, team, person, by=rights.person))

        return answer(await self._shared.write(request, work), 201)

    async def add_several(self, request: Request[list[WantedMember], GracefulQuery]) -> Reply:
        """Have several people in a team: all of them or, with `graceful`, those who can be."""
        team_id = id_param(request, "team_id")
        ids = id_members([member.user_id for member in request.body], "user_id", most=_MOST_AT_ONCE)
        for member in request.body:
            if member.team_id and id_member(member.team_id, "team_id") != team_id:
                raise faults.bad_body_param("team_id")
        is_graceful = request.query.graceful.lower() == "true"

        def work(transaction: Transaction, rights: Rights) -> Any:
            team = rights.team(team_id)
            rights.require_in_team("add_user_to_team", team_id)
            joined = join_several(transaction, team, ids, by=rights.person)
            if is_graceful:
                return [
                    {
                        "user_id": shown_id(each),
                        "member": None if isinstance(member, Refused) else show_member(member),
                        "error": _unjoined(member) if isinstance(member, Refused) else None,
                    }
                    for each, member in joined
                ]
            return [show_member(_joined(member)) for _, member in joined]

        return answer(await self._shared.write(request, work), 201)

    async def remove(self, request: Request) -> Reply:
        """Leave a team, or have somebody out of it."""
        team_id, user_id = id_param(request, "team_id"), user_param(request)

        def work(transaction: Transaction, rights: Rights) -> None:
            rights.team(team_id)
            person = find_person(transaction, user_id)
            if person is None:
                raise faults.missing_user()
            if user_id != rights.user_id:
                rights.require_in_team("remove_user_from_team", team_id)
            leave_team(transaction, team_id, person, by=rights.person)

        await self._shared.write(request, work)
        return STATUS_OK


def _seen_team(rights: Rights, team_id: UUID) -> ChatTeam:
    team = rights.team(team_id)
    rights.require_in_team("view_team", team_id)
    return team


def _may_add(rights: Rights, team: ChatTeam, person: Person) -> None:
    if person.id == rights.user_id:
        kind = "join_public_teams" if team.allow_open_invite else "join_private_teams"
        if not (rights.may(kind) or rights.may_in_team("add_user_to_team", team.id)):
            raise faults.no_permission()
        return
    rights.require_in_team("add_user_to_team", team.id)


def _joined(member: TeamMemberRow | Refused) -> TeamMemberRow:
    if isinstance(member, Refused):
        raise member
    return member


def _unjoined(refused: Refused) -> dict[str, Any]:
    return {"id": refused.code, "message": refused.detail, "detailed_error": "", "status_code": refused.status}


def team_member_routes(shared: Shared) -> list[Route]:
    """All of them."""
    handlers, members = TeamMemberHandlers(shared), "/teams/{team_id}/members"

    def route(line: str, handler: Any, **more: Any) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="teams", **more)

    return [
        route(f"GET {members}", handlers.list_all, query=PageQuery),
        route(f"POST {members}", handlers.add, body=WantedMember, status=201),
        route(f"POST {members}/batch", handlers.add_several, body=list[WantedMember], query=GracefulQuery, status=201),
        route(f"POST {members}/ids", handlers.by_ids, body=list[str]),
        route(f"GET {members}/{{user_id}}", handlers.get),
        route(f"DELETE {members}/{{user_id}}", handlers.remove),
    ]
