"""Group commit, the half that runs on the loop: the queue, and who is told what, in which order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
import trio
from outcome import Error, Value
from trio.lowlevel import Abort

from manor.errors import Unavailable
from manor.events import Event
from manor.routing import Later
from manor.storage.batch import Committer, Unit
from manor.storage.connection import Connection
from manor.storage.transaction import Joint, Recording, Telling, Work

P = TypeVar("P")
T = TypeVar("T")

UNITS_IN_A_BATCH = 200
TURNS_BEFORE_A_BATCH = 2
"""Turns of the loop: in the first it learns what has come, in the second that was handled."""

UNITS_WAITING = 10_000
SLOW = 0.2  # seconds

_log = structlog.stdlib.get_logger("manor.storage")


class _Caller:
    """A task that waits for its unit; None once it was cancelled: the unit runs all the same."""

    __slots__ = ("task",)

    def __init__(self, task: trio.lowlevel.Task) -> None:
        self.task: trio.lowlevel.Task | None = task

    def abandon(self, _: Any) -> Abort:
        self.task = None
        return Abort.SUCCEEDED

    def tell(self, unit: Unit) -> None:
        if self.task is not None:
            trio.lowlevel.reschedule(self.task, Value(unit.value) if unit.error is None else Error(unit.error))


class Writer:
    """The one writer. Units that wait while a commit runs make up the next batch.

    Args:
        connection: The writer's own; nobody else writes to the database.
        committer: Runs batches on its thread.
        bus: Told of events, in commit order.
        outbox: Rung when rows were written for it.
        on_batch: Told how many units a batch had and how many seconds it took, for the metrics.
    """

    def __init__(
        self,
        connection: Connection,
        committer: Committer,
        bus: Telling,
        outbox: Recording,
        on_batch: Callable[[int, float], None],
    ) -> None:
        self._connection = connection
        self._committer = committer
        self._bus = bus
        self._outbox = outbox
        self._on_batch = on_batch
        self._waiting: deque[Unit] = deque()
        self._asleep: trio.lowlevel.Task | None = None
        self._is_closed = False
        self.position = committer.position

    @property
    def waiting(self) -> int:
        """How many units wait for a batch."""
        return len(self._waiting)

    @property
    def commits(self) -> int:
        """How many transactions were committed."""
        return self._committer.commits

    @property
    def is_writable(self) -> bool:
        """Whether the last attempt to commit succeeded."""
        return self._committer.is_writable

    async def write(self, work: Work[T]) -> T:
        """Run a unit and wait for its commit."""
        caller = _Caller(trio.lowlevel.current_task())
        self._add(Unit(work, caller))
        value: T = await trio.lowlevel.wait_task_rescheduled(caller.abandon)
        return value

    def submit(self, work: Work[Any]) -> Later:
        """Run a unit without waiting for it."""
        later = Later()
        self._add(Unit(work, later))
        return later

    def submit_joint(self, joint: Joint[P, Any], payload: P) -> Later:
        """Run a unit that can be done with others like it, without waiting for it."""
        later = Later()
        self._add(Unit(joint, later, payload))
        return later

    async def run(self) -> None:
        """Commit what waits until the writer is closed and nothing waits.

        Only `close` ends it: neither of its waits can be cancelled, so units that were accepted are committed even
        while everything else is being torn down.
        """
        try:
            while await self._is_wanted():
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), UNITS_IN_A_BATCH))]
                began = trio.current_time()
                position = await self._connection.run(self._committer.commit, batch)
                self._announce(batch, position)
                self._on_batch(len(batch), trio.current_time() - began)
        finally:
            self._is_closed = True
            for unit in self._waiting:
                unit.fail(Unavailable("The server's storage is closed."))
                _answer(unit)

    def close(self) -> None:
        """Accept no more; `run` returns once everything accepted is done."""
        self._is_closed = True
        self._wake()

    def _add(self, unit: Unit) -> None:
        if self._is_closed:
            raise Unavailable("The server's storage is closed.")
        if len(self._waiting) >= UNITS_WAITING:
            raise Unavailable("Too much waits to be written.", headers={"Retry-After": "1"})
        self._waiting.append(unit)
        self._wake()

    def _wake(self) -> None:
        if self._asleep is not None:
            trio.lowlevel.reschedule(self._asleep)
            self._asleep = None

    async def _is_wanted(self) -> bool:
        if self._waiting:
            # Those who have just been answered ask again: what they have sent by now shares the next commit. A commit
            # costs the same whatever is in it, and two halves that take turns would pay for twice as many.
            for _ in range(TURNS_BEFORE_A_BATCH):
                await trio.lowlevel.cancel_shielded_checkpoint()
        elif not self._is_closed:
            self._asleep = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(_never)
        return bool(self._waiting)

    def _announce(self, batch: list[Unit], position: int) -> None:
        """Tell in commit order: caches first, then the callers, then everyone else."""
        events: list[Event] = []
        for unit in batch:
            events += unit.events
        self.position = position
        if events:
            self._bus.tell_inline(events)
        for unit in batch:
            _answer(unit)
        if events:
            self._bus.tell_live(events)
        if any(unit.has_rows for unit in batch):
            self._outbox.ring()
        for unit in batch:
            if unit.seconds > SLOW:
                _log.warning("slow unit of work", work=_name(unit.work), seconds=round(unit.seconds, 3))


def _answer(unit: Unit) -> None:
    answer = unit.answer
    if isinstance(answer, _Caller):
        answer.tell(unit)
        return
    try:
        if unit.error is None:
            answer.set(unit.value)
        else:
            answer.fail(unit.error)
    except Exception:
        # A door's callback ran. Its failing concerns one connection; the neighbours in the batch, and every
        # write after it, still want their answers.
        _log.exception("an answer could not be given", work=_name(unit.work))


def _never(_: Any) -> Abort:
    return Abort.FAILED


def _name(unit_work: Work[Any] | Joint[Any, Any]) -> str:
    work = unit_work.do if isinstance(unit_work, Joint) else unit_work
    work = getattr(work, "func", work)  # functools.partial has no name of its own
    return f"{getattr(work, '__module__', '?')}.{getattr(work, '__qualname__', type(work).__qualname__)}"
