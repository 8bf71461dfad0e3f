"""The tag channels: who is in a channel, what they may do there, and how they hear of it."""

from __future__ import annotations

from typing import Any

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.channels import joining, settings
from manor_chat.channels.making import require_team
from manor_chat.http.answers import STATUS_OK, answer, etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import PageQuery, id_member, id_members, id_param, user_param
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.channel_lists import memberships_of
from manor_chat.store.channel_views import list_members, members_among
from manor_chat.store.channels import ChannelMember, find_member
from manor_chat.wire.channels import ChannelMemberShown, show_channel_member

_MOST_AT_ONCE = 256


class WantedMember(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to be in a channel: one, or several; and the post that the post which says so answers."""

    user_id: str = ""
    user_ids: list[str] = []
    post_root_id: str = ""


class WantedRoles(msgspec.Struct, frozen=True):
    """Names of roles."""

    roles: str


class SchemeRoles(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is in a channel; everybody is its user."""

    scheme_admin: bool
    scheme_user: bool


class MemberHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def page(self, request: Request[None, PageQuery]) -> Reply:
        """A page of a channel's members."""
        channel_id, page = id_param(request, "channel_id"), request.query

        def work(transaction: Transaction, rights: Rights) -> list[ChannelMember]:
            channel = rights.readable_channel(channel_id)
            return list_members(transaction, channel.id, limit=page.limit, offset=page.offset)

        return etagged(request, [show_channel_member(each) for each in await self._shared.read(request, work)])

    async def by_ids(self, request: Request[list[str]]) -> Reply:
        """Those of some people who are in a channel."""
        channel_id, ids = id_param(request, "channel_id"), id_members(request.body, "user_ids")

        def work(transaction: Transaction, rights: Rights) -> Any:
            return members_among(transaction, rights.readable_channel(channel_id).id, ids)

        return answer([show_channel_member(each) for each in await self._shared.read(request, work)])

    async def get(self, request: Request) -> ChannelMemberShown:
        """One member of a channel."""
        channel_id, user_id = id_param(request, "channel_id"), user_param(request)

        def work(transaction: Transaction, rights: Rights) -> ChannelMember:
            member = find_member(transaction, rights.readable_channel(channel_id).id, user_id)
            if member is None:
                raise faults.missing_member()
            return member

        return show_channel_member(await self._shared.read(request, work))

    async def add(self, request: Request[WantedMember]) -> Reply:
        """Have somebody in a channel, or several."""
        channel_id, body = id_param(request, "channel_id"), request.body
        root_id = id_member(body.post_root_id, "post_root_id") if body.post_root_id else None
        if body.user_id:
            ids = [id_member(body.user_id, "user_id")]
        else:
            ids = id_members(body.user_ids, "user_id or user_ids", most=_MOST_AT_ONCE)
        added = await self._shared.write(
            request, lambda transaction, rights: joining.add_people(transaction, rights, channel_id, ids, root_id)
        )
        shown = [show_channel_member(each) for each in added]
        return answer(shown[0] if body.user_id else shown, 201)

    async def remove(self, request: Request) -> Reply:
        """Have somebody out of a channel; oneself leaves."""
        channel_id, user_id = id_param(request, "channel_id"), user_param(request)
        await self._shared.write(
            request, lambda transaction, rights: joining.remove_person(transaction, rights, channel_id, user_id)
        )
        return STATUS_OK

    async def set_roles(self, request: Request[WantedRoles]) -> Reply:
        """Say by their roles what somebody is in a channel."""
        channel_id, user_id, roles = id_param(request, "channel_id"), user_param(request), request.body.roles
        await self._shared.write(
            request, lambda transaction, rights: settings.set_roles(transaction, rights, channel_id, user_id, roles)
        )
        return STATUS_OK

    async def set_scheme_roles(self, request: Request[SchemeRoles]) -> Reply:
        """Say whether somebody leads a channel."""
        channel_id, user_id, is_admin = id_param(request, "channel_id"), user_param(request), request.body.scheme_admin
        if not request.body.scheme_user:
            raise faults.bad_value(
                "api.channel.update_channel_member_roles.unset_user_scheme.app_error", "Every member is channel_user."
            )

        def work(transaction: Transaction, rights: Rights) -> None:
            settings.set_admin(transaction, rights, channel_id, user_id, is_admin=is_admin)

        await self._shared.write(request, work)
        return STATUS_OK

    async def set_notify_props(self, request: Request[dict[str, Any]]) -> Reply:
        """Say how somebody hears of a channel; what is not named stays."""
        channel_id, user_id, props = id_param(request, "channel_id"), user_param(request), request.body

        def work(transaction: Transaction, rights: Rights) -> None:
            settings.set_notify_props(transaction, rights, channel_id, user_id, props)

        await self._shared.write(request, work)
        return STATUS_OK

    async def of_user(self, request: Request) -> Reply:
        """Somebody's part in each of their channels of a team, and of people."""
        user_id, team_id = user_param(request), id_param(request, "team_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            require_team(rights, team_id)
            rights.require_in_team("view_team", team_id)
            rights.require_self(user_id)
            return memberships_of(transaction, user_id, team_id)

        return etagged(request, [show_channel_member(each) for each in await self._shared.read(request, work)])


def member_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = MemberHandlers(shared)
    members, one_member = "/channels/{channel_id}/members", "/channels/{channel_id}/members/{user_id}"

    def one(line: str, handler: object, **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="channels", **more)

    shown, several = ChannelMemberShown, list[ChannelMemberShown]
    return [
        one(f"GET {members}", handlers.page, query=PageQuery, returns=several),
        one(f"POST {members}", handlers.add, body=WantedMember, returns=shown | several, status=201),
        one(f"POST {members}/ids", handlers.by_ids, body=list[str], returns=several),
        one(f"GET {one_member}", handlers.get, returns=shown),
        one(f"DELETE {one_member}", handlers.remove),
        one(f"PUT {one_member}/roles", handlers.set_roles, body=WantedRoles),
        one(f"PUT {one_member}/schemeRoles", handlers.set_scheme_roles, body=SchemeRoles),
        one(f"PUT {one_member}/notify_props", handlers.set_notify_props, body=dict[str, Any]),
        one("GET /users/{user_id}/teams/{team_id}/channels/members", handlers.of_user, returns=several),
    ]
