"""Where segments go, in the admin's browser: this server, or S3."""

from __future__ import annotations

from functools import partial
from typing import Any

from msgspec.structs import replace

from manor import BadRequest, FieldProblem, Refused, Reply, Request, Route, redirect
from manor_stream.administering.changing import Changing
from manor_stream.key_check import USER
from manor_stream.pages.face import ADMIN_PAGES, ADMINISTRATOR, HOME, DoneQuery, Face
from manor_stream.pages.rows import place_of
from manor_stream.parts import Shared
from manor_stream.setting_rules import Unfit
from manor_stream.settings import S3Settings

PAGE = f"{HOME}storage"


class StoragePages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
        changing: Changes settings.
    """

    def __init__(self, shared: Shared, face: Face, changing: Changing) -> None:
        self._shared = shared
        self._face = face
        self._changing = changing

    def routes(self) -> list[Route]:
        """The page, and its form, whose fields are the setting's own."""
        page = partial(self._face.pages.page, api=ADMIN_PAGES, access=ADMINISTRATOR, returns=Reply)
        return [
            page("GET", PAGE, self.show, query=DoneQuery),
            page("POST", PAGE, self.change, form=S3Settings),
        ]

    def show(self, request: Request[Any, DoneQuery]) -> Reply:
        """This server, or S3."""
        return self._page(request)

    async def change(self, request: Request[S3Settings]) -> Reply:
        """Take it; a secret that is not typed stays what it is."""
        sent = request.body
        secret = sent.secret or self._shared.settings.now.s3.secret
        try:
            await self._changing.set("s3", replace(sent, secret=secret), actor=USER)
        except Unfit as unfit:
            _, member = place_of(Unfit(unfit.expected, f"[0]{unfit.where}"))
            return self._page(request, BadRequest("", errors=[FieldProblem(member, unfit.expected)]), sent)
        return redirect(f"{PAGE}?done=changed")

    def _page(
        self, request: Request[Any, Any], refused: Refused | None = None, sent: S3Settings | None = None
    ) -> Reply:
        now = self._shared.settings.now
        return self._face.show(
            request,
            "admin_storage.html",
            refused,
            settings=now,
            s3=sent or now.s3,
            has_secret=bool(now.s3.secret),
            unreadable=self._shared.shipping.unreadable,
            done="It is changed." if request.query and request.query.done else "",
        )
