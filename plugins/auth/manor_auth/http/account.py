"""One's own account: looked at by programs too, changed only by who has signed in."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta

from manor import PUBLIC, Kinds, Rate, Reply, Request, Route, User
from manor_auth.account import Account
from manor_auth.http.api import BODY_LIMIT, SIGNED_IN, Email, SignedInUser, Token, person, shown
from manor_auth.http.keys import ACCOUNT
from manor_auth.pages.face import AUTH_PAGES, Face
from manor_auth.profile import Profile


class Mine(SignedInUser, frozen=True, kw_only=True):
    """One's own account. No plan of this server ends by itself: `subscription_expires_at` is null."""

    avatar_url: str | None
    subscription_expires_at: datetime | None
    is_active: bool
    last_login: datetime | None


class ChangeMine(msgspec.Struct, frozen=True):
    """What is left out, or null, stays."""

    username: Annotated[str, Meta(description="3 to 32 letters A to Z, digits, '.', '_' and '-'.")] | None = None
    email: Email | None = None


class UndoQuery(msgspec.Struct, frozen=True):
    """The token that the mail brought."""

    token: str = ""


class Undo(msgspec.Struct, frozen=True):
    """The same, from the page's form."""

    token: Token


class AccountHandlers:
    """One method for each operation."""

    def __init__(self, account: Account, profile: Profile, face: Face) -> None:
        self._account = account
        self._profile = profile
        self._face = face

    async def show(self, request: Request) -> Mine:
        """One's account."""
        return _mine((await self._profile.show(person(request))).user)

    async def change(self, request: Request[ChangeMine]) -> Mine:
        """Change one's username or address; a new address is to be verified before the next sign-in."""
        body = request.body
        return _mine(await self._account.change(person(request), username=body.username, email=body.email))

    def undo_page(self, request: Request[None, UndoQuery]) -> Reply:
        """Ask before an address is taken back: mail scanners open links, too."""
        return self._face.show(request, "undo_email.html", is_done=False, token=request.query.token)

    async def undo(self, request: Request[Undo]) -> Reply:
        """Take an address back with the link that the old one was sent."""
        await self._account.undo(request.body.token)
        return self._face.show(request, "undo_email.html", is_done=True)


def account_routes(handlers: AccountHandlers, face: Face) -> list[Route]:
    """Show, change, and take a change back."""
    page = partial(face.pages.page, api=AUTH_PAGES, access=PUBLIC, returns=Reply)
    return [
        Route("GET", "/api/users/me", handlers.show, api=ACCOUNT, access=Kinds("access", "api_key"), returns=Mine),
        Route(
            "PATCH",
            "/api/users/me",
            handlers.change,
            api=ACCOUNT,
            access=SIGNED_IN,
            body=ChangeMine,
            body_limit=BODY_LIMIT,
            returns=Mine,
            errors=(409,),
        ),
        page("GET", "/auth/undo-email", handlers.undo_page, query=UndoQuery),
        page("POST", "/auth/undo-email", handlers.undo, form=Undo, rate=Rate(10), errors=(400, 409)),
    ]


def _mine(user: User) -> Mine:
    return Mine(
        **msgspec.structs.asdict(shown(user)),
        avatar_url=user.avatar_url,
        subscription_expires_at=None,
        is_active=user.is_active,
        last_login=user.last_login,
    )
