"""Services: whether they run, and switching them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from manor import Reply, Request, Route
from manor_hostservices.acting import caller
from manor_hostservices.catalogue import SWITCHED, catalogue
from manor_hostservices.http.api import CHANGE_SECONDS, HOST_API, ONLY_DEVICES, said, told
from manor_hostservices.parts import Shared
from manor_hostservices.refusals import Missing
from manor_hostservices.verbs import ReadDkim, ReadServices, SwitchService


class Statuses(msgspec.Struct, frozen=True):
    """For each service the exit status of `systemctl status`: 0 running, 3 not running, 4 no such unit."""

    imap: int
    smtp: int
    http: int
    bitwarden: int
    gitea: int
    nextcloud: int
    ocserv: int
    pleroma: int


class Switched(msgspec.Struct, frozen=True):
    """A service was switched."""

    status: int
    message: str


class ServiceHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._host = shared.host
        self._acting = shared.acting
        self._catalogue = catalogue(shared.config.services)

    async def status(self, request: Request) -> Statuses:
        """Which services run."""
        with told():
            states = await self._host.ask(ReadServices())
        found = {state.key: state.status for state in states}
        return Statuses(**{name: found[name] for name in Statuses.__struct_fields__})

    async def enable(self, request: Request) -> Switched:
        """Start a service, now and with the host."""
        return await self._switch(request, on=True)

    async def disable(self, request: Request) -> Switched:
        """Stop a service for good."""
        return await self._switch(request, on=False)

    async def dkim(self, request: Request) -> Reply:
        """The mail server's DKIM record: the zone file's bytes in base64."""
        with told():
            record = await self._host.ask(ReadDkim())
        if record is None:
            return Reply(b'"DKIM file not found"', 404)
        return said(base64.b64encode(record).decode())

    async def _switch(self, request: Request[Any, Any], *, on: bool) -> Switched:
        key = request.params["service"]
        # The names that programs know, whatever the admin calls the services.
        entry = SWITCHED.get(key) or self._catalogue.get(key)
        with told():
            if entry is None or not entry.switchable:
                raise Missing("There is no such service that can be switched")
            await self._acting.change(SwitchService(key, on), by=caller(request))
        return Switched(0, f"{entry.title} {'enabled' if on else 'disabled'}")


def service_routes(handlers: ServiceHandlers) -> Sequence[Route]:
    """The operations."""
    return [
        Route("GET", "/services/status", handlers.status, api=HOST_API, access=ONLY_DEVICES, returns=Statuses),
        Route("GET", "/services/mailserver/dkim", handlers.dkim, api=HOST_API, access=ONLY_DEVICES, returns=str),
        *(
            Route(
                "POST",
                f"/services/{{service}}/{verb}",
                handler,
                api=HOST_API,
                access=ONLY_DEVICES,
                returns=Switched,
                values={"service": sorted(SWITCHED)},
                deadline=CHANGE_SECONDS,
            )
            for verb, handler in (("enable", handlers.enable), ("disable", handlers.disable))
        ),
    ]
