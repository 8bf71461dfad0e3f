"""Settings in the admin's browser: forms that are checked by the same rules as the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from manor import BadRequest, FieldProblem, Refused, Reply, Request, Route, redirect
from manor_stream.administering.changing import Changing
from manor_stream.key_check import USER
from manor_stream.pages.face import ADMIN_PAGES, ADMINISTRATOR, HOME, Face
from manor_stream.pages.fields import GENERAL, VIDEO, Field, form_of, read_changes
from manor_stream.pages.rows import (
    ActionsForm,
    HandlesForm,
    QualitiesForm,
    StorageForm,
    read_actions,
    read_handles,
    read_qualities,
    read_storage,
)
from manor_stream.parts import Shared
from manor_stream.setting_rules import RULES, Unfit

FORM_LIMIT = 1 << 20
"""Bytes: texts of settings may be long, and grow in a form."""

DONE = "?done=changed"


Show = Callable[..., Reply]
"""Makes a page anew, with what was wrong with its form."""


class DoneQuery(msgspec.Struct, frozen=True):
    """What was done last."""

    done: str = ""


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
            show("/admin/storage", self.storage),
            form("/admin/storage", self.change_storage, form=StorageForm),
        ]

    # --- What the server says of itself ----------------------------------------------------------------------------

    def general(self, request: Request[Any, DoneQuery]) -> Reply:
        """Names and texts."""
        return self._general(request)

    async def change_general(self, request: Request[Any]) -> Reply:
        """Take what has changed of them."""
        return await self._take(request, GENERAL, "general", self._general)

    def _general(self, request: Request[Any, Any], refused: Refused | None = None, **typed: Any) -> Reply:
        return self._form(request, "admin_general.html", GENERAL, refused, **typed)

    # --- Where else -------------------------------------------------------------------------------------------------

    def links(self, request: Request[Any, DoneQuery]) -> Reply:
        """Social handles and external actions."""
        return self._links(request)

    async def change_handles(self, request: Request[HandlesForm]) -> Reply:
        """Take all rows."""
        return await self._take_list(request, "socialhandles", read_handles, "links", self._links)

    async def change_actions(self, request: Request[ActionsForm]) -> Reply:
        """Take all rows."""
        return await self._take_list(request, "externalactions", read_actions, "links", self._links)

    def _links(self, request: Request[Any, Any], refused: Refused | None = None) -> Reply:
        return self._form(request, "admin_links.html", (), refused)

    # --- Video ------------------------------------------------------------------------------------------------------

    async def video(self, request: Request[Any, DoneQuery]) -> Reply:
        """What viewers may choose from, and how it is made."""
        return self._video(request)

    async def change_video(self, request: Request[Any]) -> Reply:
        """Take what has changed of it."""
        return await self._take(request, VIDEO, "video", self._video)

    async def change_qualities(self, request: Request[QualitiesForm]) -> Reply:
        """Take all rows."""
        return await self._take_list(request, "video/streamoutputvariants", read_qualities, "video", self._video)

    def _video(self, request: Request[Any, Any], refused: Refused | None = None, **typed: Any) -> Reply:
        return self._form(request, "admin_video.html", VIDEO, refused, **typed)

    # --- Where segments go ------------------------------------------------------------------------------------------

    def storage(self, request: Request[Any, DoneQuery]) -> Reply:
        """This server, or S3."""
        return self._storage(request)

    async def change_storage(self, request: Request[StorageForm]) -> Reply:
        """Take it; a secret that is not typed stays what it is."""
        read = partial(read_storage, before=self._shared.settings.now.s3)
        return await self._take_list(request, "s3", read, "storage", self._storage)

    def _storage(self, request: Request[Any, Any], refused: Refused | None = None) -> Reply:
        return self._form(request, "admin_storage.html", (), refused)

    # --- What they have in common -----------------------------------------------------------------------------------

    def _form(
        self,
        request: Request[Any, Any],
        template: str,
        fields: Sequence[Field],
        refused: Refused | None,
        typed: dict[str, str] | None = None,
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
        )

    async def _take(self, request: Request[Any], fields: Sequence[Field], page: str, show: Show) -> Reply:
        typed = {field.name: getattr(request.body, field.name) for field in fields}
        changes, problems = read_changes(fields, typed, self._shared.settings.now)
        if not problems:
            for path, value in changes.items():
                try:
                    await self._changing.set(path, value, actor=USER)
                except Unfit as unfit:
                    problems.append(FieldProblem(RULES[path].setting, unfit.expected))
        if problems:
            return show(request, BadRequest("It is not changed", errors=problems), typed=typed)
        return redirect(f"{HOME}{page}{DONE}")

    async def _take_list(
        self, request: Request[Any], path: str, read: Callable[[Any], Any], page: str, show: Show
    ) -> Reply:
        rule = RULES[path]
        try:
            raw = read(request.body)
            rule.fit(raw)
            await self._changing.set(path, msgspec.convert(raw, rule.shape), actor=USER)
        except Unfit as unfit:
            return show(request, BadRequest(f"{unfit.where} {unfit.expected}".strip()))
        return redirect(f"{HOME}{page}{DONE}")
