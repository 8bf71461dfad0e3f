"""A storage with a bus and an outbox around it, on a clock that follows the loop's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import trio

from manor.events import Bus, Delivery, Event, Job, Subscription
from manor.metrics import CoreMetrics, Metrics
from manor.outbox import MIGRATIONS, JobHandler, Outbox, OutboxRow
from manor.storage import Storage, Transaction, apply_migrations, open_storage


class LoopClock:
    """A wall clock that goes with the loop's timer, so that both jump together."""

    def now(self) -> datetime:
        return datetime(2030, 1, 2, tzinfo=UTC) + timedelta(seconds=trio.current_time())


class DoorRang(Event, frozen=True):
    name: ClassVar[str] = "doorbell.door_rang"
    door: str
    ring_id: int = 0


class Heard(msgspec.Struct):
    door: str


class Call(msgspec.Struct):
    number: str


class Log:
    """Handlers that note what they were given and when, in seconds; some fail first."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, int]] = []
        self.running = 0
        self.most_running = 0
        self._began = trio.current_time()
        self._failures: dict[str, list[Exception]] = {}
        self._changed = trio.Event()

    def fail(self, what: str, *errors: Exception) -> None:
        """Have the next attempts at something fail."""
        self._failures[what] = list(errors)

    async def hear(self, event: Heard) -> None:
        await self.note(event.door)

    async def call(self, call: Call) -> None:
        await self.note(call.number)

    async def call_slowly(self, call: Call) -> None:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await trio.sleep(1)
        self.running -= 1
        await self.note(call.number)

    async def note(self, what: str) -> None:
        self.entries.append((what, round(trio.current_time() - self._began)))
        self._changed.set()
        if failures := self._failures.get(what):
            raise failures.pop(0)

    async def until(self, count: int) -> list[str]:
        """Wait for so many entries."""
        while len(self.entries) < count:
            self._changed = trio.Event()
            await self._changed.wait()
        return [what for what, _ in self.entries]


@dataclass
class Post:
    """What `open_post` yields."""

    storage: Storage
    bus: Bus
    outbox: Outbox
    metrics: Metrics

    def hear(self, log: Log, owner: str = "chat") -> None:
        """Have a log hear door rings DURABLE."""
        self.bus.subscribe(owner, Subscription(DoorRang.name, Heard, log.hear, delivery=Delivery.DURABLE))

    def handle(self, job: Job[Call], handler: Any) -> None:
        """Handle a job of the plugin `phone`."""
        self.outbox.handle("phone", [JobHandler(job, handler)])

    async def tell(self, *doors: str) -> None:
        """Emit a ring for each door, in one unit."""

        def work(transaction: Transaction) -> None:
            for door in doors:
                transaction.emit(DoorRang(door))

        await self.storage.write(work)

    async def defer(self, job: Job[Call], *numbers: str, key: str | None = None, seconds: float | None = None) -> None:
        """Defer a call to each number, in one unit."""

        def work(transaction: Transaction) -> None:
            at = None if seconds is None else transaction.now + timedelta(seconds=seconds)
            for number in numbers:
                transaction.defer(job, Call(number), key=key, at=at)

        await self.storage.write(work)

    async def rows(self, state: str | None = None) -> list[OutboxRow]:
        """What the table holds."""
        return list(await self.storage.read(lambda transaction: self.outbox.list(transaction, state=state)))

    async def empty(self) -> None:
        """Wait until nothing waits."""
        while await self.rows("waiting"):  # noqa: ASYNC110 - the database does not tell
            await trio.sleep(60)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Have the worker run."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.outbox.run, self.storage)
            yield
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_post(folder: Path) -> AsyncIterator[Post]:
    """A real database file with the outbox's table; database work is done on the loop, so that clocks may jump."""
    metrics, clock = Metrics(), LoopClock()
    core = CoreMetrics(metrics)
    bus = Bus(metrics=core)
    box = Outbox(bus, clock, metrics=core)
    async with open_storage(folder / "manor.db", clock=clock, bus=bus, outbox=box, inline=True) as storage:
        await apply_migrations(storage, "core", MIGRATIONS)
        yield Post(storage, bus, box, metrics)
