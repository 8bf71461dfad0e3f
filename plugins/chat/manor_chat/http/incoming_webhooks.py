"""The tag webhooks: incoming ones, as those keep them who may."""

from __future__ import annotations

from typing import Any

from manor import Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import IN_PERSON, operation
from manor_chat.http.hooks import hiding
from manor_chat.http.params import PageQuery, asked_id, id_member, id_param, same_id_param
from manor_chat.integrations import incoming
from manor_chat.integrations.incoming import WantedIncoming
from manor_chat.integrations.keeping import INCOMING
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.hooks import IncomingHook, count_incoming, list_incoming, remove_incoming
from manor_chat.wire.integrations import IncomingHookShown, show_incoming


class IncomingQuery(PageQuery, frozen=True, kw_only=True):
    """Which page of which team's; with `include_total_count` it says how many there are."""

    team_id: str = ""
    include_total_count: str = ""


class IncomingHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def list_all(self, request: Request[None, IncomingQuery]) -> Reply:
        """A page: one's own, or everybody's where one may."""
        query = request.query
        team_id = asked_id(query.team_id, "team_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            sees_all = INCOMING.sees_all(rights, team_id)
            # Its id is what opens it: so it is shown to whoever may read the channel, as one alone is.
            reader_id = None if rights.may("manage_system") else rights.user_id
            user_id = None if sees_all else rights.user_id
            whose = {"team_id": team_id, "user_id": user_id, "reader_id": reader_id}
            found = list_incoming(transaction, **whose, offset=query.offset, limit=query.limit)
            shown = [show_incoming(hook) for hook in found]
            if query.include_total_count != "true":
                return shown
            return {"incoming_webhooks": shown, "total_count": count_incoming(transaction, **whose)}

        return answer(await self._shared.read(request, work))

    async def make(self, request: Request[WantedIncoming]) -> Reply:
        """Make one for a channel."""
        wanted = request.body
        channel_id = id_member(wanted.channel_id, "channel_id")
        user_id = id_member(wanted.user_id, "user_id") if wanted.user_id else None
        self._check_enabled()

        def work(transaction: Transaction, rights: Rights) -> IncomingHook:
            return incoming.make(transaction, rights, wanted, channel_id, user_id or rights.user_id)

        return answer(show_incoming(await self._shared.write(request, work)), 201)

    async def get(self, request: Request) -> Reply:
        """One of them."""
        hook_id = id_param(request, "hook_id")
        hook = await self._shared.read(
            request, lambda transaction, rights: incoming.managed(transaction, rights, hook_id)
        )
        return answer(show_incoming(hook))

    async def change(self, request: Request[WantedIncoming]) -> Reply:
        """Have one otherwise."""
        wanted = request.body
        hook_id = same_id_param(request, "hook_id", wanted.id)
        channel_id = id_member(wanted.channel_id, "channel_id")
        self._check_enabled()

        def work(transaction: Transaction, rights: Rights) -> IncomingHook:
            return incoming.change(transaction, rights, hook_id, wanted, channel_id)

        return answer(show_incoming(await self._shared.write(request, work)), 201)

    async def remove(self, request: Request) -> Reply:
        """Have its address open nothing any more."""
        hook_id = id_param(request, "hook_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            hook = incoming.managed(transaction, rights, hook_id)
            remove_incoming(transaction, hook.id)

        await self._shared.write(request, work)
        return STATUS_OK

    def _check_enabled(self) -> None:
        if not self._shared.config.incoming_webhooks:
            raise faults.switched_off("api.incoming_webhook.disabled.app_error", "Incoming webhooks are switched off.")


def incoming_routes(shared: Shared) -> list[Route]:
    """All of them."""
    handlers, api = IncomingHandlers(shared), hiding(shared.api)

    def route(line: str, handler: Any, **more: Any) -> Route:
        return operation(api, line, handler, access=IN_PERSON, tag="webhooks", **more)

    return [
        route("GET /hooks/incoming", handlers.list_all, query=IncomingQuery, returns=list[IncomingHookShown]),
        route(
            "POST /hooks/incoming", handlers.make, body=WantedIncoming, returns=IncomingHookShown, status=201,
            errors=(501,),
        ),
        route("GET /hooks/incoming/{hook_id}", handlers.get, returns=IncomingHookShown),
        route(
            "PUT /hooks/incoming/{hook_id}", handlers.change, body=WantedIncoming, returns=IncomingHookShown,
            status=201, errors=(501,),
        ),
        route("DELETE /hooks/incoming/{hook_id}", handlers.remove),
    ]  # fmt: skip
