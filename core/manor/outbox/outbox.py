"""The outbox as storage, plugins and admins see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
import trio
from sqlalchemy import Connection

from manor.clock import Clock
from manor.errors import ManorError
from manor.events import Bus, Event, Job
from manor.metrics import CoreMetrics
from manor.outbox import store
from manor.outbox.store import NewRow, OutboxRow, Target
from manor.outbox.worker import Handling, Worker
from manor.storage import Deferred, Storage, Transaction

EVENT_ATTEMPTS = 8
EVENT_DEADLINE = 30.0
EVENT_BACKOFF = 5.0

P = TypeVar("P")


@dataclass(frozen=True)
class JobHandler(Generic[P]):
    """Who does a job.

    It is called at least once for each deferred payload, and again after a restart that came in its midst: what it
    does twice must be as good as once. Raising has it tried again; raising `GiveUp` does not.

    Args:
        job: The kind of work.
        handler: Async; its deadline is the job's.
    """

    job: Job[P]
    handler: Callable[[P], Awaitable[None]]


class Outbox:
    """One queue for DURABLE subscriptions and deferred work.

    Rows are written in the transaction they belong to. A worker does them: rows of one subscription, and rows of one
    job and key, in order and one after the other; everything else as it comes, a few at once. A row whose handler is
    not there, because its plugin is disabled, waits untouched.

    Args:
        bus: Knows the DURABLE subscriptions.
        clock: Says what is due.
        metrics: Where attempts and rows are counted.
    """

    def __init__(self, bus: Bus, clock: Clock, *, metrics: CoreMetrics | None = None) -> None:
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._jobs: dict[str, Handling] = {}
        self._worker: Worker | None = None
        # Whom rows were written for, noted by the writer's thread before its commit. The ring after a commit may come
        # while the next batch notes already, so that what was noted is told by two rings before it is forgotten.
        self._noted: set[Target] = set()
        self._noted_before: set[Target] = set()

    def handle(self, owner: str, handlers: Sequence[JobHandler[Any]]) -> None:
        """Make a plugin's handlers known.

        Raises:
            ManorError: A job's name is not the plugin's to give, or has a handler already.
        """
        for each in handlers:
            job = each.job
            if not job.name.startswith(f"{owner}."):
                raise ManorError(f"'{owner}' handles the job '{job.name}': its name must begin with '{owner}.'")
            if job.name in self._jobs:
                raise ManorError(f"'{owner}' handles the job '{job.name}' twice")
            self._jobs[job.name] = Handling(
                owner,
                job.payload,
                each.handler,
                attempts=len(job.pauses) + 1 if job.pauses else job.attempts,
                deadline=job.deadline,
                backoff=job.backoff,
                pauses=job.pauses,
            )
        if self._worker is not None:
            self._worker.look_at(Target(each.job.name, "") for each in handlers)

    def remove(self, owner: str) -> None:
        """Forget a quarantined plugin's handlers: its rows wait until it is well again."""
        self._jobs = {name: handling for name, handling in self._jobs.items() if handling.owner != owner}

    def record(
        self, connection: Connection, events: Sequence[Event], deferred: Sequence[Deferred], now: datetime
    ) -> bool:
        """Write rows for what a unit emitted and deferred. In its transaction, on the writer's thread.

        Returns:
            Whether there were any.

        Raises:
            TypeError: A deferred payload is not of its job's type.
        """
        rows = [
            NewRow("event", Target(event.name, owned.owner), "", msgspec.json.encode(event), None)
            for event in events
            for owned in self._bus.durable_for(event)
        ]
        for each in deferred:
            if not isinstance(each.payload, each.job.payload):
                raise TypeError(f"{each.job.name} takes {each.job.payload.__name__}, not {type(each.payload).__name__}")
            rows.append(NewRow("job", Target(each.job.name, ""), each.key, msgspec.json.encode(each.payload), each.at))
        store.add(connection, rows, now)
        self._noted.update(row.target for row in rows)
        return bool(rows)

    def ring(self) -> None:
        """Rows were committed: wake the worker. On the loop."""
        noted, self._noted = self._noted, set()
        if self._worker is not None:
            self._worker.look_at(self._noted_before | noted)
        self._noted_before = noted

    async def run(self, storage: Storage, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Do what is due and what becomes due, until cancelled."""
        worker = self._worker = Worker(storage, self._clock, self._find, self._metrics)
        worker.look_at(self._targets())
        task_status.started()
        try:
            await worker.run()
        finally:
            self._worker = None

    def list(
        self, transaction: Transaction, *, state: str | None = None, after: int = 0, most: int = 200
    ) -> Sequence[OutboxRow]:
        """What waits and what is dead, oldest first.

        Args:
            transaction: A reading one will do.
            state: Only `waiting` or only `dead` rows.
            after: Only rows with a larger id: for the next page.
            most: Rows of one page.
        """
        return store.listed(transaction.connection, state, after=after, most=most)

    def waiting(self, transaction: Transaction, job: Job[Any]) -> Mapping[str, int]:
        """How many rows of a job wait, by the key they were deferred with: for queues that have a bound.

        Args:
            transaction: A reading one will do; in a writing one what it defers itself is not counted yet.
            job: The kind of work.

        Returns:
            Only the keys that rows wait with.
        """
        return store.waiting_by_key(transaction.connection, job.name)

    def retry(self, transaction: Transaction, ids: Iterable[int] | None = None) -> int:
        """Have rows tried again from the start. Call `ring` once it is committed.

        Args:
            transaction: A writing one.
            ids: Rows, dead or waiting; None for all that are dead.

        Returns:
            How many rows.
        """
        count, targets = store.revive(transaction.connection, ids)
        self._noted.update(targets)
        return count

    def drop(self, transaction: Transaction, ids: Iterable[int]) -> int:
        """Forget rows, waiting or dead, without doing them: what they say is to be erased.

        Args:
            transaction: A writing one.
            ids: The rows.

        Returns:
            How many there were.
        """
        return store.drop(transaction.connection, ids)

    def drop_of(self, transaction: Transaction, owner: str) -> int:
        """Forget all that a plugin has put off or was to hear: it is gone for good.

        Args:
            transaction: A writing one.
            owner: The plugin.

        Returns:
            How many rows there were.
        """
        return store.drop_of(transaction.connection, owner)

    def prune(self, transaction: Transaction, *, older_than: datetime, name: str | None = None, most: int = 500) -> int:
        """Forget dead letters that nobody looked after.

        Args:
            transaction: A writing one.
            older_than: Only those that were last due at this moment or before.
            name: Only of this job or event.
            most: So many at most.

        Returns:
            How many there were.
        """
        return store.drop_dead(transaction.connection, name, older_than=older_than, most=most)

    def _targets(self) -> Iterable[Target]:
        yield from (Target(name, "") for name in self._jobs)
        yield from (Target(owned.subscription.event, owned.owner) for owned in self._bus.durable())

    def _find(self, target: Target) -> Handling | None:
        if not target.subscriber:
            return self._jobs.get(target.name)
        subscription = self._bus.durable_of(target.subscriber, target.name)
        if subscription is None:
            return None
        return Handling(
            target.subscriber,
            subscription.shape,
            subscription.handler,
            attempts=EVENT_ATTEMPTS,
            deadline=EVENT_DEADLINE,
            backoff=EVENT_BACKOFF,
        )
