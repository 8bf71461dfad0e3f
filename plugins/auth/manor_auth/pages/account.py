"""One's own account, in a browser: what it is, where one is signed in, the password, the second factor."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import segno

from manor import PluginContext, Refused, Reply, Request, Route, TotpSetup, Unauthorized, parse_id, redirect
from manor_auth.config import AuthConfig
from manor_auth.overview import read_overview
from manor_auth.pages.face import AUTH_PAGES, FORM_LIMIT, HOME, SECOND_FACTOR, SIGNED_IN, Face, Press, somebody
from manor_auth.passwords import Passwords
from manor_auth.second_factor import SecondFactor
from manor_auth.sessions import Sessions

DONE = {
    "password": "Your password was changed. You are signed out everywhere else.",
    "session": "That session is over.",
    "sessions": "You are signed out everywhere else.",
    "mfa-off": "Signing in takes no code any more.",
}


class AccountQuery(msgspec.Struct, frozen=True):
    """What was done last."""

    done: str = ""


class PasswordForm(msgspec.Struct, frozen=True):
    """The password until now, and from now on."""

    current_password: str = ""
    new_password: str = ""

    def __repr__(self) -> str:
        """Without either, whatever log or traceback it lands in."""
        return "PasswordForm(…)"


class EndForm(msgspec.Struct, frozen=True):
    """A session of one's own; "" for all others."""

    session: str = ""


class CodeForm(msgspec.Struct, frozen=True):
    """What the app shows."""

    code: str = ""


class AccountPages:
    """One method for each request.

    Args:
        face: Renders.
        context: The plugin's.
        sessions: Lists and ends them.
        passwords: Replaces them.
        second_factor: Enrols.
    """

    def __init__(
        self,
        face: Face,
        context: PluginContext[AuthConfig],
        sessions: Sessions,
        passwords: Passwords,
        second_factor: SecondFactor,
    ) -> None:
        self._face = face
        self._storage = context.storage
        self._sessions = sessions
        self._passwords = passwords
        self._second_factor = second_factor

    async def show(self, request: Request[None, AccountQuery]) -> Reply:
        """All of it."""
        return await self._page(request, done=DONE.get(request.query.done, ""))

    async def change_password(self, request: Request[PasswordForm]) -> Reply:
        """Replace the password; every other session ends."""
        user_id, session_id = somebody(request)
        form = request.body
        try:
            await self._passwords.change(
                user_id, session_id, form.current_password, form.new_password, address=request.head.address
            )
        except Unauthorized:
            # The session ended meanwhile: the sign-in page is next.
            raise
        except Refused as refused:
            return await self._page(request, refused, field="current_password" if refused.status == 400 else "")
        return redirect(f"{HOME}?done=password")

    async def end_session(self, request: Request[EndForm]) -> Reply:
        """End one of one's sessions, or all others."""
        user_id, session_id = somebody(request)
        if not request.body.session:
            await self._sessions.end_others(user_id, session_id)
            return redirect(f"{HOME}?done=sessions")
        wanted = parse_id(request.body.session)
        try:
            if wanted is not None:
                await self._sessions.end(user_id, wanted)
        except Refused as gone:
            return await self._page(request, gone)
        return redirect(f"{HOME}?done=session")

    # --- The second factor -----------------------------------------------------------------------------------------

    async def begin(self, request: Request[Press]) -> Reply:
        """Make a key for an app."""
        user_id, _ = somebody(request)
        try:
            await self._second_factor.begin(user_id)
        except Refused as refused:
            return await self._page(request, refused)
        return redirect(SECOND_FACTOR)

    async def show_key(self, request: Request) -> Reply:
        """The key that waits for its first code."""
        user_id, _ = somebody(request)
        setup = await self._second_factor.pending(user_id)
        return redirect(HOME) if setup is None else self._key(request, setup)

    async def activate(self, request: Request[CodeForm]) -> Reply:
        """Ask for codes from now on; the recovery codes are shown this once."""
        user_id, _ = somebody(request)
        setup = await self._second_factor.pending(user_id)
        if setup is None:
            return redirect(HOME)
        try:
            codes = await self._second_factor.activate(user_id, request.body.code)
        except Refused as refused:
            return self._key(request, setup, refused)
        return self._face.show(request, "recovery_codes.html", codes=codes)

    async def disable(self, request: Request[CodeForm]) -> Reply:
        """Ask for codes no more."""
        user_id, _ = somebody(request)
        try:
            await self._second_factor.disable(user_id, request.body.code, address=request.head.address)
        except Refused as refused:
            return await self._page(request, refused, field="code")
        return redirect(f"{HOME}?done=mfa-off")

    def _key(self, request: Request[Any, Any], setup: TotpSetup, refused: Refused | None = None) -> Reply:
        image = segno.make(setup.uri).svg_inline(scale=4, border=4, light="#fff", svgclass="qr", lineclass=None)
        return self._face.show(
            request, "second_factor.html", refused, field="code", secret=setup.secret, uri=setup.uri, image=image
        )

    async def _page(
        self, request: Request[Any, Any], refused: Refused | None = None, *, field: str = "", done: str = ""
    ) -> Reply:
        user_id, session_id = somebody(request)
        shown = await read_overview(self._storage, user_id)
        return self._face.show(
            request, "account.html", refused, field=field, shown=shown, current=session_id, done=done
        )


def account_pages(pages: AccountPages, face: Face) -> list[Route]:
    """The account, and what may be changed about it."""
    page = partial(face.pages.page, api=AUTH_PAGES, access=SIGNED_IN, returns=Reply)
    form = partial(page, "POST", body_limit=FORM_LIMIT, errors=(400, 409))
    return [
        page("GET", HOME, pages.show, query=AccountQuery),
        form(f"{HOME}/password", pages.change_password, form=PasswordForm),
        form(f"{HOME}/sessions", pages.end_session, form=EndForm),
        form(SECOND_FACTOR, pages.begin, form=Press),
        page("GET", SECOND_FACTOR, pages.show_key),
        form(f"{SECOND_FACTOR}/activate", pages.activate, form=CodeForm),
        form(f"{SECOND_FACTOR}/disable", pages.disable, form=CodeForm),
    ]
