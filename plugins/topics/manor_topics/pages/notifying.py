"""Notifications of a browser: its service worker, and the forms that its page's script sends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec

from manor import PUBLIC, NotFound, Reply, Request, Route, Unavailable
from manor_topics.creating import refusal
from manor_topics.domain import Misfit
from manor_topics.pages.face import FORM_LIMIT, SIGNED_IN, TOPIC_PAGES, Face, somebody
from manor_topics.push.addresses import LONGEST_TOKEN
from manor_topics.push.registering import Registering, WantedDevice

WORKER = "/app/notifications.js"
DEVICE = "/app/notifications"

LONGEST_ID = 64
LONGEST_NAME = 100


class BrowserForm(msgspec.Struct, frozen=True):
    """A browser: what it calls itself, and the `PushSubscription` as JSON, which is empty once it wants nothing."""

    device_id: str
    device_name: str = ""
    push_token: str = ""


class NotifyingPages:
    """One method for each request.

    Args:
        face: Guards forms.
        registering: Keeps devices.
        public_key: The key for browsers; None while these are not pushed to.
    """

    def __init__(self, face: Face, registering: Registering, public_key: Callable[[], str | None]) -> None:
        self._face = face
        self._registering = registering
        self._public_key = public_key
        self._worker = (Path(__file__).parent.parent / "static" / "notifications.js").read_bytes()

    def routes(self) -> list[Route]:
        """The worker, which has to stand above the pages that it speaks for, and the browser's registration."""
        page = partial(self._face.pages.page, api=TOPIC_PAGES)
        form = partial(page, "POST", access=SIGNED_IN, form=BrowserForm, body_limit=FORM_LIMIT, returns=Reply)
        return [
            page("GET", WORKER, self.worker, access=PUBLIC, returns=Reply),
            form(DEVICE, self.register),
            form(f"{DEVICE}/end", self.end),
        ]

    def worker(self, request: Request) -> Reply:
        """What shows notifications while no page is open."""
        headers = {"Cache-Control": "no-cache", "Content-Security-Policy": "default-src 'none'"}
        return Reply(self._worker, 200, "text/javascript; charset=utf-8", headers)

    async def register(self, request: Request[BrowserForm]) -> Reply:
        """Have this browser told of messages, however often it says so."""
        form = _checked(request.body)
        if self._public_key() is None:
            raise Unavailable("This server pushes nothing to browsers")
        wanted = WantedDevice(
            push_token=form.push_token, platform="web", device_id=form.device_id, device_name=form.device_name or None
        )
        await self._registering.register(somebody(request.principals), wanted)
        return Reply(b"", 204, "")

    async def end(self, request: Request[BrowserForm]) -> Reply:
        """Have it told no more."""
        user_id, device_id = somebody(request.principals), _checked(request.body).device_id
        with suppress(NotFound):  # it may be told nothing already
            await self._registering.remove(user_id, device_id)
        return Reply(b"", 204, "")


def _checked(form: BrowserForm) -> BrowserForm:
    fields = {
        "device_id": (form.device_id, LONGEST_ID),
        "device_name": (form.device_name, LONGEST_NAME),
        "push_token": (form.push_token, LONGEST_TOKEN),
    }
    for name, (text, most) in fields.items():
        if len(text) > most or not text.isprintable():
            raise refusal(Misfit(name, f"is at most {most} characters that can be seen"))
    if not form.device_id.strip():
        raise refusal(Misfit("device_id", "is missing"))
    return form
