"""The tag OAuth: programs that may act for people, kept by those who may."""

from __future__ import annotations

from typing import Any

from manor import PUBLIC, NotFound, Reply, Request, Route, Transaction, new_id
from manor_chat import faults
from manor_chat.http.answers import STATUS_OK, answer
from manor_chat.http.api import IN_PERSON, SIGNED_IN, operation
from manor_chat.http.params import PageQuery, id_member, id_param, user_param
from manor_chat.ids import new_token
from manor_chat.oauth.describing import WantedApp, check_described, described, show_app
from manor_chat.oauth.granting import digest, revoke_tokens
from manor_chat.parts import Shared
from manor_chat.rights import Rights
from manor_chat.store.oauth import (
    OAuthApp,
    add_app,
    change_app,
    find_app,
    granted_apps,
    list_apps,
    remove_app,
)
from manor_chat.times import to_milliseconds


class OAuthAppHandlers:
    """One method for each operation."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def make(self, request: Request[WantedApp]) -> Reply:
        """Make a program known; its secret is in this answer and in no other."""
        check_described(request.body)
        secret = new_token()

        def work(transaction: Transaction, rights: Rights) -> Any:
            rights.require("manage_oauth")
            now = to_milliseconds(transaction.now)
            wanted = described(request.body, is_admin=rights.may("manage_system"))
            app = OAuthApp(
                id=new_id(),
                creator_id=rights.user_id,
                create_at=now,
                update_at=now,
                secret_hash=digest(secret),
                **wanted,
            )
            add_app(transaction, app)
            return show_app(app, secret)

        return answer(await self._shared.write(request, work), 201)

    async def list_all(self, request: Request[None, PageQuery]) -> Reply:
        """A page of the programs: one's own, or everybody's where one may."""
        query = request.query

        def work(transaction: Transaction, rights: Rights) -> Any:
            rights.require("manage_oauth")
            creator_id = None if rights.may("manage_system_wide_oauth") else rights.user_id
            apps = list_apps(transaction, creator_id=creator_id, offset=query.offset, limit=query.limit)
            return [show_app(app) for app in apps]

        return answer(await self._shared.read(request, work))

    async def get(self, request: Request) -> Reply:
        """A program."""
        app_id = id_param(request, "app_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            return show_app(_managed(transaction, rights, app_id))

        return answer(await self._shared.read(request, work))

    async def change(self, request: Request[WantedApp]) -> Reply:
        """Describe a program otherwise."""
        app_id = id_param(request, "app_id")
        if id_member(request.body.id, "app_id") != app_id:
            raise faults.bad_body_param("app_id")
        check_described(request.body)

        def work(transaction: Transaction, rights: Rights) -> Any:
            app = _managed(transaction, rights, app_id)
            changes = described(request.body, is_admin=rights.may("manage_system"))
            return show_app(change_app(transaction, app, **changes))

        return answer(await self._shared.write(request, work))

    async def remove(self, request: Request) -> Reply:
        """Have a program act for nobody any more."""
        app_id = id_param(request, "app_id")

        def work(transaction: Transaction, rights: Rights) -> None:
            app = _managed(transaction, rights, app_id)
            revoke_tokens(transaction, None, app.id)
            remove_app(transaction, app.id)

        await self._shared.write(request, work)
        return STATUS_OK

    async def info(self, request: Request) -> Reply:
        """What everybody may know of a program."""
        app_id = id_param(request, "app_id")

        def work(transaction: Transaction, rights: Rights) -> Any:
            return show_app(_existing(transaction, app_id))

        return answer(await self._shared.read(request, work))

    async def renew_secret(self, request: Request) -> Reply:
        """Give a program another secret; the old one is worthless."""
        app_id, secret = id_param(request, "app_id"), new_token()

        def work(transaction: Transaction, rights: Rights) -> Any:
            app = _managed(transaction, rights, app_id)
            return show_app(change_app(transaction, app, secret_hash=digest(secret)), secret)

        return answer(await self._shared.write(request, work))

    async def authorized(self, request: Request[None, PageQuery]) -> Reply:
        """The programs that somebody lets act for them."""
        user_id, query = user_param(request), request.query

        def work(transaction: Transaction, rights: Rights) -> Any:
            rights.require_self(user_id)
            apps = granted_apps(transaction, user_id, offset=query.offset, limit=query.limit)
            return [show_app(app) for app in apps]

        return answer(await self._shared.read(request, work))

    async def register(self, request: Request[bytes]) -> Reply:
        """Nobody registers a program without an account here."""
        raise faults.switched_off(
            "api.oauth.dynamic_client_registration.disabled.app_error", "Dynamic registration is switched off."
        )


def _existing(transaction: Transaction, app_id: Any) -> OAuthApp:
    app = find_app(transaction, app_id)
    if app is None:
        raise NotFound("Unable to find the requested app", code="app.oauth.get_app.find.app_error")
    return app


def _managed(transaction: Transaction, rights: Rights, app_id: Any) -> OAuthApp:
    app = _existing(transaction, app_id)
    rights.require("manage_oauth")
    if app.creator_id != rights.user_id:
        rights.require("manage_system_wide_oauth")
    return app


def oauth_app_routes(shared: Shared) -> list[Route]:
    """All of them."""
    handlers = OAuthAppHandlers(shared)

    def route(line: str, handler: Any, access: Any = SIGNED_IN, **more: Any) -> Route:
        return operation(shared.api, line, handler, access=access, tag="OAuth", **more)

    return [
        route("GET /oauth/apps", handlers.list_all, query=PageQuery),
        route("POST /oauth/apps", handlers.make, access=IN_PERSON, body=WantedApp, status=201),
        route("POST /oauth/apps/register", handlers.register, access=PUBLIC, body=bytes, errors=(501,)),
        route("GET /oauth/apps/{app_id}", handlers.get),
        route("PUT /oauth/apps/{app_id}", handlers.change, access=IN_PERSON, body=WantedApp),
        route("DELETE /oauth/apps/{app_id}", handlers.remove, access=IN_PERSON),
        route("GET /oauth/apps/{app_id}/info", handlers.info),
        route("POST /oauth/apps/{app_id}/regen_secret", handlers.renew_secret, access=IN_PERSON),
        route("GET /users/{user_id}/oauth/apps/authorized", handlers.authorized, query=PageQuery),
    ]
