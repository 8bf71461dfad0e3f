"""The admin's overview: whether the stream is on, who watches, and how the machine does."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from manor import BadRequest, Refused, Reply, Request, Route, redirect
from manor_stream.administering.changing import Changing
from manor_stream.key_check import USER
from manor_stream.pages.chart import chart_of
from manor_stream.pages.face import ADMIN_PAGES, ADMINISTRATOR, HOME, DoneQuery, Face
from manor_stream.pages.fields import TITLE, form_of
from manor_stream.pages.taking import take
from manor_stream.parts import Shared
from manor_stream.watching.hardware import Hardware
from manor_stream.watching.statistics import Statistics

SHOWN = timedelta(days=1)
"""Of the viewers' chart, while nothing is on."""


class Press(msgspec.Struct, frozen=True):
    """A form that is a button, with nothing in it but its token."""


DONE = {"title": "The title is changed.", "disconnected": "The broadcaster is disconnected."}


class LogQuery(msgspec.Struct, frozen=True):
    """Which lines."""

    only: str = ""


class OverviewPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
        changing: Changes settings.
        statistics: Of viewers.
        hardware: Of the machine.
    """

    def __init__(
        self, shared: Shared, face: Face, changing: Changing, statistics: Statistics, hardware: Hardware
    ) -> None:
        self._shared = shared
        self._face = face
        self._changing = changing
        self._statistics = statistics
        self._hardware = hardware

    def routes(self) -> list[Route]:
        """The overview, its two forms, and the log."""
        page = partial(self._face.pages.page, api=ADMIN_PAGES, access=ADMINISTRATOR, returns=Reply)
        return [
            page("GET", "/admin", self.lead_on),
            page("GET", HOME, self.show, query=DoneQuery),
            page("POST", "/admin/title", self.change_title, form=form_of([TITLE])),
            page("POST", "/admin/disconnect", self.disconnect, form=Press),
            page("GET", "/admin/logs", self.logs, query=LogQuery),
        ]

    def lead_on(self, request: Request) -> Reply:
        """People leave the slash out."""
        return redirect(HOME)

    async def show(self, request: Request[Any, DoneQuery]) -> Reply:
        """What is on."""
        return await self._page(request)

    async def change_title(self, request: Request[Any]) -> Reply:
        """Say what is on."""
        typed, problems = await take(self._changing, [TITLE], request.body, self._shared.settings.now)
        if problems:
            return await self._page(request, BadRequest("It is not changed", errors=problems), typed=typed)
        return redirect(f"{HOME}?done=title")

    async def disconnect(self, request: Request[Press]) -> Reply:
        """Drop whoever publishes, and end the broadcast."""
        drop = self._shared.on_air.disconnect
        if drop is None:
            return await self._page(request, BadRequest("Nobody publishes"))
        context = self._shared.context
        await context.storage.write(
            lambda transaction: context.audit.record(transaction, "stream.disconnected", actor=USER)
        )
        drop("an administrator ended the broadcast")
        return redirect(f"{HOME}?done=disconnected")

    def logs(self, request: Request[None, LogQuery]) -> Reply:
        """What happened, newest first."""
        only_warnings = request.query.only == "warnings"
        return self._face.show(
            request,
            "admin_logs.html",
            settings=self._shared.settings.now,
            lines=self._shared.logbook.newest_first(only_warnings=only_warnings),
            only_warnings=only_warnings,
        )

    async def _page(
        self, request: Request[Any, Any], refused: Refused | None = None, typed: dict[str, str] | None = None
    ) -> Reply:
        shared, stats = self._shared, self._hardware.stats
        now = shared.context.clock.now()
        on_air = shared.on_air
        since = on_air.live_since if on_air.is_online and on_air.live_since else now - SHOWN
        return self._face.show(
            request,
            "admin_overview.html",
            refused,
            settings=shared.settings.now,
            on_air=on_air,
            viewers=shared.viewers,
            now=now,
            watched=chart_of(await self._statistics.viewers_since(since)),
            machine=[
                ("Processor", stats.cpu[-1].value if stats.cpu else None, chart_of(stats.cpu, top=100)),
                ("Memory", stats.memory[-1].value if stats.memory else None, chart_of(stats.memory, top=100)),
                ("Disk", stats.disk[-1].value if stats.disk else None, chart_of(stats.disk, top=100)),
            ],
            warnings=shared.logbook.newest_first(only_warnings=True)[:5],
            address=shared.encoder_address,
            title=TITLE,
            typed=typed or {TITLE.name: TITLE.shown(shared.settings.now)},
            done=DONE.get(request.query.done, "") if request.query else "",
        )
