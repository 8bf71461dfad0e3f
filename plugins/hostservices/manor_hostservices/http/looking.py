"""Looking at the host beyond what the SelfPrivacy API shows: services, their journals, updates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from manor import NotFound, Reply, Request, Route
from manor_hostservices.catalogue import catalogue
from manor_hostservices.http.api import HOST_API, ONLY_DEVICES, said, told
from manor_hostservices.parts import Shared
from manor_hostservices.sizes import KnownSize
from manor_hostservices.verbs import Lines, ReadJournal, ReadServices, ReadUpdates, ServiceState, Updates

UPDATES_SECONDS = 150.0
"""A package manager that is asked what it would do may have to wait for another one."""


class JournalQuery(msgspec.Struct, frozen=True):
    """How many lines, and after which."""

    lines: Annotated[int, Meta(ge=1, le=1000)] = 100
    after: Annotated[str, Meta(pattern=r"^[0-9a-z=;]{0,512}\Z")] = ""


class ShownService(ServiceState, frozen=True):
    """How a service fares, and how much room its data takes up; None: it has none that is known of."""

    data: KnownSize | None = None


class LookingHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._host = shared.host
        self._sizes = shared.sizes
        self._catalogue = catalogue(shared.config.services)

    async def services(self, request: Request) -> Reply:
        """How every service of the catalogue fares."""
        with told():
            states = await self._host.ask(ReadServices())
        sizes = await self._sizes.known()
        return said([ShownService(**msgspec.structs.asdict(state), data=sizes.get(state.key)) for state in states])

    async def journal(self, request: Request[None, JournalQuery]) -> Lines:
        """What a service's units said: the newest lines, or those after a cursor."""
        key = request.params["key"]
        if key not in self._catalogue:
            raise NotFound("There is no such service")
        with told():
            return await self._host.ask(ReadJournal(key, request.query.lines, request.query.after))

    async def updates(self, request: Request) -> Updates:
        """What an upgrade would bring, and whether the host wants a restart."""
        with told():
            return await self._host.ask(ReadUpdates())


def looking_routes(handlers: LookingHandlers) -> Sequence[Route]:
    """The operations."""
    home = "/api/host"
    return [
        Route(
            "GET",
            f"{home}/services",
            handlers.services,
            api=HOST_API,
            access=ONLY_DEVICES,
            returns=list[ShownService],
            errors=(503,),
        ),
        Route(
            "GET",
            f"{home}/services/{{key}}/journal",
            handlers.journal,
            api=HOST_API,
            access=ONLY_DEVICES,
            query=JournalQuery,
            returns=Lines,
            errors=(503,),
        ),
        Route(
            "GET",
            f"{home}/updates",
            handlers.updates,
            api=HOST_API,
            access=ONLY_DEVICES,
            returns=Updates,
            errors=(503,),
            deadline=UPDATES_SECONDS,
        ),
    ]
