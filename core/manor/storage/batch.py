"""Group commit, the half that runs on the writer's thread: many units, one transaction, one fsync."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import outcome
from outcome import Error, Outcome

from manor.clock import Clock
from manor.events import Event
from manor.storage.engine import Desk
from manor.storage.faults import cannot_commit, is_full, storage_full
from manor.storage.transaction import Recording, Transaction, Work


class Unit:
    """One unit of work on its way, and what became of it.

    Attributes:
        work: The function.
        outcome: What it returned or raised; final once the batch is done.
        events: What it emitted, if it was committed.
        has_rows: Whether the outbox wrote rows for it, if it was committed.
        seconds: How long it had the writer, in its last run.
    """

    __slots__ = ("answer", "events", "has_rows", "outcome", "seconds", "work")

    def __init__(self, work: Work[Any], answer: Any = None) -> None:
        self.work = work
        self.answer = answer
        self.outcome: Outcome[Any] | None = None
        self.events: list[Event] = []
        self.has_rows = False
        self.seconds = 0.0

    @property
    def is_committed(self) -> bool:
        """Whether its function returned and the commit did too."""
        return isinstance(self.outcome, outcome.Value)


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
        """Run the units and commit them; each has its outcome afterwards. Returns the last position that was taken.

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
                unit.outcome = Error(cannot_commit(error))
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
        execute = self._handle.execute
        try:
            started = time.perf_counter()
            for unit in units:
                execute("SAVEPOINT unit")
                result = outcome.capture(self._run, unit)
                if isinstance(result, Error) and not self._handle.in_transaction:
                    self._desk.abandon()
                    return result.error
                if isinstance(result, Error):
                    execute("ROLLBACK TO unit")
                    self._desk.renew()
                    result = self._named_full(result)
                execute("RELEASE unit")
                unit.outcome = result
                ended = time.perf_counter()
                unit.seconds = ended - started
                started = ended
            self._store_position()
            execute("COMMIT")
        except sqlite3.Error as error:
            self._desk.abandon()
            return error
        self._note_commit()
        return None

    def _commit_alone(self, unit: Unit) -> None:
        started = time.perf_counter()
        try:
            if not self._handle.in_transaction:
                self._handle.execute("BEGIN IMMEDIATE")
            result = outcome.capture(self._run, unit)
            if isinstance(result, Error):
                self._desk.abandon()
                result = self._named_full(result)
            else:
                self._store_position()
                self._handle.execute("COMMIT")
                self._note_commit()
        except sqlite3.IntegrityError as error:
            # A constraint that is checked at the commit: the unit's own failure, however late.
            self._desk.abandon()
            result = Error(error)
        except sqlite3.Error as error:
            self._desk.abandon()
            self.is_writable = False
            result = Error(cannot_commit(error))
        unit.outcome = result
        unit.seconds = time.perf_counter() - started

    def _run(self, unit: Unit) -> Any:
        transaction = Transaction(self._desk.connection, self._clock.now(), self._next_position)
        try:
            value = unit.work(transaction)
            unit.has_rows = transaction.finish(self._recording)
        finally:
            unit.events = transaction.close()
        if not self._desk.is_clean:
            raise RuntimeError(f"{unit.work!r} ended a transaction, or left a savepoint open")
        return value

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

    def _named_full(self, failure: Error) -> Error:
        """A unit's own failure; where a full disk is behind it, in the words that a client can be told."""
        if not is_full(failure.error):
            return failure
        self.is_writable = False
        return Error(storage_full(failure.error))
