"""Who comes in: the stream key, tokens of bots, and the webhooks that tell them."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

import msgspec

from manor import BadRequest, FieldProblem, Refused, Reply, Request, Route, redirect
from manor_stream.administering.part import Administering
from manor_stream.administering.tokens import listed_form
from manor_stream.http.api import SCOPES
from manor_stream.key_check import USER
from manor_stream.pages.face import ADMIN_PAGES, ADMINISTRATOR, HOME, DoneQuery, Face
from manor_stream.parts import Shared
from manor_stream.setting_rules import Unfit
from manor_stream.settings import KEY_BYTES
from manor_stream.webhooks.payloads import EVENTS

PAGE = f"{HOME}access"
FORM_LIMIT = 16_384

DONE = {
    "token": "The token opens nothing any more.",
    "webhook": "The webhook is deleted.",
    "key": "The stream key is changed: sign in with it from now on.",
}


class KeyForm(msgspec.Struct, frozen=True):
    """Another stream key; an empty one is made at random."""

    key: str = ""


class TokenForm(msgspec.Struct, frozen=True):
    """A token for a bot."""

    name: str = ""
    scopes: list[str] = []


class WebhookForm(msgspec.Struct, frozen=True):
    """Where something is posted, and what."""

    url: str = ""
    events: list[str] = []


class Named(msgspec.Struct, frozen=True):
    """Which one is to go."""

    id: str = ""


class AccessPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
        administering: Makes and deletes what is shown here.
    """

    def __init__(self, shared: Shared, face: Face, administering: Administering) -> None:
        self._shared = shared
        self._face = face
        self._changing = administering.changing
        self._tokens = administering.tokens
        self._webhooks = administering.webhooks

    def routes(self) -> list[Route]:
        """The page, and where its forms go."""
        page = partial(self._face.pages.page, api=ADMIN_PAGES, access=ADMINISTRATOR, returns=Reply)
        form = partial(page, "POST", body_limit=FORM_LIMIT)
        return [
            page("GET", PAGE, self.show, query=DoneQuery),
            form(f"{PAGE}/key", self.change_key, form=KeyForm),
            form(f"{PAGE}/tokens", self.make_token, form=TokenForm),
            form(f"{PAGE}/tokens/delete", self.delete_token, form=Named),
            form(f"{PAGE}/webhooks", self.make_webhook, form=WebhookForm),
            form(f"{PAGE}/webhooks/delete", self.delete_webhook, form=Named),
        ]

    async def show(self, request: Request[Any, DoneQuery]) -> Reply:
        """What there is."""
        return await self._page(request, done=DONE.get(request.query.done, ""))

    async def change_key(self, request: Request[KeyForm]) -> Reply:
        """Another key: what the browser signs in with is the old one, so it is asked anew at the next page.

        One that was made here is shown before that: nobody else knows what to sign in with.
        """
        key = request.body.key or secrets.token_urlsafe(KEY_BYTES)
        try:
            await self._changing.set("key", key, actor=USER)
        except Unfit as unfit:
            return await self._page(request, BadRequest("", errors=[FieldProblem("key", unfit.expected)]))
        if not request.body.key:
            return await self._page(request, made=("key", self._shared.settings.now.name, key))
        return redirect(f"{PAGE}?done=key")

    async def make_token(self, request: Request[TokenForm]) -> Reply:
        """Make a token, and show it this once."""
        try:
            _, secret = await self._tokens.create(request.body.name, request.body.scopes)
        except BadRequest as refused:
            return await self._page(request, refused)
        return await self._page(request, made=("token", request.body.name, secret))

    async def delete_token(self, request: Request[Named]) -> Reply:
        """Have it open nothing any more."""
        try:
            await self._tokens.delete(request.body.id)
        except BadRequest as refused:
            return await self._page(request, refused)
        return redirect(f"{PAGE}?done=token")

    async def make_webhook(self, request: Request[WebhookForm]) -> Reply:
        """Make a webhook, and show its secret this once."""
        try:
            webhook = await self._webhooks.create(request.body.url.strip(), request.body.events)
        except BadRequest as refused:
            return await self._page(request, refused)
        return await self._page(request, made=("secret", webhook.url, webhook.secret))

    async def delete_webhook(self, request: Request[Named]) -> Reply:
        """Delete it."""
        text = request.body.id
        try:
            await self._webhooks.delete(int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0)
        except BadRequest as refused:
            return await self._page(request, refused)
        return redirect(f"{PAGE}?done=webhook")

    async def _page(
        self,
        request: Request[Any, Any],
        refused: Refused | None = None,
        *,
        made: tuple[str, str, str] | None = None,
        done: str = "",
    ) -> Reply:
        settings = self._shared.settings.now
        tokens = await self._tokens.list()
        return self._face.show(
            request,
            "admin_access.html",
            refused,
            settings=settings,
            address=self._shared.encoder_address,
            tokens=[(token, listed_form(token)) for token in tokens],
            scopes=SCOPES,
            webhooks=await self._webhooks.list(),
            events=EVENTS,
            made=made,
            done=done,
        )
