"""Forgotten passwords, in a browser."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from manor import PUBLIC, BadRequest, Refused, Reply, Request, Route, redirect
from manor_auth.pages.face import AUTH_PAGES, FORM_LIMIT, Face
from manor_auth.passwords import Passwords


class ResetQuery(msgspec.Struct, frozen=True):
    """The token that the mail brought, or that one was sent."""

    token: str = ""
    sent: str = ""


class AskForm(msgspec.Struct, frozen=True):
    """Whose password is forgotten."""

    email: str = ""


class NewPasswordForm(msgspec.Struct, frozen=True):
    """The password from now on."""

    token: str = ""
    new_password: str = ""

    def __repr__(self) -> str:
        """Without either, whatever log or traceback it lands in."""
        return "NewPasswordForm(…)"


class ResetPages:
    """One method for each request.

    Args:
        face: Renders.
        passwords: The use-case.
    """

    def __init__(self, face: Face, passwords: Passwords) -> None:
        self._face = face
        self._passwords = passwords

    async def show(self, request: Request[None, ResetQuery]) -> Reply:
        """The form that asks for a link, or the one that the link leads to. Opening that spends nothing."""
        query = request.query
        if not query.token:
            return self._face.show(request, "reset_password.html", is_sent=bool(query.sent))
        return await self._choose(request, query.token)

    async def ask(self, request: Request[AskForm]) -> Reply:
        """Have a link mailed; what follows is the same whatever the address."""
        email = request.body.email.strip()
        if len(email) <= 254:
            await self._passwords.ask_reset(email)
        return redirect("/reset-password?sent=1")

    async def take(self, request: Request[NewPasswordForm]) -> Reply:
        """Replace the password; every session ends."""
        form = request.body
        try:
            await self._passwords.confirm_reset(form.token, form.new_password)
        except BadRequest as spent:
            return self._face.show(request, "reset_password.html", spent, is_sent=False)
        except Refused as refused:
            return await self._choose(request, form.token, refused)
        return redirect("/login?notice=reset")

    async def _choose(self, request: Request[Any, Any], token: str, refused: Refused | None = None) -> Reply:
        try:
            user = await self._passwords.check_reset(token)
        except BadRequest as spent:
            return self._face.show(request, "reset_password.html", spent, is_sent=False)
        # Password managers keep a password under a name.
        return self._face.show(request, "new_password.html", refused, token=token, username=user.username)


def reset_pages(pages: ResetPages, face: Face) -> list[Route]:
    """Ask, and choose."""
    page = partial(face.pages.page, api=AUTH_PAGES, access=PUBLIC, returns=Reply)
    return [
        page("GET", "/reset-password", pages.show, query=ResetQuery),
        page("POST", "/reset-password", pages.ask, form=AskForm, body_limit=FORM_LIMIT),
        page("POST", "/reset-password/new", pages.take, form=NewPasswordForm, body_limit=FORM_LIMIT, errors=(503,)),
    ]
