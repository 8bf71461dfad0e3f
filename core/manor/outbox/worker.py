"""Does what waits in the outbox: in order where order matters, several at once where it does not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
import structlog
import trio

from manor.clock import Clock
from manor.metrics import CoreMetrics
from manor.outbox import store
from manor.outbox.store import OutboxRow, Page, Question, Target
from manor.storage import Storage, Transaction
from manor.tasks import contained, describe

MOST_AT_ONCE = 8
"""Handlers that run at the same time."""

MOST_OF_ONE = 4
"""Of those, handlers of one target: one that hangs leaves room for the others."""

ROWS_READ = 32
"""Rows held in memory for one target."""

LONGEST_SLEEP = 60.0
"""Seconds after which the wall clock is looked at again, in case it jumped."""

LONGEST_WAIT = 24 * 3600.0
"""The most that somebody else may have a row wait, in seconds."""

COUNT_SECONDS = 10.0
"""How often the rows are counted for the metrics, while there is work."""

log = structlog.get_logger("manor.outbox")

T = TypeVar("T")

_row: ContextVar[OutboxRow] = ContextVar("row")


def delivery_number() -> int:
    """The number of what a DURABLE or a job's handler was called with: the same at each attempt, and no other's.

    A handler that keeps it with what it does finds out that it has done that before.

    Raises:
        LookupError: Nothing is being delivered here.
    """
    return _row.get().id


def delivery_attempt() -> int:
    """Which attempt this is at what a DURABLE or a job's handler was called with; the first is 1.

    It counts over restarts, and from 1 again once an admin has a dead letter tried anew.

    Raises:
        LookupError: Nothing is being delivered here.
    """
    return _row.get().attempts + 1


class GiveUp(Exception):
    """Raised by a handler that knows it will never succeed: the row becomes a dead letter at once."""


class NotYet(Exception):
    """Raised by a handler that was told when to come back: the row is tried again no sooner than that.

    Args:
        reason: What the admin reads.
        seconds: From now; what is beyond a day is a day.
    """

    def __init__(self, reason: str, *, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = min(max(0.0, seconds), LONGEST_WAIT)


class Kept(GiveUp):
    """Raised by a handler that has told the admin all there is to tell: the row stays as a dead letter, unlogged."""


@dataclass(frozen=True)
class Handling:
    """How one target's rows are done.

    Args:
        owner: The plugin.
        shape: What the payload is decoded into.
        handler: What is done with it.
        attempts: How often it is tried.
        deadline: Seconds for one attempt.
        backoff: Seconds before the second attempt.
        pauses: Seconds before each further attempt; when empty, `backoff` is doubled each time.
    """

    owner: str
    shape: type[Any]
    handler: Callable[[Any], Awaitable[None] | None]
    attempts: int
    deadline: float
    backoff: float
    pauses: tuple[float, ...] = ()

    def pause(self, attempts: int) -> timedelta:
        """How long to wait after so many attempts."""
        if self.pauses:
            return timedelta(seconds=self.pauses[min(attempts, len(self.pauses)) - 1])
        return min(timedelta(seconds=self.backoff * 2 ** (attempts - 1)), store.LONGEST_BACKOFF)


class Worker:
    """Reads what is due and hands it over, until cancelled.

    Args:
        storage: Where the rows are.
        clock: Says what is due.
        find: How a target's rows are done; None while its plugin is not there.
        metrics: Where attempts and rows are counted.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        find: Callable[[Target], Handling | None],
        metrics: CoreMetrics | None,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._find = find
        self._metrics = metrics
        self._bell = trio.Event()
        # Targets that may have work, in the order in which they are asked about. A target with due rows is in here, or
        # is being worked on (and comes back when that is over), or has an alarm.
        self._look: dict[Target, None] = {}
        self._alarms: dict[Target, float] = {}
        self._running: Counter[Target] = Counter()
        self._busy_keys: set[tuple[Target, str]] = set()
        self._busy_ids: set[tuple[Target, int]] = set()
        self._count_at = -math.inf
        self._is_counted = False

    def look_at(self, targets: Iterable[Target]) -> None:
        """There may be work for these."""
        self._look.update(dict.fromkeys(targets))
        self._bell.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                self._bell = trio.Event()
                await self._start_what_is_due(nursery)
                await self._count()
                with trio.move_on_at(self._next_alarm()):
                    await self._bell.wait()

    def _next_alarm(self) -> float:
        counting = math.inf if self._is_counted else self._count_at
        return min(counting, *self._alarms.values(), math.inf)

    async def _start_what_is_due(self, nursery: trio.Nursery) -> None:
        now = trio.current_time()
        for target, alarm in list(self._alarms.items()):
            if alarm <= now:
                del self._alarms[target]
                self._look[target] = None
        questions = self._questions()
        if not questions:
            return
        self._is_counted = False

        def work(transaction: Transaction) -> list[Page]:
            if store.is_empty(transaction.connection):
                return [Page(question.target, [], None) for question in questions]
            now = self._clock.now()
            return [store.due(transaction.connection, question, now, rows=ROWS_READ) for question in questions]

        for page in await self._patiently(lambda: self._storage.read(work)):
            self._take(page, nursery)

    def _questions(self) -> list[Question]:
        free = MOST_AT_ONCE - self._running.total()
        if free <= 0:
            return []
        asked, self._look = self._look, {}
        return [
            Question(
                target,
                frozenset(key for other, key in self._busy_keys if other == target),
                frozenset(id_ for other, id_ in self._busy_ids if other == target),
                most=min(free, _most_at_once(target) - self._running[target]),
            )
            for target in asked
            if self._running[target] < _most_at_once(target) and self._find(target) is not None
        ]

    def _take(self, page: Page, nursery: trio.Nursery) -> None:
        for rows in page.batches:
            if self._running.total() >= MOST_AT_ONCE:
                self._look[page.target] = None
                return
            self._running[page.target] += 1
            self._mark(rows[0], is_busy=True)
            nursery.start_soon(self._do, page.target, rows)
        if page.next_due is not None:
            seconds = (page.next_due - self._clock.now()).total_seconds()
            self._alarms[page.target] = trio.current_time() + min(max(0.0, seconds), LONGEST_SLEEP)

    def _mark(self, row: OutboxRow, *, is_busy: bool) -> None:
        if row.key is None:
            (self._busy_ids.add if is_busy else self._busy_ids.discard)((row.target, row.id))
        else:
            (self._busy_keys.add if is_busy else self._busy_keys.discard)((row.target, row.key))

    async def _do(self, target: Target, rows: Sequence[OutboxRow]) -> None:
        try:
            for row in rows:
                handling = self._find(target)
                if handling is None or not await self._deliver(row, handling):
                    return
        finally:
            self._running[target] -= 1
            self._mark(rows[0], is_busy=False)
            self.look_at([target])

    async def _deliver(self, row: OutboxRow, handling: Handling) -> bool:
        """Try once. Returns whether the next row of the key may follow: this one is done, or dead."""
        failure = await _attempt(row, handling)
        attempts = row.attempts + 1
        if failure is None:
            await self._write(lambda transaction: store.remove(transaction.connection, row))
            self._note("done")
            return True
        telling = log.bind(plugin=handling.owner, row=row.id, name=row.name, attempts=attempts, reason=failure.reason)
        if failure.is_final or attempts >= handling.attempts:
            await self._write(lambda transaction: store.bury(transaction.connection, row, failure.reason))
            self._note("dead")
            if not isinstance(failure.error, Kept):
                telling.error("a delivery is given up", exc_info=failure.error)
            return True
        pause = max(handling.pause(attempts), timedelta(seconds=failure.wait))
        due_at = self._clock.now() + pause
        await self._write(
            lambda transaction: store.put_back(transaction.connection, row, failure.reason, due_at=due_at)
        )
        self._note("failed")
        telling.warning("a delivery failed", again_in=pause.total_seconds(), exc_info=failure.error)
        return False

    async def _write(self, work: Callable[[Transaction], None]) -> None:
        await self._patiently(lambda: self._storage.write(work))

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """Until the storage takes it: a disk that is full for an hour must not have everything delivered anew."""
        pause = 1.0
        while True:
            results: list[T] = []
            with contained(lambda error: log.error("the outbox waits for the storage", reason=describe(error))):
                results.append(await act())
            if results:
                return results[0]
            await trio.sleep(pause)
            pause = min(pause * 2, 60.0)

    async def _count(self) -> None:
        now = trio.current_time()
        if self._metrics is None or self._is_counted or now < self._count_at:
            self._is_counted = self._is_counted or self._metrics is None
            return
        self._count_at = now + COUNT_SECONDS
        self._is_counted = True
        counts = await self._patiently(lambda: self._storage.read(lambda unit: store.counted(unit.connection)))
        for state, count in counts.items():
            self._metrics.outbox_rows.labels(state).set(count)

    def _note(self, outcome: str) -> None:
        self._is_counted = False
        if self._metrics is not None:
            self._metrics.outbox_attempts.labels(outcome).inc()


