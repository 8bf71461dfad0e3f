"""The tag preferences."""

from __future__ import annotations

from uuid import UUID

import msgspec

from manor import Reply, Request, Route
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import SIGNED_IN, operation
from manor_chat.http.params import id_member, user_param
from manor_chat.parts import Shared
from manor_chat.personal import settings
from manor_chat.personal.settings import MOST, PreferenceShown
from manor_chat.store.preferences import Preference


class PreferenceSent(msgspec.Struct, frozen=True, kw_only=True):
    """A setting as clients send it."""

    user_id: str = ""
    category: str = ""
    name: str = ""
    value: str = ""


class PreferenceHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def all(self, request: Request) -> Reply:
        """All that somebody prefers."""
        return await self._listed(request)

    async def of_category(self, request: Request) -> Reply:
        """The same of one category."""
        return await self._listed(request, category=request.params["category"])

    async def _listed(self, request: Request, *, category: str | None = None) -> Reply:
        user_id = user_param(request)
        return answer(
            await self._shared.read(
                request,
                lambda transaction, rights: settings.settings_of(transaction, rights, user_id, category=category),
            )
        )

    async def read(self, request: Request) -> PreferenceShown:
        """One of them."""
        user_id, category, name = user_param(request), request.params["category"], request.params["preference_name"]
        found = await self._shared.read(
            request,
            lambda transaction, rights: settings.settings_of(
                transaction, rights, user_id, category=category, name=name
            ),
        )
        return found[0]

    async def update(self, request: Request[list[PreferenceSent]]) -> Reply:
        """Keep some."""
        user_id = user_param(request)
        wanted = _read(request.body, user_id)
        await self._shared.write(
            request, lambda transaction, rights: settings.change_settings(transaction, rights, user_id, wanted)
        )
        return STATUS_OK

    async def delete(self, request: Request[list[PreferenceSent]]) -> Reply:
        """Forget some."""
        user_id = user_param(request)
        unwanted = _read(request.body, user_id)
        await self._shared.write(
            request, lambda transaction, rights: settings.forget_settings(transaction, rights, user_id, unwanted)
        )
        return STATUS_OK


def _read(sent: list[PreferenceSent], user_id: UUID) -> list[Preference]:
    """Settings of one person.

    Raises:
        BadRequest: 400: there are none, or too many, or somebody's id is malformed.
        Forbidden: 403: they are of somebody else.
    """
    if not 1 <= len(sent) <= MOST:
        raise faults.bad_body_param("preferences")
    if {id_member(each.user_id, "user_id") for each in sent} != {user_id}:
        raise faults.no_permission()
    return [Preference(category=each.category, name=each.name, value=each.value) for each in sent]


def preference_routes(shared: Shared) -> list[Route]:
    """The operations."""
    handlers = PreferenceHandlers(shared)
    base = "/users/{user_id}/preferences"

    def one(method: str, path: str, handler: object, **more: object) -> Route:
        line = f"{method} {base}{path}"
        return operation(shared.api, line, handler, access=SIGNED_IN, tag="preferences", **more)

    return [
        one("GET", "", handlers.all, returns=list[PreferenceShown]),
        one("PUT", "", handlers.update, body=list[PreferenceSent]),
        one("POST", "/delete", handlers.delete, body=list[PreferenceSent]),
        one("GET", "/{category}", handlers.of_category, returns=list[PreferenceShown]),
        one("GET", "/{category}/name/{preference_name}", handlers.read, returns=PreferenceShown),
    ]
