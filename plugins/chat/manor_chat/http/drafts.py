"""The tags drafts and scheduled posts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from manor import Reply, Request, Route, Transaction
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, id_param, user_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.personal import drafts
from manor_chat.personal.drafts import DraftShown, DraftWanted
from manor_chat.rights import Rights


class DraftSent(msgspec.Struct, frozen=True, kw_only=True):
    """A draft as clients send it."""

    channel_id: str = ""
    root_id: str | None = None
    message: str | None = None
    props: dict[str, Any] | None = None
    file_ids: list[str] | None = None
    priority: dict[str, Any] | None = None


class ScheduledQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Whether those for channels of people are asked for too."""

    includeDirectChannels: str = ""  # noqa: N815 - the API's name


class DraftHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def keep(self, request: Request[DraftSent]) -> Reply:
        """Keep what one has begun to write."""
        body = request.body
        wanted = DraftWanted(
            channel_id=id_member(body.channel_id, "channel_id"),
            root_id=id_member(body.root_id, "root_id") if body.root_id else None,
            message=body.message or "",
            props=body.props or {},
            file_ids=[id_member(each, "file_ids") for each in body.file_ids or ()],
            priority=body.priority,
        )
        connection_id = _connection(request)
        kept = await self._shared.write(
            request, lambda transaction, rights: drafts.keep(transaction, rights, wanted, connection_id)
        )
        return answer(kept, 201)

    async def begun(self, request: Request) -> Reply:
        """What somebody has begun to write for channels of a team, and of people."""
        user_id, team_id = user_param(request), id_param(request, "team_id")
        return answer(
            await self._shared.read(
                request, lambda transaction, rights: drafts.list_drafts(transaction, rights, user_id, team_id)
            )
        )

    async def forget(self, request: Request) -> Reply:
        """Forget what somebody has begun to write for a channel."""
        return await self._forget(request, None)

    async def forget_of_thread(self, request: Request) -> Reply:
        """Forget what somebody has begun to write for a thread."""
        return await self._forget(request, id_param(request, "thread_id"))

    async def _forget(self, request: Request, root_id: UUID | None) -> Reply:
        user_id, channel_id = user_param(request), id_param(request, "channel_id")
        connection_id = _connection(request)
        await self._shared.write(
            request,
            lambda transaction, rights: drafts.forget(transaction, rights, user_id, channel_id, root_id, connection_id),
        )
        return STATUS_OK

    async def scheduled(self, request: Request[None, ScheduledQuery]) -> Reply:
        """Posts that wait for their time: nothing can be scheduled here, so there are none."""
        team_id = id_param(request, "team_id")

        def work(transaction: Transaction, rights: Rights) -> dict[str, list[DraftShown]]:
            rights.team(team_id)
            rights.require_in_team("view_team", team_id)
            none: dict[str, list[DraftShown]] = {shown_id(team_id): []}
            return none | {"directChannels": []} if request.query.includeDirectChannels == "true" else none

        return answer(await self._shared.read(request, work))


def _connection(request: Request[Any, Any]) -> str:
    """The WebSocket of the client that asks: it knows already."""
    return request.headers.get("connection-id") or ""


def draft_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = DraftHandlers(shared)

    def one(line: str, handler: object, tag: str = "drafts", **more: object) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag=tag, **more)

    mine = "/users/{user_id}/channels/{channel_id}/drafts"
    scheduled = dict[str, list[DraftShown]]
    return [
        one("POST /drafts", handlers.keep, body=DraftSent, returns=DraftShown, status=201),
        one("GET /users/{user_id}/teams/{team_id}/drafts", handlers.begun, returns=list[DraftShown]),
        one(f"DELETE {mine}", handlers.forget),
        one(f"DELETE {mine}/{{thread_id}}", handlers.forget_of_thread),
        one(
            "GET /posts/scheduled/team/{team_id}",
            handlers.scheduled,
            "scheduled posts",
            query=ScheduledQuery,
            returns=scheduled,
        ),
    ]
