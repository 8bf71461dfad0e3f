"""Where people arrive from elsewhere: invited into a team, back from a provider, or as the first of all."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec

from manor import PUBLIC, BadRequest, Conflict, PluginContext, Refused, Reply, Request, Route, redirect
from manor_auth.config import AuthConfig
from manor_auth.inviting import Inviting
from manor_auth.pages.face import AUTH_PAGES, FORM_LIMIT, SIGNED_IN, Face, somebody
from manor_auth.profile import Profile
from manor_auth.registering import Wanted
from manor_auth.setting_up import SettingUp


class TokenQuery(msgspec.Struct, frozen=True):
    """The token of the link."""

    token: str = ""


class TokenForm(msgspec.Struct, frozen=True):
    """The same, from the page's form."""

    token: str = ""


class CallbackQuery(msgspec.Struct, frozen=True):
    """A word for what went wrong, where the configuration has it in the query."""

    error: str = ""


class SetupForm(msgspec.Struct, frozen=True):
    """The first admin."""

    token: str = ""
    username: str = ""
    email: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Without the password, whatever log or traceback it lands in."""
        return f"SetupForm(username={self.username!r}, email={self.email!r})"


class ArrivingPages:
    """One method for each request.

    Args:
        face: Renders.
        context: The plugin's.
        inviting: Invites.
        setting_up: The first admin.
        profile: Who has signed in.
    """

    def __init__(
        self,
        face: Face,
        context: PluginContext[AuthConfig],
        inviting: Inviting,
        setting_up: SettingUp,
        profile: Profile,
    ) -> None:
        self._face = face
        self._identity = context.identity.config
        self._inviting = inviting
        self._setting_up = setting_up
        self._profile = profile

    # --- Invites ---------------------------------------------------------------------------------------------------

    async def show_invite(self, request: Request[None, TokenQuery]) -> Reply:
        """Who invites to what; with a button for who has signed in, and a way in for others."""
        return await self._invite(request, request.query.token)

    async def accept_invite(self, request: Request[TokenForm]) -> Reply:
        """Join the team."""
        user_id, _ = somebody(request)
        invitation = await self._inviting.find(request.body.token)
        try:
            await self._inviting.accept(request.body.token, user_id)
        except Refused as refused:
            return await self._invite(request, request.body.token, refused)
        return self._face.show(request, "invite_accepted.html", team=invitation.team.name if invitation else "")

    async def _invite(self, request: Request[Any, Any], token: str, refused: Refused | None = None) -> Reply:
        invitation = await self._inviting.find(token) if token else None
        if invitation is None and refused is None:
            refused = BadRequest("This invite is not valid any more: ask for a new one")
        mine = None
        if request.user_id is not None:
            mine = (await self._profile.show(request.user_id)).user
        back = urlencode({"next": f"/teams/invite?{urlencode({'token': token})}"})
        may_sign_up = self._identity.registration != "closed"
        return self._face.show(
            request,
            "invite.html",
            refused,
            invitation=invitation,
            token=token,
            mine=mine,
            sign_in=f"/login?{back}",
            sign_up=f"/register?{back}&{urlencode({'invite': token})}" if may_sign_up else "",
        )

    # --- Providers -------------------------------------------------------------------------------------------------

    def callback(self, request: Request[None, CallbackQuery]) -> Reply:
        """The end of a sign-in for another program. What it brings stands behind `#`, where only a script reads it."""
        if request.query.error:
            return redirect(f"/login?{urlencode({'error': request.query.error})}")
        return self._face.show(request, "callback.html")

    # --- The first admin -------------------------------------------------------------------------------------------

    async def show_setup(self, request: Request[None, TokenQuery]) -> Reply:
        """The form, for who has the link."""
        if not await self._setting_up.is_wanted():
            return self._over(request)
        if not await self._setting_up.is_good(request.query.token):
            return self._face.show(request, "setup_link.html", BadRequest("This link is not valid, or has expired"))
        return self._face.show(request, "setup.html", form=SetupForm(token=request.query.token))

    async def set_up(self, request: Request[SetupForm]) -> Reply:
        """Make the first admin, who is signed in by that."""
        form = request.body
        wanted = Wanted(email=form.email.strip(), username=form.username.strip(), password=form.password)
        if not await self._setting_up.is_wanted():
            return self._over(request)
        if not await self._setting_up.is_good(form.token):
            return self._face.show(request, "setup_link.html", BadRequest("This link is not valid, or has expired"))
        try:
            cookie = await self._setting_up.set_up(form.token, wanted, request.head)
        except (Conflict, BadRequest) as late:
            if late.errors:
                return self._face.show(request, "setup.html", late, form=form)
            # Somebody else was quicker.
            return self._over(request)
        except Refused as refused:
            return self._face.show(request, "setup.html", refused, form=form)
        return redirect("/account", headers={"Set-Cookie": cookie})

    def _over(self, request: Request[Any, Any]) -> Reply:
        return self._face.show(request, "setup_over.html", Conflict("This server is set up already"))


def arriving_pages(pages: ArrivingPages, face: Face) -> list[Route]:
    """Invites, providers, set-up."""
    page = partial(face.pages.page, api=AUTH_PAGES, returns=Reply)
    return [
        page("GET", "/teams/invite", pages.show_invite, access=PUBLIC, query=TokenQuery),
        page(
            "POST",
            "/teams/invite",
            pages.accept_invite,
            access=SIGNED_IN,
            form=TokenForm,
            body_limit=FORM_LIMIT,
            errors=(400, 404, 409),
        ),
        page("GET", "/auth/callback", pages.callback, access=PUBLIC, query=CallbackQuery),
        page("GET", "/setup", pages.show_setup, access=PUBLIC, query=TokenQuery),
        page(
            "POST",
            "/setup",
            pages.set_up,
            access=PUBLIC,
            form=SetupForm,
            body_limit=FORM_LIMIT,
            errors=(400, 409, 503),
        ),
    ]
