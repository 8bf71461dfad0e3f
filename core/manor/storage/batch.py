"""Group commit, the half that runs on the writer's thread: many units, one transaction, one fsync."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import outcome
from outcome import Error

from manor.clock import Clock
from manor.errors import Refused
from manor.events import Event
from manor.storage.engine import Desk
from manor.storage.faults import cannot_commit, is_full, storage_full
from manor.storage.transaction import Joint, Recording, Transaction, Work


class Unit:
    """One unit of work on its way, and what became of it.

    Attributes:
        work: The function, or what does it for many.
        payload: What a joint does it for.
        answer: Whoever waits for it.
        value: What it returned; final once the batch is done.
        error: Why nothing of it was kept; final once the batch is done.
        events: What it emitted, if it was committed; units that were done jointly leave all of it to the first.
        has_rows: Whether the outbox wrote rows for it, if it was committed; as `events`.
        seconds: How long it had the writer, in its last run; as `events`.
    """

    __slots__ = ("answer", "error", "events", "has_rows", "payload", "seconds", "value", "work")

    def __init__(self, work: Work[Any] | Joint[Any, Any], answer: Any = None, payload: Any = None) -> None:
        self.work = work
        self.payload = payload
        self.answer = answer
        self.value: Any = None
        self.error: BaseException | None = None
        self.events: Sequence[Event] = ()
        self.has_rows = False
        self.seconds = 0.0

    def fail(self, error: BaseException) -> None:
        """Nothing of it was kept."""
        self.value, self.error = None, error
        self.events, self.has_rows = (), False


class Committer:
    """Commits batches; lives on the writer's thread.

    Args:
        desk: The writer's connection.
        clock: Tells units the time.
        recording: The outbox.
    """

    def __init__(self, desk: Desk, clock: Clock, recording: Recording) -> None:
        self._desk = desk
        self._handle = desk.handle
        self._clock = clock
        self._recording = recording
        self.position = self._stored_position = self._read_position()
        self.commits = 0
        self.is_writable = True

    def commit(self, units: Sequence[Unit]) -> int:
        """Run the units and commit them; each has a value or an error then. Returns the last position that was taken.

        One transaction for all. When that one fails as a whole (a full disk rolls everything back, savepoints
        included), each unit is run again in a transaction of its own, so that only those fail that must. No unit
        runs before the first BEGIN succeeded.
        """
        try:
            self._handle.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            # Locked for seconds by another process, or worse: one by one they would wait as long again, each.
            self.is_writable = False
            for unit in units:
                unit.fail(cannot_commit(error))
            return self.position
        if len(units) > 1:
            failure = self._commit_together(units)
            if failure is None:
                return self.position
            if is_full(failure):
                # What is in the log goes into the database, where it often replaces what is there already, and the
                # log can be written from its start again.
                with suppress(sqlite3.Error):
                    self._handle.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        for unit in units:
            self._commit_alone(unit)
        return self.position

    def _commit_together(self, units: Sequence[Unit]) -> BaseException | None:
        """Each unit in a savepoint of the open transaction. Returns why nothing was committed, None if all was."""
        try:
            for alike in _alike(units):
                failure = self._run_in_savepoint(alike)
                if failure is not None and self._handle.in_transaction and len(alike) > 1:
                    failure = self._run_one_by_one(alike)
                if failure is not None and not self._handle.in_transaction:
                    self._desk.abandon()
                    return failure
            self._store_position()
            self._handle.execute("COMMIT")
        except sqlite3.Error as error:
            self._desk.abandon()
            return error
        self._note_commit()
        return None

    def _run_one_by_one(self, units: Sequence[Unit]) -> BaseException | None:
        """What could not be done jointly; returns why the last one failed, the transaction with it perhaps."""
        failure = None
        for unit in units:
            failure = self._run_in_savepoint((unit,))
            if not self._handle.in_transaction:
                break
        return failure

    def _run_in_savepoint(self, units: Sequence[Unit]) -> BaseException | None:
        """A unit, or several that are done jointly. Returns why it failed; the transaction may be over then."""
        execute = self._handle.execute
        started = time.perf_counter()
        execute("SAVEPOINT unit")
        result = outcome.capture(self._run, units)
        failure = None
        if isinstance(result, Error):
            failure = result.error
            if not self._handle.in_transaction:
                return failure
            execute("ROLLBACK TO unit")
            self._desk.renew()
            units[0].fail(self._named_full(failure))
        execute("RELEASE unit")
        units[0].seconds = time.perf_counter() - started
        return failure

    def _commit_alone(self, unit: Unit) -> None:
        started = time.perf_counter()
        try:
            if not self._handle.in_transaction:
                self._handle.execute("BEGIN IMMEDIATE")
            result = outcome.capture(self._run, (unit,))
            if isinstance(result, Error):
                self._desk.abandon()
                unit.fail(self._named_full(result.error))
            else:
                self._store_position()
                self._handle.execute("COMMIT")
                self._note_commit()
        except sqlite3.IntegrityError as error:
            # A constraint that is checked at the commit: the unit's own failure, however late.
            self._desk.abandon()
            unit.fail(error)
        except sqlite3.Error as error:
            self._desk.abandon()
            self.is_writable = False
            unit.fail(cannot_commit(error))
        unit.seconds = time.perf_counter() - started

    def _run(self, units: Sequence[Unit]) -> None:
        first, work = units[0], units[0].work
        transaction = Transaction(self._desk.connection, self._clock.now(), self._next_position)
        try:
            if isinstance(work, Joint):
                _settle(units, work.do(transaction, [unit.payload for unit in units]))
            else:
                first.value, first.error = work(transaction), None
            first.has_rows = transaction.finish(self._recording)
        finally:
            first.events = transaction.close()
        if not self._desk.is_clean:
            raise RuntimeError(f"{work!r} ended a transaction, or left a savepoint open")

    def _next_position(self) -> int:
        # Never handed out twice in this process, whatever becomes of the unit; what was stored with the last commit
        # is where the next process begins.
        self.position += 1
        return self.position

    def _store_position(self) -> None:
        if self.position != self._stored_position:
            self._handle.execute("UPDATE core_position SET value = ?", (self.position,))

    def _note_commit(self) -> None:
        self._stored_position = self.position
        self.commits += 1
        self.is_writable = True

    def _read_position(self) -> int:
        row = self._handle.execute("SELECT value FROM core_position").fetchone()
        return int(row[0])

    def _named_full(self, failure: BaseException) -> BaseException:
        """A unit's own failure; where a full disk is behind it, in the words that a client can be told."""
        if not is_full(failure):
            return failure
        self.is_writable = False
        return storage_full(failure)


def _settle(units: Sequence[Unit], results: Sequence[Any]) -> None:
    """Give each unit of a joint what is its own."""
    for unit, result in zip(units, results, strict=True):
        if isinstance(result, Refused):
            unit.fail(result)
        else:
            unit.value, unit.error = result, None


def _alike(units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
    """The units in their order, those that can be done jointly together."""
    start = 0
    for end in range(1, len(units) + 1):
        if end < len(units) and units[end].work is units[start].work and isinstance(units[end].work, Joint):
            continue
        yield units[start:end]
        start = end
