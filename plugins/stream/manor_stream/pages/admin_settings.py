"""Settings in the admin's browser: forms that are checked by the same rules as the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from manor import BadRequest, Refused, Reply, Request, Route, redirect
from manor_stream.administering.changing import Changing
from manor_stream.key_check import USER
from manor_stream.pages.face import ADMIN_PAGES, ADMINISTRATOR, HOME, DoneQuery, Face
from manor_stream.pages.fields import GENERAL, VIDEO, Field, form_of
from manor_stream.pages.rows import (
    NOTHING,
    ActionsForm,
    HandlesForm,
    QualitiesForm,
    Row,
    Typed,
    read_rows,
    rows_of,
    sent_rows,
)
from manor_stream.pages.taking import take
from manor_stream.parts import Shared
from manor_stream.quality import Quality
from manor_stream.setting_rules import RULES, Unfit
from manor_stream.settings import ExternalAction, SocialHandle

FORM_LIMIT = 1 << 20
"""Bytes: texts of settings may be long, and grow in a form."""

DONE = "?done=changed"

QUALITIES = "video/streamoutputvariants"
NEW_QUALITY = Quality(audio_passthrough=True)

SPARE_ROWS = 2
"""Empty ones below those that are set."""

Show = Callable[..., Reply]
"""Makes a page anew, with what was wrong with its form."""


class SettingsPages:
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
        """A page for each group of settings, and where its forms go."""
        page = partial(self._face.pages.page, api=ADMIN_PAGES, access=ADMINISTRATOR, returns=Reply)
        show = partial(page, "GET", query=DoneQuery)
        form = partial(page, "POST", body_limit=FORM_LIMIT)
        return [
            show("/admin/general", self.general),
            form("/admin/general", self.change_general, form=form_of(GENERAL)),
            show("/admin/links", self.links),
            form("/admin/links/social", self.change_handles, form=HandlesForm),
            form("/admin/links/actions", self.change_actions, form=ActionsForm),
            show("/admin/video", self.video),
            form("/admin/video", self.change_video, form=form_of(VIDEO)),
            form("/admin/video/qualities", self.change_qualities, form=QualitiesForm),
        ]

    def general(self, request: Request[Any, DoneQuery]) -> Reply:
        """Names and texts."""
        return self._general(request)

    async def change_general(self, request: Request[Any]) -> Reply:
        """Take what has changed of them."""
        return await self._take(request, GENERAL, "general", self._general)

    def _general(self, request: Request[Any, Any], refused: Refused | None = None, **typed: Any) -> Reply:
        return self._form(request, "admin_general.html", GENERAL, refused, **typed)

    def links(self, request: Request[Any, DoneQuery]) -> Reply:
        """Social handles and external actions."""
        return self._links(request)

    async def change_handles(self, request: Request[Any]) -> Reply:
        """Take all rows that have an address."""
        return await self._take_list(request, "socialhandles", SocialHandle, _has_address, "links", self._links)

    async def change_actions(self, request: Request[Any]) -> Reply:
        """Take all rows that have an address."""
        return await self._take_list(request, "externalactions", ExternalAction, _has_address, "links", self._links)

    def _links(self, request: Request[Any, Any], refused: Refused | None = None, sent: Typed = NOTHING) -> Reply:
        now = self._shared.settings.now
        pages = rows_of([*now.social_handles, *[SocialHandle("", "")] * SPARE_ROWS])
        buttons = rows_of([*now.external_actions, *[ExternalAction("", "")] * SPARE_ROWS])
        return self._form(
            request,
            "admin_links.html",
            (),
            refused,
            pages=sent.if_of("socialhandles", pages),
            buttons=sent.if_of("externalactions", buttons),
        )

    async def video(self, request: Request[Any, DoneQuery]) -> Reply:
        """What viewers may choose from, and how it is made."""
        return self._video(request)

    async def change_video(self, request: Request[Any]) -> Reply:
        """Take what has changed of it."""
        return await self._take(request, VIDEO, "video", self._video)

    async def change_qualities(self, request: Request[Any]) -> Reply:
        """Take all rows that are not to go, and the last one if it is wanted."""
        form = request.body
        last = len(form.name) - 1

        def is_kept(number: int, row: Row) -> bool:
            return str(number) not in form.gone and (number < last or bool(form.wanted))

        return await self._take_list(request, QUALITIES, Quality, is_kept, "video", self._video)

    def _video(
        self, request: Request[Any, Any], refused: Refused | None = None, sent: Typed = NOTHING, **typed: Any
    ) -> Reply:
        qualities = rows_of([*self._shared.settings.now.qualities, NEW_QUALITY])
        return self._form(
            request, "admin_video.html", VIDEO, refused, qualities=sent.if_of(QUALITIES, qualities), **typed
        )

    def _form(
        self,
        request: Request[Any, Any],
        template: str,
        fields: Sequence[Field],
        refused: Refused | None,
        typed: dict[str, str] | None = None,
        **values: Any,
    ) -> Reply:
        settings = self._shared.settings.now
        return self._face.show(
            request,
            template,
            refused,
            settings=settings,
            fields=fields,
            typed=typed or {field.name: field.shown(settings) for field in fields},
            done="It is changed." if request.query and request.query.done else "",
            **values,
        )

    async def _take(self, request: Request[Any], fields: Sequence[Field], page: str, show: Show) -> Reply:
        typed, problems = await take(self._changing, fields, request.body, self._shared.settings.now)
        if problems:
            return show(request, BadRequest("It is not changed", errors=problems), typed=typed)
        return redirect(f"{HOME}{page}{DONE}")

    async def _take_list(
        self,
        request: Request[Any],
        path: str,
        shape: type[msgspec.Struct],
        is_kept: Callable[[int, Row], bool],
        page: str,
        show: Show,
    ) -> Reply:
        rows: list[Row] = []
        numbers: list[int] = []
        try:
            rows = sent_rows(request.body, shape)
            numbers = [number for number, row in enumerate(rows) if is_kept(number, row)]
            raw = read_rows([rows[number] for number in numbers], shape)
            await self._changing.set(path, RULES[path].shaped(raw), actor=USER)
        except Unfit as unfit:
            sent = Typed.of(path, request.body, rows, numbers, unfit)
            return show(request, BadRequest(sent.trouble), sent=sent)
        return redirect(f"{HOME}{page}{DONE}")


def _has_address(number: int, row: Row) -> bool:
    return bool(row["url"].strip())