def _most_at_once(target: Target) -> int:
    # Events are heard one after the other: while one is, there is no need to ask for more.
    return 1 if target.subscriber else MOST_OF_ONE


@dataclass(frozen=True)
class _Failure:
    reason: str
    is_final: bool
    error: BaseException | None = None
    wait: float = 0.0


async def _attempt(row: OutboxRow, handling: Handling) -> _Failure | None:
    try:
        payload = msgspec.json.decode(row.payload, type=handling.shape)
    except msgspec.MsgspecError as error:
        # It will not fit better next time.
        return _Failure(f"the payload does not fit {handling.shape.__name__}: {error}", is_final=True)
    errors: list[Exception] = []
    token = _row.set(row)
    try:
        with contained(errors.append), trio.move_on_after(handling.deadline) as patience:
            doing = handling.handler(payload)
            if doing is not None:
                await doing
    finally:
        _row.reset(token)
    if errors:
        wait = errors[0].seconds if isinstance(errors[0], NotYet) else 0.0
        return _Failure(describe(errors[0]), is_final=_gives_up(errors[0]), error=errors[0], wait=wait)
    if patience.cancelled_caught:
        return _Failure(f"not done within {handling.deadline:g} s", is_final=False)
    return None


def _gives_up(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_gives_up(member) for member in error.exceptions)
    return isinstance(error, GiveUp)
