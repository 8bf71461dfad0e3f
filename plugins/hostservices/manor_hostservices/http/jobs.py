"""Jobs: started, followed and ended by devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from manor import Live, Reply, Request, Route
from manor_hostservices.acting import caller
from manor_hostservices.http.api import HOST_API, ONLY_DEVICES, missing_fields, said, told
from manor_hostservices.jobs.known import KnownJob
from manor_hostservices.jobs.streaming import JobStreams
from manor_hostservices.parts import Shared
from manor_hostservices.verbs import JobKind, Lines

HOME = "/api/host/jobs"


class NewJob(msgspec.Struct, frozen=True):
    """A job to be started."""

    kind: JobKind
    dry_run: bool = False
    snapshot: Annotated[str, Meta(pattern=r"^[0-9a-f]{8,64}\Z")] | None = None
    force: bool = False


class LogQuery(msgspec.Struct, frozen=True):
    """How much of it."""

    lines: Annotated[int, Meta(ge=1, le=1000)] = 200


class Ending(msgspec.Struct, frozen=True):
    """A job is told to end."""

    status: int
    message: str


class JobHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
        streams: Opens streams.
    """

    def __init__(self, shared: Shared, streams: JobStreams) -> None:
        self._jobs = shared.jobs
        self._streams = streams

    async def list(self, request: Request) -> Reply:
        """The newest hundred jobs, newest first."""
        return said(await self._jobs.newest())

    async def start(self, request: Request[NewJob]) -> KnownJob:
        """Start a job; it goes on whoever asked for it."""
        wanted = request.body
        if wanted.kind == "restore" and wanted.snapshot is None:
            raise missing_fields("snapshot")
        with told():
            job = await self._jobs.start(
                wanted.kind,
                by=caller(request),
                snapshot=wanted.snapshot,
                dry_run=wanted.dry_run,
                force=wanted.force,
            )
            return await self._jobs.find(job.id)

    async def find(self, request: Request) -> KnownJob:
        """How a job fares."""
        with told():
            return await self._jobs.find(request.params["id"])

    async def log(self, request: Request[None, LogQuery]) -> Lines:
        """The newest lines of what a job's programs said, oldest first."""
        with told():
            return await self._jobs.log(request.params["id"], request.query.lines)

    async def cancel(self, request: Request) -> Ending:
        """End a job before it has done its work."""
        with told():
            await self._jobs.cancel(request.params["id"], by=caller(request))
        return Ending(0, "The job is told to end")

    async def events(self, request: Request) -> Live:
        """All jobs that are known, then each change, as server-sent events."""
        return await self._streams.open(caller(request))


def job_routes(handlers: JobHandlers) -> Sequence[Route]:
    """The operations."""
    one = f"{HOME}/{{id}}"
    return [
        Route("GET", HOME, handlers.list, api=HOST_API, access=ONLY_DEVICES, returns=list[KnownJob]),
        Route(
            "POST",
            HOME,
            handlers.start,
            api=HOST_API,
            access=ONLY_DEVICES,
            body=NewJob,
            returns=KnownJob,
            status=201,
            errors=(409, 503),
        ),
        Route("GET", f"{HOME}/events", handlers.events, api=HOST_API, access=ONLY_DEVICES, returns=Live),
        Route("GET", one, handlers.find, api=HOST_API, access=ONLY_DEVICES, returns=KnownJob),
        Route("DELETE", one, handlers.cancel, api=HOST_API, access=ONLY_DEVICES, returns=Ending, errors=(409, 503)),
        Route(
            "GET",
            f"{one}/log",
            handlers.log,
            api=HOST_API,
            access=ONLY_DEVICES,
            query=LogQuery,
            returns=Lines,
            errors=(503,),
        ),
    ]
