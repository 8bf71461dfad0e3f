"""The part that knows jobs: their table, who follows them, and what is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from manor import BackgroundTask, Event, HealthCheck, Migration, Part, Route, Subscription, Transaction
from manor_hostservices.events import EVENTS
from manor_hostservices.http.jobs import JobHandlers, job_routes
from manor_hostservices.http.looking import LookingHandlers, looking_routes
from manor_hostservices.jobs import store
from manor_hostservices.jobs.following import Following
from manor_hostservices.jobs.known import KnownJob
from manor_hostservices.jobs.streaming import JobStreams
from manor_hostservices.migrations.first import STEP
from manor_hostservices.parts import Shared
from manor_hostservices.watching import ServiceWatch, UpdateWatch

SECTION = "host_jobs"


class FollowingJobs(Part):
    """Jobs from the moment that they are asked for until they are forgotten, and what else is watched of the host.

    Args:
        shared: What all parts use.

    Attributes:
        streams: Opens streams of jobs.
    """

    def __init__(self, shared: Shared) -> None:
        context = shared.context
        self._shared = shared
        self._storage = context.storage
        self.streams = JobStreams(context)
        self._following = Following(context.storage, context.clock, shared.host, shared.jobs)
        self._services = ServiceWatch(context.storage, shared.host)
        self._updates = UpdateWatch(context.storage, shared.host)
        self._following.on_end = self._ended

    def routes(self) -> Sequence[Route]:
        """What devices may ask besides the SelfPrivacy API."""
        return [
            *job_routes(JobHandlers(self._shared, self.streams)),
            *looking_routes(LookingHandlers(self._shared)),
        ]

    def migrations(self) -> Sequence[Migration]:
        """Its tables."""
        return [STEP]

    def event_types(self) -> Sequence[type[Event]]:
        """What is told of the host."""
        return EVENTS

    def subscriptions(self) -> Sequence[Subscription[Any]]:
        """What streams hear."""
        return self.streams.subscriptions()

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """Looking at the host: each second while a job runs, and now and then."""
        return [
            BackgroundTask("jobs", self._following.run),
            BackgroundTask("services", self._services.run),
            BackgroundTask("updates", self._updates.run),
        ]

    def health_checks(self) -> Sequence[HealthCheck]:
        """Whether somebody would notice that a service fails."""
        return [HealthCheck("services", self._services.check)]

    def sections(self) -> Sequence[str]:
        """Jobs that a person asked for."""
        return [SECTION]

    async def export(self, user_id: UUID) -> AsyncIterator[tuple[str, Any]]:
        """Jobs that a person asked for, oldest first."""
        for job in await self._storage.read(lambda transaction: store.asked_by(transaction, str(user_id))):
            yield SECTION, msgspec.to_builtins(job)

    def erase(self, transaction: Transaction, user_id: UUID, limit: int) -> int:
        """Jobs stay, and nobody asked for them."""
        return store.forget_who(transaction, str(user_id), limit)

    def _ended(self, job: KnownJob) -> None:
        if job.kind in ("apply", "upgrade", "rollback") and not job.dry_run:
            self._updates.look_soon()
