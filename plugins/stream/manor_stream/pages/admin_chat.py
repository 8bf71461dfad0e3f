"""The chat in the admin's browser: its settings, what was said, and who is kept out."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import msgspec
from markupsafe import Markup

from manor import BadRequest, Refused, Reply, Request, Route, redirect
from manor_stream.administering.changing import Changing
from manor_stream.chat.moderation import Moderation
from manor_stream.pages.admin_settings import FORM_LIMIT
from manor_stream.pages.face import ADMIN_PAGES, ADMINISTRATOR, HOME, DoneQuery, Face
from manor_stream.pages.fields import CHAT, form_of
from manor_stream.pages.taking import take
from manor_stream.parts import Shared

PAGE = f"{HOME}chat"

SHOWN = 100
"""Messages on the page, the newest."""

DONE = {
    "changed": "It is changed.",
    "hidden": "The message is hidden.",
    "shown": "The message is shown again.",
    "out": "They are kept out, and their messages are hidden.",
    "in": "They may take part again.",
    "banned": "The address is shut out.",
    "unbanned": "The address may come in again.",
}


_EMOJI = re.compile(r'<img[^>]* alt="([^"]*)"[^>]*>')


class Named(msgspec.Struct, frozen=True):
    """Which message, or who."""

    id: str = ""


class AddressForm(msgspec.Struct, frozen=True):
    """An IP address, or a network."""

    address: str = ""


class ChatPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
        changing: Changes settings.
        moderation: Keeps order.
    """

    def __init__(self, shared: Shared, face: Face, changing: Changing, moderation: Moderation) -> None:
        self._shared = shared
        self._face = face
        self._changing = changing
        self._moderation = moderation

    def routes(self) -> list[Route]:
        """The page, and where its forms go."""
        page = partial(self._face.pages.page, api=ADMIN_PAGES, access=ADMINISTRATOR, returns=Reply)
        return [
            page("GET", PAGE, self.show, query=DoneQuery),
            page("POST", PAGE, self.change, form=form_of(CHAT), body_limit=FORM_LIMIT),
            page("POST", f"{PAGE}/hide", self.hide, form=Named),
            page("POST", f"{PAGE}/show", self.reveal, form=Named),
            page("POST", f"{PAGE}/keep-out", self.keep_out, form=Named),
            page("POST", f"{PAGE}/let-in", self.let_in, form=Named),
            page("POST", f"{PAGE}/ban", self.ban, form=AddressForm),
            page("POST", f"{PAGE}/unban", self.unban, form=AddressForm),
        ]

    async def show(self, request: Request[Any, DoneQuery]) -> Reply:
        """What was said lately."""
        return await self._page(request)

    async def change(self, request: Request[Any]) -> Reply:
        """Take what has changed of the settings."""
        typed, problems = await take(self._changing, CHAT, request.body, self._shared.settings.now)
        if problems:
            return await self._page(request, BadRequest("It is not changed", errors=problems), typed=typed)
        return redirect(f"{PAGE}?done=changed")

    async def hide(self, request: Request[Named]) -> Reply:
        """Have viewers see it no more."""
        await self._moderation.set_visible([request.body.id], visible=False)
        return redirect(f"{PAGE}?done=hidden")

    async def reveal(self, request: Request[Named]) -> Reply:
        """Have viewers see it again."""
        await self._moderation.set_visible([request.body.id], visible=True)
        return redirect(f"{PAGE}?done=shown")

    async def keep_out(self, request: Request[Named]) -> Reply:
        """Have somebody write no more."""
        return await self._enable(request, enabled=False)

    async def let_in(self, request: Request[Named]) -> Reply:
        """Have them write again."""
        return await self._enable(request, enabled=True)

    async def ban(self, request: Request[AddressForm]) -> Reply:
        """Shut an address out."""
        try:
            await self._moderation.ban(request.body.address.strip())
        except BadRequest as refused:
            return await self._page(request, refused)
        return redirect(f"{PAGE}?done=banned")

    async def unban(self, request: Request[AddressForm]) -> Reply:
        """Let it in again."""
        try:
            await self._moderation.unban(request.body.address)
        except BadRequest as refused:
            return await self._page(request, refused)
        return redirect(f"{PAGE}?done=unbanned")

    async def _enable(self, request: Request[Named], *, enabled: bool) -> Reply:
        try:
            await self._moderation.set_enabled(request.body.id, enabled=enabled)
        except BadRequest as refused:
            return await self._page(request, refused)
        return redirect(f"{PAGE}?done={'in' if enabled else 'out'}")

    async def _page(
        self, request: Request[Any, Any], refused: Refused | None = None, typed: dict[str, str] | None = None
    ) -> Reply:
        settings = self._shared.settings.now
        messages = await self._moderation.messages()
        return self._face.show(
            request,
            "admin_chat.html",
            refused,
            settings=settings,
            fields=CHAT,
            typed=typed or {field.name: field.shown(settings) for field in CHAT},
            messages=list(reversed(messages[-SHOWN:])),
            words=_words,
            disabled=await self._moderation.disabled(),
            banned=await self._moderation.banned(),
            done=DONE.get(request.query.done, "") if request.query else "",
        )


def _words(body: str) -> str:
    """A message as text: emoji by their names, as they were typed."""
    return Markup(_EMOJI.sub(r"\1", body)).striptags()  # noqa: S704 - what is made of it is text
