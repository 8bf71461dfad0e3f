"""The tag channels: making, changing and archiving them."""

from __future__ import annotations

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.channels import changing, making
from manor_chat.channels.changing import Changes
from manor_chat.channels.making import NewChannel
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, id_members, id_param
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.channels import DIRECT, GROUP, OPEN, PRIVATE, Channel
from manor_chat.wire.channels import ChannelShown, show_channel


class WantedChannel(msgspec.Struct, frozen=True, kw_only=True):
    """A channel that is to be made in a team; `type` is O (public) or P (private)."""

    team_id: str
    name: str = ""
    display_name: str = ""
    type: str = ""
    header: str = ""
    purpose: str = ""


class ChangedChannel(Changes, frozen=True, kw_only=True):
    """A channel as it is to be; what is left out stays."""

    id: str


class Privacy(msgspec.Struct, frozen=True):
    """O (public) or P (private)."""

    privacy: str


class PermanentQuery(msgspec.Struct, frozen=True):
    """`permanent=true` would delete a channel with all that is in it: no server does so through the API."""

    permanent: str = ""


class ChannelHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def create(self, request: Request[WantedChannel]) -> Reply:
        """Make a channel in a team."""
        body = request.body
        team_id = id_member(body.team_id, "team_id")
        if body.type in (DIRECT, GROUP):
            raise faults.bad_value(
                "api.channel.create_channel.direct_channel.app_error",
                "Channels of people are opened otherwise.",
            )
        if body.type not in (OPEN, PRIVATE):
            raise faults.bad_value("model.channel.is_valid.type.app_error", "Invalid type: expected O or P.")
        new = NewChannel(
            team_id=team_id,
            name=body.name,
            display_name=body.display_name,
            type=body.type,
            header=body.header,
            purpose=body.purpose,
        )
        made = await self._shared.write(
            request, lambda transaction, rights: making.make_channel(transaction, rights, new)
        )
        return answer(show_channel(made), 201)

    async def create_direct(self, request: Request[list[str]]) -> Reply:
        """Open the channel of two people, or of oneself; 201 for one that is there already, too."""
        own_id = request.user_id
        ids = [own_id if own_id and text == "me" else id_member(text, "user_ids") for text in request.body]
        if len(ids) != 2:
            raise faults.bad_body_param("user_ids")

        def work(transaction: Transaction, rights: Rights) -> Channel:
            return making.open_direct(transaction, rights, ids, within_teams=self._within_teams)

        return answer(show_channel(await self._shared.write(request, work)), 201)

    async def create_group(self, request: Request[list[str]]) -> Reply:
        """Open the channel of three to eight people; 201 for one that is there already, too."""
        ids = id_members(request.body, "user_ids", most=len(request.body))

        def work(transaction: Transaction, rights: Rights) -> Channel:
            return making.open_group(transaction, rights, ids, within_teams=self._within_teams)

        return answer(show_channel(await self._shared.write(request, work)), 201)

    async def update(self, request: Request[ChangedChannel]) -> Reply:
        """Change a channel."""
        if id_member(request.body.id, "id") != id_param(request, "channel_id"):
            raise faults.bad_body_param("id")
        return await self._change(request, request.body)

    async def patch(self, request: Request[Changes]) -> Reply:
        """Change some of a channel."""
        return await self._change(request, request.body)

    async def convert(self, request: Request[Privacy]) -> Reply:
        """Make a channel private, or public."""
        channel_id, kind = id_param(request, "channel_id"), request.body.privacy
        if kind not in (OPEN, PRIVATE):
            raise faults.bad_body_param("privacy")
        changed = await self._shared.write(
            request, lambda transaction, rights: changing.convert(transaction, rights, channel_id, kind)
        )
        return answer(show_channel(changed))

    async def archive(self, request: Request[None, PermanentQuery]) -> Reply:
        """Archive a channel."""
        channel_id = id_param(request, "channel_id")
        if request.query.permanent.lower() == "true":
            raise faults.switched_off(
                "api.user.delete_channel.not_enabled.app_error", "Permanent channel deletion feature is not enabled."
            )
        await self._shared.write(request, lambda transaction, rights: changing.archive(transaction, rights, channel_id))
        return STATUS_OK

    async def restore(self, request: Request) -> Reply:
        """Open an archived channel again."""
        channel_id = id_param(request, "channel_id")
        opened = await self._shared.write(
            request, lambda transaction, rights: changing.restore(transaction, rights, channel_id)
        )
        return answer(show_channel(opened))

    @property
    def _within_teams(self) -> bool:
        return self._shared.config.direct_messages_within_teams

    async def _change(self, request: Request[ChangedChannel] | Request[Changes], changes: Changes) -> Reply:
        channel_id = id_param(request, "channel_id")
        changed = await self._shared.write(
            request, lambda transaction, rights: changing.change(transaction, rights, channel_id, changes)
        )
        return answer(show_channel(changed))


def channel_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = ChannelHandlers(shared)

    def one(line: str, handler: object, **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="channels", **more)

    return [
        one("POST /channels", handlers.create, body=WantedChannel, returns=ChannelShown, status=201),
        one("POST /channels/direct", handlers.create_direct, body=list[str], returns=ChannelShown, status=201),
        one("POST /channels/group", handlers.create_group, body=list[str], returns=ChannelShown, status=201),
        one("PUT /channels/{channel_id}", handlers.update, body=ChangedChannel, returns=ChannelShown),
        one("PUT /channels/{channel_id}/patch", handlers.patch, body=Changes, returns=ChannelShown),
        one("PUT /channels/{channel_id}/privacy", handlers.convert, body=Privacy, returns=ChannelShown),
        one("DELETE /channels/{channel_id}", handlers.archive, query=PermanentQuery, errors=(501,)),
        one("POST /channels/{channel_id}/restore", handlers.restore, returns=ChannelShown),
    ]
