"""The tag status."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from manor import NotFound, Reply, Request, Route, Transaction
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, id_members, user_param
from manor_chat.ids import shown_id
from manor_chat.parts import Shared
from manor_chat.presence import AWAY, DND, OFFLINE, ONLINE, OUT_OF_OFFICE, Status
from manor_chat.rights import Rights
from manor_chat.status.custom import CustomStatus, clear_custom, forget_recent, set_custom
from manor_chat.store.people import Person, find_person
from manor_chat.times import to_milliseconds

MOST_IDS = 10_000
_LATEST = 2**53
"""Seconds that every client can still count."""


Change = Callable[[Transaction, Person], None]


class StatusShown(msgspec.Struct, frozen=True):
    """A status; `dnd_end_time` is in seconds, unlike all other times."""

    user_id: str
    status: str
    manual: bool
    last_activity_at: int
    dnd_end_time: int


class StatusBody(msgspec.Struct, frozen=True):
    """A status that somebody chooses. Clients send null for what they have not."""

    user_id: str | None = None
    status: str | None = None
    dnd_end_time: int | None = None


class CustomStatusBody(msgspec.Struct, frozen=True):
    """What somebody says; as `StatusBody`."""

    emoji: str | None = None
    text: str | None = None
    duration: str | None = None
    expires_at: str | None = None

    @property
    def status(self) -> CustomStatus:
        """The same without nulls."""
        return CustomStatus(self.emoji or "", self.text or "", self.duration or "", self.expires_at or "")


def status_routes(shared: Shared) -> Sequence[Route]:
    """The six operations."""
    here = _Statuses(shared)

    def route(line: str, handler: Any, **more: Any) -> Route:
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="status", **more)

    return [
        route("POST /users/status/ids", here.by_ids, body=list[str], returns=list[StatusShown]),
        route("GET /users/{user_id}/status", here.of_one, returns=StatusShown),
        route("PUT /users/{user_id}/status", here.choose, body=StatusBody, returns=StatusShown),
        route("PUT /users/{user_id}/status/custom", here.set_custom, body=CustomStatusBody),
        route("DELETE /users/{user_id}/status/custom", here.clear_custom),
        route("POST /users/{user_id}/status/custom/recent/delete", here.forget_recent, body=CustomStatusBody),
    ]


class _Statuses:
    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._presence = shared.presence

    async def by_ids(self, request: Request[list[str]]) -> Reply:
        """Statuses of several people; offline for whoever is not known."""
        ids = id_members(request.body, "user_ids", most=MOST_IDS)
        return answer([_shown(each, self._presence.status_of(each)) for each in ids])

    async def of_one(self, request: Request) -> Reply:
        """How somebody is there."""
        user_id = user_param(request)
        await self._shared.read(request, lambda transaction, rights: _there(transaction, user_id))
        return answer(_shown(user_id, self._presence.status_of(user_id)))

    async def choose(self, request: Request[StatusBody]) -> Reply:
        """Say how one is there, or for how long one does not want to be disturbed."""
        user_id, body = user_param(request), request.body
        if body.user_id != "me" and id_member(body.user_id or "", "user_id") != user_id:
            raise faults.bad_body_param("user_id")
        if body.status not in (ONLINE, AWAY, DND, OFFLINE, OUT_OF_OFFICE):
            raise faults.bad_body_param("status")
        ends = (body.dnd_end_time or 0) if body.status == DND else 0
        if ends and not to_milliseconds(self._shared.context.clock.now()) // 1000 < ends < _LATEST:
            raise faults.bad_body_param("dnd_end_time")

        def work(transaction: Transaction, rights: Rights) -> None:
            _there(transaction, user_id)
            rights.require_self(user_id)

        await self._shared.read(request, work)
        return answer(_shown(user_id, self._presence.choose(user_id, body.status, dnd_end_time=ends)))

    async def set_custom(self, request: Request[CustomStatusBody]) -> Reply:
        """Say in a few words what one is doing."""
        config, status = self._shared.config, request.body.status
        return await self._change(request, lambda transaction, who: set_custom(transaction, who, status, config))

    async def clear_custom(self, request: Request) -> Reply:
        """Say nothing any more."""
        config = self._shared.config
        return await self._change(request, lambda transaction, who: clear_custom(transaction, who, config))

    async def forget_recent(self, request: Request[CustomStatusBody]) -> Reply:
        """Take one of the last custom statuses off the list."""
        status = request.body.status
        return await self._change(request, lambda transaction, who: forget_recent(transaction, who, status))

    async def _change(self, request: Request[Any], change: Change) -> Reply:
        user_id = user_param(request)

        def work(transaction: Transaction, rights: Rights) -> None:
            person = _there(transaction, user_id)
            rights.require_self(user_id)
            change(transaction, person)

        await self._shared.write(request, work)
        return STATUS_OK


def _there(transaction: Transaction, user_id: UUID) -> Person:
    person = find_person(transaction, user_id)
    if person is None:
        raise NotFound("User status not found", code="api.status.user_not_found.app_error")
    return person


def _shown(user_id: UUID, status: Status) -> StatusShown:
    return StatusShown(shown_id(user_id), status.status, status.manual, status.last_activity_at, status.dnd_end_time)
