"""The tag channels: what one channel is, and how much there is in it."""

from __future__ import annotations

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.channels import finding
from manor_chat.channels.groups import common_teams
from manor_chat.domain.names import is_channel_name, is_direct_name
from manor_chat.http.answers import answer, etagged
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.posts.showing import post_list, show_posts
from manor_chat.rights import Rights
from manor_chat.store.channel_views import count_in, pinned_posts, timezones_of
from manor_chat.store.channels import Channel
from manor_chat.store.teams import find_team_by_name
from manor_chat.wire.channels import ChannelShown, show_channel
from manor_chat.wire.posts import PostList
from manor_chat.wire.teams import TeamShown, show_team


class DeletedQuery(msgspec.Struct, frozen=True):
    """With `include_deleted=true` an archived channel is found, too."""

    include_deleted: str = ""


class StatsShown(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is in a channel."""

    channel_id: str
    member_count: int
    guest_count: int = 0
    pinnedpost_count: int
    files_count: int


class ReadingHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def get(self, request: Request) -> Reply:
        """One channel, archived or not."""
        channel_id = id_param(request, "channel_id")
        found = await self._shared.read(request, lambda transaction, rights: rights.readable_channel(channel_id))
        return etagged(request, show_channel(found))

    async def get_by_name(self, request: Request[None, DeletedQuery]) -> Reply:
        """The channel of a team with this name."""
        team_id, name = id_param(request, "team_id"), _channel_name(request)
        archived_too = request.query.include_deleted.lower() == "true"

        def work(transaction: Transaction, rights: Rights) -> Channel:
            return finding.channel_called(transaction, rights, team_id, name, archived_too=archived_too)

        return etagged(request, show_channel(await self._shared.read(request, work)))

    async def get_by_names(self, request: Request[None, DeletedQuery]) -> Reply:
        """The channel with this name of the team with that."""
        team_name, name = request.params["name"], _channel_name(request)
        archived_too = request.query.include_deleted.lower() == "true"

        def work(transaction: Transaction, rights: Rights) -> Channel:
            team = find_team_by_name(transaction, team_name.lower())
            if team is None:
                raise faults.missing_team()
            return finding.channel_called(transaction, rights, team.id, name, archived_too=archived_too)

        return etagged(request, show_channel(await self._shared.read(request, work)))

    async def stats(self, request: Request) -> StatsShown:
        """Members, pinned posts and files."""
        channel_id = id_param(request, "channel_id")

        def work(transaction: Transaction, rights: Rights) -> StatsShown:
            totals = count_in(transaction, rights.readable_channel(channel_id).id)
            return StatsShown(
                channel_id=shown_id(channel_id),
                member_count=totals.members,
                pinnedpost_count=totals.pinned,
                files_count=totals.files,
            )

        return await self._shared.read(request, work)

    async def timezones(self, request: Request) -> Reply:
        """The time zones of a channel's members, each once."""
        channel_id = id_param(request, "channel_id")

        def work(transaction: Transaction, rights: Rights) -> list[str]:
            return timezones_of(transaction, rights.readable_channel(channel_id).id)

        return answer(await self._shared.read(request, work))

    async def common_teams(self, request: Request) -> Reply:
        """The teams that everybody in a group channel is in."""
        channel_id = id_param(request, "channel_id")

        def work(transaction: Transaction, rights: Rights) -> list[TeamShown]:
            return [
                show_team(
                    team,
                    may_manage=rights.may_in_team("manage_team", team.id),
                    may_invite=rights.may_in_team("invite_user", team.id),
                )
                for team in common_teams(transaction, rights, channel_id)
            ]

        return answer(await self._shared.read(request, work))

    async def pinned(self, request: Request) -> Reply:
        """A channel's pinned posts, newest first."""
        channel_id = id_param(request, "channel_id")

        def work(transaction: Transaction, rights: Rights) -> PostList:
            pinned = pinned_posts(transaction, rights.readable_channel(channel_id).id)
            return post_list(show_posts(transaction, pinned, rights.user_id))

        return etagged(request, await self._shared.read(request, work))


def reading_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = ReadingHandlers(shared)

    def one(line: str, handler: object, **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="channels", **more)

    by_name = {"query": DeletedQuery, "returns": ChannelShown}
    return [
        one("GET /channels/{channel_id}", handlers.get, returns=ChannelShown),
        one("GET /teams/{team_id}/channels/name/{channel_name}", handlers.get_by_name, **by_name),
        one("GET /teams/name/{name}/channels/name/{channel_name}", handlers.get_by_names, **by_name),
        one("GET /channels/{channel_id}/stats", handlers.stats, returns=StatsShown),
        one("GET /channels/{channel_id}/timezones", handlers.timezones, returns=list[str]),
        one("GET /channels/{channel_id}/common_teams", handlers.common_teams, returns=list[TeamShown]),
        one("GET /channels/{channel_id}/pinned", handlers.pinned, returns=PostList),
    ]


def _channel_name(request: Request[None, DeletedQuery]) -> str:
    name = request.params["channel_name"]
    if not (is_channel_name(name) or is_direct_name(name)):
        raise faults.bad_url_param("channel_name")
    return name
