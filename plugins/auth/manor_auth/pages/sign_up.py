"""Signing up, and what becomes of the link that proves an address, in a browser."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec

from manor import (
    PUBLIC,
    FieldProblem,
    Forbidden,
    PluginContext,
    Refused,
    Reply,
    Request,
    Route,
    Unprocessable,
    redirect,
)
from manor_auth.config import AuthConfig
from manor_auth.inviting import Inviting
from manor_auth.pages.face import AUTH_PAGES, FORM_LIMIT, Face
from manor_auth.registering import Registering, Wanted

SPOILT = {
    "expired": "This link has expired.",
    "invalid": "This link is not valid. A newer one may have taken its place.",
}


class SignUpQuery(msgspec.Struct, frozen=True):
    """Where people go afterwards, and the invite that they bring."""

    next: str = ""
    invite: str = ""


class SignUpForm(msgspec.Struct, frozen=True):
    """What they typed."""

    username: str = ""
    email: str = ""
    password: str = ""
    terms: str = ""
    next: str = ""
    invite: str = ""

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return f"SignUpForm(username={self.username!r}, email={self.email!r})"


class AgainForm(msgspec.Struct, frozen=True):
    """Where the link is wanted once more."""

    email: str = ""


class AgainQuery(msgspec.Struct, frozen=True):
    """Whether it was asked for once more."""

    again: str = ""
    next: str = ""


class VerifiedQuery(msgspec.Struct, frozen=True):
    """What became of the link."""

    verified: str = ""
    error: str = ""


class SignUpPages:
    """One method for each request.

    Args:
        face: Renders.
        context: The plugin's.
        registering: The use-case.
        inviting: Knows invites.
    """

    def __init__(
        self, face: Face, context: PluginContext[AuthConfig], registering: Registering, inviting: Inviting
    ) -> None:
        self._face = face
        self._identity = context.identity.config
        self._mail = context.mail
        self._registering = registering
        self._inviting = inviting

    async def show(self, request: Request[None, SignUpQuery]) -> Reply:
        """The form, with the address of the invite in it."""
        query = request.query
        email = await self._inviting.address(query.invite) if query.invite else ""
        if self._identity.registration == "closed":
            return self._face.show(request, "sign_up_closed.html", Forbidden("This server takes no new people"))
        return self._form(request, SignUpForm(email=email, next=query.next, invite=query.invite))

    async def take(self, request: Request[SignUpForm]) -> Reply:
        """Make the account."""
        form = request.body
        wanted = Wanted(
            email=form.email.strip(),
            username=form.username.strip(),
            password=form.password,
            invite_token=form.invite or None,
        )
        try:
            if not form.terms:
                problem = FieldProblem("terms", "it goes no further without")
                raise Unprocessable("The terms have to be accepted", errors=[problem])
            await self._registering.register(wanted, address=request.head.address)
        except Refused as refused:
            return self._form(request, form, refused)
        more = {"next": form.next} if form.next else {}
        if not self._identity.require_verification:
            return redirect(f"/login?{urlencode({'notice': 'ready', **more})}")
        return redirect(f"/register/check-mail?{urlencode(more)}".rstrip("?"))

    def check_mail(self, request: Request[None, AgainQuery]) -> Reply:
        """What to do next. The same whether the address was new or not."""
        return self._face.show(
            request,
            "check_mail.html",
            is_again=bool(request.query.again),
            has_mail=self._mail.is_configured,
            next=request.query.next,
        )

    async def again(self, request: Request[AgainForm]) -> Reply:
        """Send the link once more, if somebody waits for it."""
        await self._registering.ask_again(request.body.email.strip()[:254])
        return redirect("/register/check-mail?again=1")

    def verified(self, request: Request[None, VerifiedQuery]) -> Reply:
        """What became of the link that the mail brought."""
        query = request.query
        is_verified = query.verified == "1"
        trouble = "" if is_verified else SPOILT.get(query.error, SPOILT["invalid"])
        return self._face.show(request, "email_verified.html", is_verified=is_verified, trouble=trouble)

    def _form(self, request: Request[Any, Any], form: SignUpForm, refused: Refused | None = None) -> Reply:
        return self._face.show(
            request, "sign_up.html", refused, form=form, is_invited_only=self._identity.registration == "invite"
        )


def sign_up_pages(pages: SignUpPages, face: Face) -> list[Route]:
    """The form, what to do next, and the end of the link."""
    page = partial(face.pages.page, api=AUTH_PAGES, access=PUBLIC, returns=Reply)
    return [
        page("GET", "/register", pages.show, query=SignUpQuery),
        page("POST", "/register", pages.take, form=SignUpForm, body_limit=FORM_LIMIT, errors=(403, 409, 503)),
        page("GET", "/register/check-mail", pages.check_mail, query=AgainQuery),
        page("POST", "/register/check-mail", pages.again, form=AgainForm, body_limit=FORM_LIMIT),
        page("GET", "/auth/email-verified", pages.verified, query=VerifiedQuery),
    ]
