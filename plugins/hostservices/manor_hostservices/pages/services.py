"""Services in a browser: whether they run, what they said, and switching them; the SSH server besides."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from manor import Refused, Reply, Request, Route, redirect
from manor_hostservices.catalogue import catalogue
from manor_hostservices.http.api import CHANGE_SECONDS, told
from manor_hostservices.pages.face import HOME, Face, not_there
from manor_hostservices.parts import Shared
from manor_hostservices.verbs import ReadJournal, ReadServices, ReadSsh, SetSsh, SshSettings, SwitchService

LINES = 200
"""Of a journal's end."""

SSH = f"{HOME}/ssh"


class SwitchForm(msgspec.Struct, frozen=True):
    """Which way."""

    turn: Literal["on", "off"]


class SshForm(msgspec.Struct, frozen=True):
    """Boxes: what is not ticked is not sent."""

    enable: Literal["yes", ""] = ""
    passwords: Literal["yes", ""] = ""


class DoneQuery(msgspec.Struct, frozen=True):
    """What was done last."""

    done: str = ""


class ServicePages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
    """

    def __init__(self, shared: Shared, face: Face) -> None:
        self._host = shared.host
        self._acting = shared.acting
        self._jobs = shared.jobs
        self._sizes = shared.sizes
        self._catalogue = catalogue(shared.config.services)
        self._face = face

    def routes(self) -> list[Route]:
        """The pages, and their forms."""
        page, one = self._face.page, f"{HOME}/services/{{service}}"
        return [
            page("GET", HOME, self.show, query=DoneQuery, returns=Reply),
            page("GET", one, self.show_one, returns=Reply),
            page("POST", one, self.switch, form=SwitchForm, returns=Reply, deadline=CHANGE_SECONDS),
            page("GET", SSH, self.show_ssh, query=DoneQuery, returns=Reply),
            page("POST", SSH, self.set_ssh, form=SshForm, returns=Reply, deadline=CHANGE_SECONDS),
        ]

    async def show(self, request: Request[None, DoneQuery]) -> Reply:
        """All of them."""
        return await self._page(request)

    async def show_one(self, request: Request) -> Reply:
        """What a service said last."""
        key = request.params["service"]
        if key not in self._catalogue:
            raise not_there("service")
        with told():
            services = await self._host.ask(ReadServices())
            journal = await self._host.ask(ReadJournal(key, LINES))
        service = next(each for each in services if each.key == key)
        data = (await self._sizes.known()).get(key)
        return await self._face.show(request, "service.html", service=service, data=data, lines=journal.lines)

    async def switch(self, request: Request[SwitchForm]) -> Reply:
        """Start a service now and with the host, or stop it for good."""
        key, turn = request.params["service"], request.body.turn
        if key not in self._catalogue:
            raise not_there("service")
        try:
            with told():
                await self._acting.change(SwitchService(key, turn == "on"), by=str(request.user_id))
        except Refused as refused:
            return await self._page(request, refused)
        return redirect(f"{HOME}?done={key}-{turn}")

    async def show_ssh(self, request: Request[None, DoneQuery]) -> Reply:
        """The SSH server's settings."""
        with told():
            settings = await self._host.ask(ReadSsh())
        done = "The settings are changed." if request.query.done else ""
        return await self._face.show(request, "ssh.html", settings=settings, done=done)

    async def set_ssh(self, request: Request[SshForm]) -> Reply:
        """Change them."""
        wanted = SshSettings(request.body.enable == "yes", request.body.passwords == "yes")
        verb = SetSsh(wanted.enable, wanted.password_authentication)
        try:
            with told():
                await self._acting.change(verb, by=str(request.user_id))
        except Refused as refused:
            return await self._face.show(request, "ssh.html", refused, settings=wanted)
        return redirect(f"{SSH}?done=yes")

    async def _page(self, request: Request[Any, Any], refused: Refused | None = None) -> Reply:
        with told():
            services = await self._host.ask(ReadServices())
        jobs = await self._jobs.running()
        return await self._face.show(
            request,
            "services.html",
            refused,
            services=services,
            data=await self._sizes.known(),
            jobs=jobs,
            names=await self._face.names(jobs),
            done=self._done(request.query.done) if request.query else "",
        )

    def _done(self, done: str) -> str:
        key, _, turn = done.rpartition("-")
        if key not in self._catalogue or turn not in ("on", "off"):
            return ""
        return f"{self._catalogue[key].title} is switched {turn}."
