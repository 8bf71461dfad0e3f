"""The tag channels: what somebody has read."""

from __future__ import annotations

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat.channels import finding, viewing
from manor_chat.http.answers import answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, id_members, id_param, user_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.channel_views import count_members_of


class Viewed(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody looks at now, and what they looked at before; "" for nothing."""

    channel_id: str = ""
    prev_channel_id: str = ""
    collapsed_threads_supported: bool = False


class ViewedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Until when somebody has read, in milliseconds, by channel."""

    status: str = "OK"
    last_viewed_at_times: dict[str, int]


class ViewingHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def view(self, request: Request[Viewed]) -> ViewedAnswer:
        """Have read a channel, and the one before; with none the window has lost the focus."""
        user_id, body = user_param(request), request.body
        asked = (("channel_id", body.channel_id), ("prev_channel_id", body.prev_channel_id))
        ids = list(dict.fromkeys(id_member(text, name) for name, text in asked if text))
        threads_too = not body.collapsed_threads_supported

        def work(transaction: Transaction, rights: Rights) -> dict[str, int]:
            if body.channel_id:
                rights.channel(ids[0])
            return viewing.view(transaction, rights, user_id, ids, threads_too=threads_too)

        times = await self._shared.write(request, work)
        if user_id == request.user_id:
            self._shared.presence.note_activity(user_id)
        return ViewedAnswer(last_viewed_at_times=times)

    async def mark_read(self, request: Request[list[str]]) -> ViewedAnswer:
        """Have read several channels."""
        user_id, ids = user_param(request), id_members(request.body, "channel_ids")

        def work(transaction: Transaction, rights: Rights) -> dict[str, int]:
            return viewing.view(transaction, rights, user_id, ids, threads_too=False)

        return ViewedAnswer(last_viewed_at_times=await self._shared.write(request, work))

    async def unread(self, request: Request) -> viewing.UnreadShown:
        """What somebody has not read of a channel."""
        user_id, channel_id = user_param(request), id_param(request, "channel_id")
        return await self._shared.read(
            request, lambda transaction, rights: viewing.unread_of(transaction, rights, user_id, channel_id)
        )

    async def member_counts(self, request: Request[list[str]]) -> Reply:
        """How many are in each of some channels."""
        ids = id_members(request.body, "channel_ids")

        def work(transaction: Transaction, rights: Rights) -> dict[str, int]:
            finding.require_to_read(transaction, rights, ids)
            return {shown_id(each): count for each, count in count_members_of(transaction, ids).items()}

        return answer(await self._shared.read(request, work))


def viewing_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = ViewingHandlers(shared)

    def one(line: str, handler: object, **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="channels", **more)

    return [
        one("POST /channels/members/{user_id}/view", handlers.view, body=Viewed, returns=ViewedAnswer),
        one("POST /channels/members/{user_id}/mark_read", handlers.mark_read, body=list[str], returns=ViewedAnswer),
        one("GET /users/{user_id}/channels/{channel_id}/unread", handlers.unread, returns=viewing.UnreadShown),
        one("POST /channels/stats/member_count", handlers.member_counts, body=list[str], returns=dict[str, int]),
    ]
