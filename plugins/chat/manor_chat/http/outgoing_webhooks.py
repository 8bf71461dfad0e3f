"""The tag webhooks: outgoing ones, as those keep them who may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import IN_PERSON, operation
from manor_chat.http.params import PageQuery, asked_id, id_member, id_param, same_id_param
from manor_chat.integrations import outgoing
from manor_chat.integrations.keeping import OUTGOING
from manor_chat.integrations.outgoing import WantedOutgoing
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.hooks import OutgoingHook, list_outgoing, remove_outgoing
from manor_chat.wire.integrations import OutgoingHookShown, show_outgoing


class OutgoingQuery(PageQuery, frozen=True, kw_only=True):
    """Which page of which team's or channel's."""

    team_id: str = ""
    channel_id: str = ""


class OutgoingHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
        forget: Told when there are others than before.
    """

    def __init__(self, shared: Shared, forget: Callable[[], None]) -> None:
        self._shared = shared
        self._forget = forget

    async def list_all(self, request: Request[None, OutgoingQuery]) -> Reply:
        """A page: one's own, or everybody's where one may."""
        query = request.query
        team_id, channel_id = asked_id(query.team_id, "team_id"), asked_id(query.channel_id, "channel_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            whose = rights.channel(channel_id).team_id if channel_id else team_id
            sees_all = OUTGOING.sees_all(rights, whose)
            found = list_outgoing(
                transaction,
                team_id=whose,
                channel_id=channel_id,
                creator_id=None if sees_all else rights.user_id,
                offset=query.offset,
                limit=query.limit,
            )
            return [show_outgoing(hook) for hook in found]

        return answer(await self._shared.read(request, work))

    async def make(self, request: Request[WantedOutgoing]) -> Reply:
        """Make one for a team."""
        wanted = request.body
        team_id = id_member(wanted.team_id, "team_id")
        channel_id = id_member(wanted.channel_id, "channel_id") if wanted.channel_id else None
        creator_id = id_member(wanted.creator_id, "creator_id") if wanted.creator_id else None
        self._check_enabled()

        def work(transaction: Transaction, rights: Rights) -> OutgoingHook:
            return outgoing.make(
                transaction, rights, wanted, team_id=team_id, channel_id=channel_id, creator_id=creator_id
            )

        return await self._changed(request, work, status=201)

    async def get(self, request: Request) -> Reply:
        """One of them, with its token."""
        hook_id = id_param(request, "hook_id")
        hook = await self._shared.read(
            request, lambda transaction, rights: outgoing.managed(transaction, rights, hook_id)
        )
        return answer(show_outgoing(hook))

    async def change(self, request: Request[WantedOutgoing]) -> Reply:
        """Have one otherwise."""
        wanted = request.body
        hook_id = same_id_param(request, "hook_id", wanted.id)
        channel_id = id_member(wanted.channel_id, "channel_id") if wanted.channel_id else None
        self._check_enabled()

        def work(transaction: Transaction, rights: Rights) -> OutgoingHook:
            return outgoing.change(transaction, rights, hook_id, wanted, channel_id)

        return await self._changed(request, work)

    async def renew_token(self, request: Request) -> Reply:
        """Give one another token."""
        hook_id = id_param(request, "hook_id")
        return await self._changed(
            request, lambda transaction, rights: outgoing.renew_token(transaction, rights, hook_id)
        )

    async def remove(self, request: Request) -> Reply:
        """Have nobody told any more."""
        hook_id = id_param(request, "hook_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            remove_outgoing(transaction, outgoing.managed(transaction, rights, hook_id).id)

        await self._shared.write(request, work)
        self._forget()
        return STATUS_OK

    async def _changed(
        self, request: Request[Any, Any], work: Callable[[Transaction, Rights], OutgoingHook], *, status: int = 200
    ) -> Reply:
        hook = await self._shared.write(request, work)
        self._forget()
        return answer(show_outgoing(hook), status)

    def _check_enabled(self) -> None:
        if not self._shared.config.outgoing_webhooks:
            raise faults.switched_off("api.outgoing_webhook.disabled.app_error", "Outgoing webhooks are switched off.")


def outgoing_routes(shared: Shared, forget: Callable[[], None]) -> list[Route]:
    """All of them."""
    handlers = OutgoingHandlers(shared, forget)

    def route(line: str, handler: Any, **more: Any) -> Route:
        return operation(
            shared.api, line, handler, access=IN_PERSON, tag="webhooks", **{"returns": OutgoingHookShown, **more}
        )

    return [
        route("GET /hooks/outgoing", handlers.list_all, query=OutgoingQuery, returns=list[OutgoingHookShown]),
        route("POST /hooks/outgoing", handlers.make, body=WantedOutgoing, status=201, errors=(501,)),
        route("GET /hooks/outgoing/{hook_id}", handlers.get),
        route("PUT /hooks/outgoing/{hook_id}", handlers.change, body=WantedOutgoing, errors=(501,)),
        route("DELETE /hooks/outgoing/{hook_id}", handlers.remove, returns=None),
        route("POST /hooks/outgoing/{hook_id}/regen_token", handlers.renew_token),
    ]
