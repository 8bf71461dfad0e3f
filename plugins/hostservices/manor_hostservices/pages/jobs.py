"""Jobs in a browser: started, followed and ended; and the updates that there are to start one for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from manor import BadRequest, Live, Refused, Reply, Request, Route, redirect
from manor_hostservices.http.api import told
from manor_hostservices.http.looking import UPDATES_SECONDS
from manor_hostservices.jobs.known import KnownJob
from manor_hostservices.jobs.streaming import JobStreams
from manor_hostservices.pages.ending import StreamEndings
from manor_hostservices.pages.face import HOME, KINDS, Face
from manor_hostservices.pages.fresh import Freshness, session_of
from manor_hostservices.parts import Shared
from manor_hostservices.refusals import HostRefusal
from manor_hostservices.verbs import JobKind, ReadUpdates

JOBS = f"{HOME}/jobs"
LINES = 500
"""Of a log's end."""

SURE: frozenset[JobKind] = frozenset({"restore", "rollback", "reboot"})
"""What nobody does by a slip of the finger."""


class JobForm(msgspec.Struct, frozen=True):
    """What is to be started."""

    kind: JobKind
    snapshot: Annotated[str, Meta(pattern=r"^([0-9a-f]{8,64})?\Z")] = ""
    dry_run: str = ""
    sure: str = ""


class Press(msgspec.Struct, frozen=True):
    """A form that is a button, with nothing in it but its token."""


class JobPages:
    """One method for each request.

    Args:
        shared: What all parts use.
        face: Renders.
        streams: Opens streams.
        freshness: Knows how long a sign-in is fresh.
        endings: Ends streams then.
    """

    def __init__(
        self, shared: Shared, face: Face, streams: JobStreams, freshness: Freshness, endings: StreamEndings
    ) -> None:
        self._host = shared.host
        self._jobs = shared.jobs
        self._face = face
        self._streams = streams
        self._freshness = freshness
        self._endings = endings

    def routes(self) -> list[Route]:
        """The pages, their forms, and the stream that keeps them up to date."""
        page, one = self._face.page, f"{JOBS}/{{job}}"
        return [
            page("GET", JOBS, self.show, returns=Reply),
            page("POST", JOBS, self.start, form=JobForm, returns=Reply),
            page("GET", one, self.show_one, returns=Reply),
            page("POST", f"{one}/cancel", self.cancel, form=Press, returns=Reply),
            page("GET", f"{HOME}/updates", self.updates, returns=Reply, deadline=UPDATES_SECONDS),
            page("GET", f"{HOME}/live", self.live, returns=Live, is_stream=True),
        ]

    async def show(self, request: Request) -> Reply:
        """The newest ones."""
        return await self._page(request)

    async def start(self, request: Request[JobForm]) -> Reply:
        """Start one."""
        form = request.body
        try:
            if form.kind in SURE and form.sure != "yes":
                raise BadRequest(f"{KINDS[form.kind]}: tick the box that says that you mean it")
            if form.kind == "restore" and not form.snapshot:
                raise BadRequest("Say which backup is to be restored")
            with told():
                job = await self._jobs.start(
                    form.kind,
                    by=str(request.user_id),
                    snapshot=form.snapshot or None,
                    dry_run=form.dry_run == "yes",
                )
        except Refused as refused:
            return await self._page(request, refused)
        return redirect(f"{JOBS}/{job.id}")

    async def show_one(self, request: Request) -> Reply:
        """How a job fares, and what its programs said."""
        return await self._one(request)

    async def cancel(self, request: Request[Press]) -> Reply:
        """End one before it has done its work."""
        job = request.params["job"]
        try:
            with told():
                await self._jobs.cancel(job, by=str(request.user_id))
        except Refused as refused:
            if refused.status == 404:
                raise
            return await self._one(request, refused)
        return redirect(f"{JOBS}/{job}")

    async def updates(self, request: Request) -> Reply:
        """What an upgrade would bring."""
        with told():
            updates = await self._host.ask(ReadUpdates())
        jobs = await self._jobs.running()
        return await self._face.show(
            request, "updates.html", updates=updates, jobs=jobs, names=await self._face.names(jobs)
        )

    async def live(self, request: Request) -> Live:
        """All jobs that are known, then each change, as long as the sign-in is fresh."""
        stream = await self._streams.open(str(request.user_id))
        if (session_id := session_of(request)) is not None:
            self._endings.end_after(session_id, await self._freshness.seconds_left(request))
        return stream

    async def _page(self, request: Request[Any, Any], refused: Refused | None = None) -> Reply:
        jobs = await self._jobs.newest()
        return await self._face.show(
            request, "jobs.html", refused, jobs=jobs, names=await self._face.names(jobs), done=""
        )

    async def _one(self, request: Request[Any, Any], refused: Refused | None = None) -> Reply:
        with told():
            job = await self._jobs.find(request.params["job"])
        lines, unread = await self._log(job)
        return await self._face.show(
            request, "job.html", refused, job=job, lines=lines, unread=unread, names=await self._face.names([job])
        )

    async def _log(self, job: KnownJob) -> tuple[Sequence[str], str]:
        """A job's log, and why there is none."""
        try:
            return (await self._jobs.log(job.id, LINES)).lines, ""
        except HostRefusal as refusal:
            return [], refusal.detail
