"""Signing in and out, in a browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from manor import (
    PUBLIC,
    MfaRequired,
    NotVerified,
    Refused,
    Reply,
    Request,
    Route,
    Unauthorized,
    redirect,
)
from manor_auth.http.api import visitor
from manor_auth.pages.face import AUTH_PAGES, FORM_LIMIT, Face, Press, onward
from manor_auth.second_steps import SecondSteps
from manor_auth.signing_in import SigningIn
from manor_auth.web_sessions import WebSessions

NOTICES = {
    "reset": "Your password was changed. Sign in with the new one.",
    "ready": "Your account is ready. Sign in.",
}

ERRORS = {
    "access_denied": "You did not let the provider sign you in.",
    "expired": "That took too long. Try again.",
    "invalid": "This link is not valid; a newer one may have taken its place.",
    "provider_unavailable": "The provider does not answer. Try again later.",
    "account_exists": "There is an account with this e-mail address already. Sign in to it with its password, and "
    "connect the provider on its page.",
    "account_disabled": "This account is disabled.",
    "email_not_verified": "The provider does not say that your e-mail address is yours.",
    "no_email": "The provider does not say your e-mail address.",
    "registration_closed": "This server takes no new people.",
    "invitation_needed": "This server takes only people who were invited.",
    "too_many": "There were too many tries. Try again later.",
}
OTHER_ERROR = "Signing in did not work. Try again."

Button = tuple[str, str, str]
"""A provider: its name, what people call it, and the path where signing in through it begins."""


class LoginQuery(msgspec.Struct, frozen=True):
    """Where people go afterwards, and what led them here."""

    next: str = ""
    verified: str = ""
    error: str = ""
    notice: str = ""


class LoginForm(msgspec.Struct, frozen=True):
    """What they typed."""

    login: str = ""
    password: str = ""
    next: str = ""

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return f"LoginForm({self.login!r})"


class CodeForm(msgspec.Struct, frozen=True):
    """The second step: the ticket says whose password was right."""

    ticket: str = ""
    code: str = ""
    next: str = ""

    def __repr__(self) -> str:
        """Without what opens the account."""
        return "CodeForm(…)"


class SignInPages:
    """One method for each request.

    Args:
        face: Renders.
        signing_in: Checks who somebody is.
        web_sessions: Lets their browser in.
        steps: Tickets for the second step.
        is_open: Whether people sign up here by themselves.
        buttons: The providers through which people may come.
    """

    def __init__(
        self,
        face: Face,
        signing_in: SigningIn,
        web_sessions: WebSessions,
        steps: SecondSteps,
        *,
        is_open: Callable[[], bool],
        buttons: Callable[[], Sequence[Button]],
    ) -> None:
        self._face = face
        self._signing_in = signing_in
        self._web_sessions = web_sessions
        self._steps = steps
        self._is_open = is_open
        self._buttons = buttons

    def show(self, request: Request[None, LoginQuery]) -> Reply:
        """The form; who has signed in already is led on."""
        query = request.query
        if request.person is not None and not query.error:
            return redirect(onward(query.next))
        return self._form(request, query.next, notice=_notice(query), error=_error(query))

    async def take(self, request: Request[LoginForm]) -> Reply:
        """Check the password; who has a second factor is asked for it next."""
        form = request.body
        try:
            user = await self._signing_in.check(form.login, form.password, visitor(request))
        except MfaRequired as step:
            return self._ask_code(request, await self._steps.ticket(step.user_id), form.next)
        except Refused as refused:
            return self._form(request, form.next, refused, login=form.login)
        return await self._let_in(request, user.id, form.next)

    async def take_code(self, request: Request[CodeForm]) -> Reply:
        """Check the code."""
        form = request.body
        user_id = await self._steps.user_of(form.ticket)
        if user_id is None:
            return self._form(request, form.next, Unauthorized("That took too long: sign in once more"))
        try:
            user = await self._signing_in.check_second(user_id, form.code, visitor(request))
        except MfaRequired as wrong:
            return self._ask_code(request, form.ticket, form.next, wrong)
        except Refused as refused:
            return self._form(request, form.next, refused)
        return await self._let_in(request, user.id, form.next)

    def ask_out(self, request: Request) -> Reply:
        """A button: a link that signs out would be followed by whoever looks at a page with it."""
        return self._face.show(request, "sign_out.html")

    async def sign_out(self, request: Request[Press]) -> Reply:
        """End the browser's session."""
        return redirect("/logout", headers={"Set-Cookie": await self._web_sessions.close(request)})

    async def _let_in(self, request: Request[Any, Any], user_id: UUID, onto: str) -> Reply:
        cookie = await self._web_sessions.open(user_id, request.head)
        return redirect(onward(onto), headers={"Set-Cookie": cookie})

    def _ask_code(self, request: Request[Any, Any], ticket: str, onto: str, refused: Refused | None = None) -> Reply:
        if refused is not None:
            refused = Unauthorized("The code is wrong, or was used before")
        return self._face.show(request, "sign_in_code.html", refused, field="code", ticket=ticket, next=onto)

    def _form(
        self,
        request: Request[Any, Any],
        onto: str,
        refused: Refused | None = None,
        *,
        login: str = "",
        notice: str = "",
        error: str = "",
    ) -> Reply:
        more = f"?{urlencode({'next': onto})}" if onto else ""
        return self._face.show(
            request,
            "sign_in.html",
            refused,
            next=onto,
            login=login,
            notice=notice,
            error=error,
            # Told to those alone who know the password.
            is_unverified=isinstance(refused, NotVerified),
            buttons=[(title, f"{path}?{urlencode({'next': onward(onto)})}") for _, title, path in self._buttons()],
            sign_up=f"/register{more}" if self._is_open() else "",
        )


def _notice(query: LoginQuery) -> str:
    return "Your e-mail address is verified. Sign in." if query.verified == "1" else NOTICES.get(query.notice, "")


def _error(query: LoginQuery) -> str:
    """A sentence of ours for each word: nobody writes on this page by sending people a link to it."""
    if not query.error:
        return ""
    return ERRORS.get(query.error, OTHER_ERROR)


def sign_in_pages(pages: SignInPages, face: Face) -> list[Route]:
    """In, the second step, and out."""
    page = partial(face.pages.page, api=AUTH_PAGES, access=PUBLIC, returns=Reply)
    return [
        page("GET", "/login", pages.show, query=LoginQuery),
        page("POST", "/login", pages.take, form=LoginForm, body_limit=FORM_LIMIT, errors=(503,)),
        page("POST", "/login/code", pages.take_code, form=CodeForm, body_limit=FORM_LIMIT),
        page("GET", "/logout", pages.ask_out),
        page("POST", "/logout", pages.sign_out, form=Press, body_limit=FORM_LIMIT),
    ]
