"""The tag channels: channels of a team, and of somebody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.channels import finding
from manor_chat.channels.making import require_team
from manor_chat.http.answers import answer, etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import PageQuery, id_members, id_param, user_param
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.channel_lists import archived_channels, channels_of, public_among, public_channels
from manor_chat.store.channels import Channel
from manor_chat.store.people import find_person
from manor_chat.wire.channels import ChannelShown, show_channel

Finding = Callable[[Transaction, Rights, UUID, str], list[Channel]]


class JoinedQuery(msgspec.Struct, frozen=True):
    """With `include_deleted=true` archived channels too; those that were archived at `last_delete_at` (ms) or later."""

    last_delete_at: str = ""
    include_deleted: str = ""

    @property
    def archived_since(self) -> int | None:
        """From when on; None for none of them."""
        if self.include_deleted.lower() != "true":
            return None
        is_number = self.last_delete_at.isascii() and self.last_delete_at.isdigit() and len(self.last_delete_at) < 16
        return int(self.last_delete_at) if is_number else 0


class NameQuery(msgspec.Struct, frozen=True):
    """Some of a name."""

    name: str = ""


class Term(msgspec.Struct, frozen=True):
    """Some of what is looked for."""

    term: str


class ListHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def public(self, request: Request[None, PageQuery]) -> Reply:
        """A page of a team's public channels, by display name."""
        team_id, page = id_param(request, "team_id"), request.query

        def work(transaction: Transaction, rights: Rights) -> list[Channel]:
            require_team(rights, team_id)
            rights.require_in_team("list_team_channels", team_id)
            return public_channels(transaction, team_id, limit=page.limit, offset=page.offset)

        return etagged(request, _shown(await self._shared.read(request, work)))

    async def archived(self, request: Request[None, PageQuery]) -> Reply:
        """A page of a team's archived channels that the caller may read."""
        team_id, page = id_param(request, "team_id"), request.query

        def work(transaction: Transaction, rights: Rights) -> list[Channel]:
            require_team(rights, team_id)
            return archived_channels(
                transaction,
                team_id,
                rights.user_id,
                sees_public=rights.may_in_team("read_public_channel", team_id),
                sees_all=rights.may("manage_system"),
                limit=page.limit,
                offset=page.offset,
            )

        return etagged(request, _shown(await self._shared.read(request, work)))

    async def by_ids(self, request: Request[list[str]]) -> Reply:
        """Those of some channels that are public ones of a team."""
        team_id, ids = id_param(request, "team_id"), id_members(request.body, "channel_ids")

        def work(transaction: Transaction, rights: Rights) -> list[Channel]:
            require_team(rights, team_id)
            rights.require_in_team("view_team", team_id)
            return public_among(transaction, team_id, ids)

        return answer(_shown(await self._shared.read(request, work)))

    async def search(self, request: Request[Term]) -> Reply:
        """Public channels of a team that are called so."""
        return await self._find(request, finding.search, request.body.term)

    async def complete(self, request: Request[None, NameQuery]) -> Reply:
        """Channels that the caller may name in a post."""
        return await self._find(request, finding.complete, request.query.name)

    async def complete_search(self, request: Request[None, NameQuery]) -> Reply:
        """Channels that the caller may search in."""
        return await self._find(request, finding.complete_search, request.query.name)

    async def of_user(self, request: Request[None, JoinedQuery]) -> Reply:
        """The channels that somebody is in, of all their teams and of people."""
        user_id, since = user_param(request), request.query.archived_since

        def work(transaction: Transaction, rights: Rights) -> list[Channel]:
            _require_person(transaction, rights, user_id)
            return channels_of(transaction, user_id, archived_since=since)

        return etagged(request, _shown(await self._shared.read(request, work)))

    async def of_user_in_team(self, request: Request[None, JoinedQuery]) -> Reply:
        """The channels that somebody is in, of one team and of people."""
        user_id, team_id, since = user_param(request), id_param(request, "team_id"), request.query.archived_since

        def work(transaction: Transaction, rights: Rights) -> list[Channel]:
            require_team(rights, team_id)
            _require_person(transaction, rights, user_id)
            rights.require_in_team("view_team", team_id)
            return channels_of(transaction, user_id, team_id=team_id, archived_since=since)

        return etagged(request, _shown(await self._shared.read(request, work)))

    async def _find(self, request: Request[Term] | Request[None, NameQuery], find: Finding, term: str) -> Reply:
        team_id = id_param(request, "team_id")
        found = await self._shared.read(request, lambda transaction, rights: find(transaction, rights, team_id, term))
        return answer(_shown(found))


def list_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers, several, of_team = ListHandlers(shared), list[ChannelShown], "/teams/{team_id}/channels"

    def one(line: str, handler: object, **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="channels", returns=several, **more)

    return [
        one(f"GET {of_team}", handlers.public, query=PageQuery),
        one(f"GET {of_team}/deleted", handlers.archived, query=PageQuery),
        one(f"POST {of_team}/ids", handlers.by_ids, body=list[str]),
        one(f"POST {of_team}/search", handlers.search, body=Term),
        one(f"GET {of_team}/autocomplete", handlers.complete, query=NameQuery),
        one(f"GET {of_team}/search_autocomplete", handlers.complete_search, query=NameQuery),
        one("GET /users/{user_id}/channels", handlers.of_user, query=JoinedQuery),
        one("GET /users/{user_id}/teams/{team_id}/channels", handlers.of_user_in_team, query=JoinedQuery),
    ]


def _shown(found: Sequence[Channel]) -> list[ChannelShown]:
    return [show_channel(channel) for channel in found]


def _require_person(transaction: Transaction, rights: Rights, user_id: UUID) -> None:
    if user_id != rights.user_id and find_person(transaction, user_id) is None:
        raise faults.missing_user()
    rights.require_self(user_id)
