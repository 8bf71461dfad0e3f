"""What a unit of work is given, and what storage asks of the bus and the outbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection

from manor.errors import Refused
from manor.events import Event

T = TypeVar("T")
P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)


class Deferrable(Protocol[P_co]):
    """A declared kind of deferred work, as far as storage has to know it."""

    @property
    def name(self) -> str:
        """`<plugin>.<verb>`."""
        ...

    @property
    def payload(self) -> type[P_co]:
        """The type of what a handler is given."""
        ...


@dataclass(frozen=True, slots=True)
class Deferred:
    """Work that a unit put off: done once the unit is committed, at `at` or as soon as may be.

    Args:
        job: What kind of work.
        payload: What its handler is given.
        at: Not before this (aware UTC).
        key: Work of one job and key is done in turn; a later `at` for the same key replaces what waits.
    """

    job: Deferrable[Any]
    payload: Any
    at: datetime | None = None
    key: str | None = None


class Telling(Protocol):
    """Whoever tells events to their subscribers: the bus. Neither function may raise."""

    def tell_inline(self, events: Sequence[Event]) -> None:
        """Tell INLINE subscribers, right after the commit, in commit order, before the callers go on."""
        ...

    def tell_live(self, events: Sequence[Event]) -> None:
        """Tell LIVE subscribers, once the callers have their answers."""
        ...


class Recording(Protocol):
    """Whoever keeps what must not be forgotten: the outbox."""

    def record(
        self, connection: Connection, events: Sequence[Event], deferred: Sequence[Deferred], now: datetime
    ) -> bool:
        """Write rows for DURABLE subscribers and deferred work, in the unit's transaction and on its thread.

        Called for units that emitted or deferred something. Returns whether rows were written.
        """
        ...

    def ring(self) -> None:
        """Rows were committed: look for work. On the loop."""
        ...


class Transaction:
    """A unit of work's view of the database; valid only while its function runs.

    Attributes:
        connection: SQLAlchemy Core, synchronous, on this thread.
        now: The clock's time as the unit began, aware and in UTC.
    """

    __slots__ = ("_deferred", "_events", "_next_position", "connection", "now")

    def __init__(self, connection: Connection, now: datetime, next_position: Callable[[], int] | None = None) -> None:
        self.connection = connection
        self.now = now
        self._next_position = next_position
        self._events: list[Event] = []
        self._deferred: list[Deferred] = []

    def emit(self, event: Event) -> None:
        """Have an event told once the unit is committed; a rollback tells nobody.

        Raises:
            RuntimeError: This is a reading transaction, or one that is over.
        """
        if self._next_position is None:
            raise RuntimeError(f"{event.name} emitted where nothing is written: reading, or after the transaction")
        self._events.append(event)

    def defer(self, job: Deferrable[P], payload: P, *, at: datetime | None = None, key: str | None = None) -> None:
        """Have work done after the commit, at least once, over restarts.

        Args:
            job: The kind of work; its plugin brings a handler for it.
            payload: What the handler is given.
            at: Not before this (aware UTC).
            key: Work of one job and key is done in turn; with `at`, newer work replaces what waits.

        Raises:
            RuntimeError: This is a reading transaction, or one that is over.
        """
        if self._next_position is None:
            raise RuntimeError(f"{job.name} deferred where nothing is written: reading, or after the transaction")
        self._deferred.append(Deferred(job, payload, at, key))

    def position(self) -> int:
        """Take the server's next position: from 1, increasing in commit order; a rollback may leave a gap.

        Raises:
            RuntimeError: This is a reading transaction, or one that is over.
        """
        if self._next_position is None:
            raise RuntimeError("a position taken where nothing is written: reading, or after the transaction")
        return self._next_position()

    def finish(self, recording: Recording) -> bool:
        """Write down what was emitted and deferred; for the writer, inside the unit. True when rows were written."""
        if not self._events and not self._deferred:
            return False
        return recording.record(self.connection, self._events, self._deferred, self.now)

    def close(self) -> list[Event]:
        """End it, for the writer: what was emitted, to be told after the commit."""
        self._next_position = None
        return self._events


Work = Callable[[Transaction], T]
"""A unit of work: a plain function that may run more than once, and changes nothing outside its transaction."""


@dataclass(frozen=True, slots=True, eq=False)
class Joint(Generic[P, T]):
    """A kind of work that is cheaper done for many at once: what thousands ask for each second.

    Units of one joint that follow each other in a batch are one unit of work, and each has its own answer.

    Args:
        do: The unit of work for some payloads, in their order; gives one result for each: what its caller gets, or
            the refusal that is raised there, and then it has left nothing of that payload behind. When it raises, or
            fails in any other way, nothing of the whole is kept, and it is done for each payload by itself.
    """

    do: Callable[[Transaction, Sequence[P]], Sequence[T | Refused]]
