"""The tag channels: the sidebar's categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.domain.categories import CUSTOM, is_category_id
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, id_param, user_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.sidebar import arranging
from manor_chat.sidebar.arranged import arranged
from manor_chat.sidebar.arranging import WantedCategory
from manor_chat.wire.sidebar import OrderedSidebarCategories, SidebarCategory


class SentCategory(msgspec.Struct, frozen=True, kw_only=True):
    """A category as a client sends it, whole or with what is to be different."""

    id: str = ""
    user_id: str = ""
    team_id: str = ""
    type: str = ""
    display_name: str | UnsetType = UNSET
    sorting: str | UnsetType = UNSET
    muted: bool | UnsetType = UNSET
    collapsed: bool | UnsetType = UNSET
    channel_ids: list[str] | UnsetType | None = UNSET

    def wanted(self, user_id: UUID, team_id: UUID, category_id: str = "") -> WantedCategory:
        """What is asked for.

        Args:
            user_id: Whose the sidebar is.
            team_id: And of which team.
            category_id: Which category; else the one that it names.

        Raises:
            BadRequest: 400: it is of another sidebar, or names what is no channel.
        """
        if self.user_id not in ("", shown_id(user_id)) or self.team_id not in ("", shown_id(team_id)):
            raise faults.bad_body_param("category")
        if category_id and self.id not in ("", category_id):
            raise faults.bad_body_param("category")
        channels: tuple[UUID, ...] | UnsetType = UNSET
        if self.channel_ids is not UNSET:
            channels = tuple(id_member(each, "channel_ids") for each in self.channel_ids or ())
        return WantedCategory(
            id=category_id or self.id,
            display_name=self.display_name,
            sorting=self.sorting,
            muted=self.muted,
            collapsed=self.collapsed,
            channels=channels,
        )


class SidebarHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def get_all(self, request: Request) -> OrderedSidebarCategories:
        """All categories with their channels."""
        user_id, team_id = _whose(request)
        return await self._shared.read(
            request, lambda transaction, rights: arranged(transaction, rights, user_id, team_id).show_all()
        )

    async def create(self, request: Request[SentCategory]) -> SidebarCategory:
        """Make a category."""
        user_id, team_id = _whose(request)
        if request.body.type not in ("", CUSTOM):
            raise faults.bad_body_param("type")
        wanted = request.body.wanted(user_id, team_id)
        return await self._shared.write(
            request, lambda transaction, rights: arranging.create(transaction, rights, user_id, team_id, wanted)
        )

    async def update_all(self, request: Request[list[SentCategory]]) -> Reply:
        """Change several categories: a channel moves by leaving one list and standing in another."""
        user_id, team_id = _whose(request)
        wanted = [each.wanted(user_id, team_id) for each in request.body]
        if not wanted or not all(is_category_id(each.id) for each in wanted):
            raise faults.bad_body_param("category")
        return answer(await self._change(request, wanted))

    async def order(self, request: Request) -> Reply:
        """The categories' ids in their order."""
        user_id, team_id = _whose(request)
        shown = await self._shared.read(
            request, lambda transaction, rights: arranged(transaction, rights, user_id, team_id).show_all()
        )
        return answer(shown.order)

    async def set_order(self, request: Request[list[str]]) -> Reply:
        """Put the categories into another order."""
        user_id, team_id = _whose(request)
        ids = request.body
        return answer(
            await self._shared.write(
                request, lambda transaction, rights: arranging.order(transaction, rights, user_id, team_id, ids)
            )
        )

    async def get(self, request: Request) -> SidebarCategory:
        """One category."""
        user_id, team_id = _whose(request)
        category_id = _category_id(request)

        def work(transaction: Transaction, rights: Rights) -> SidebarCategory:
            sidebar = arranged(transaction, rights, user_id, team_id)
            return sidebar.show(sidebar.category(category_id))

        return await self._shared.read(request, work)

    async def update(self, request: Request[SentCategory]) -> SidebarCategory:
        """Change one category."""
        user_id, team_id = _whose(request)
        (changed,) = await self._change(request, [request.body.wanted(user_id, team_id, _category_id(request))])
        return changed

    async def remove(self, request: Request) -> Reply:
        """Delete a category."""
        user_id, team_id = _whose(request)
        category_id = _category_id(request)
        await self._shared.write(
            request, lambda transaction, rights: arranging.remove(transaction, rights, user_id, team_id, category_id)
        )
        return STATUS_OK

    async def _change(self, request: Request[Any], wanted: Sequence[WantedCategory]) -> list[SidebarCategory]:
        user_id, team_id = _whose(request)
        return await self._shared.write(
            request, lambda transaction, rights: arranging.change(transaction, rights, user_id, team_id, wanted)
        )


def sidebar_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = SidebarHandlers(shared)
    categories = "/users/{user_id}/teams/{team_id}/channels/categories"
    shown, sent = SidebarCategory, SentCategory

    def one(line: str, handler: object, **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="channels", **more)

    return [
        one(f"GET {categories}", handlers.get_all, returns=OrderedSidebarCategories),
        one(f"POST {categories}", handlers.create, body=sent, returns=shown),
        one(f"PUT {categories}", handlers.update_all, body=list[SentCategory], returns=list[SidebarCategory]),
        one(f"GET {categories}/order", handlers.order, returns=list[str]),
        one(f"PUT {categories}/order", handlers.set_order, body=list[str], returns=list[str]),
        one(f"GET {categories}/{{category_id}}", handlers.get, returns=shown),
        one(f"PUT {categories}/{{category_id}}", handlers.update, body=sent, returns=shown),
        one(f"DELETE {categories}/{{category_id}}", handlers.remove),
    ]


def _whose(request: Request[Any]) -> tuple[UUID, UUID]:
    return user_param(request), id_param(request, "team_id")


def _category_id(request: Request[Any]) -> str:
    category_id = request.params["category_id"]
    if not is_category_id(category_id):
        raise faults.bad_url_param("category_id")
    return category_id
