"""The outbox's table: rows wait in it, are done and deleted, or fail too often and are dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateTable

from manor.storage import Migration, Time

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""When a row is due that need not wait. Not the moment it was made: the wall clock may jump, and order must not."""

LONGEST_BACKOFF = timedelta(hours=1)

LONGEST_ERROR = 500

outbox = Table(
    "core_outbox",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("subscriber", Text, nullable=False),
    Column("key", Text),
    Column("payload", Text, nullable=False),
    Column("due_at", Time, nullable=False),
    Column("is_scheduled", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("last_error", Text),
    Column("created_at", Time, nullable=False),
    sqlite_autoincrement=True,
)

# Literals, not parameters: SQLite uses a partial index only when it can read the index's condition in the query.
_FRESH = text("state = 'waiting' AND attempts = 0")
_TRIED = text("state = 'waiting' AND attempts > 0")
_SCHEDULED = text("state = 'waiting' AND is_scheduled = 1")


def _create(connection: Connection) -> None:
    connection.execute(CreateTable(outbox))
    for index in (
        "core_outbox_fresh ON core_outbox (name, subscriber, due_at, id) WHERE state = 'waiting' AND attempts = 0",
        "core_outbox_tried ON core_outbox (name, subscriber, due_at, key) WHERE state = 'waiting' AND attempts > 0",
        "core_outbox_scheduled ON core_outbox (name, key) WHERE state = 'waiting' AND is_scheduled = 1",
        "core_outbox_dead ON core_outbox (id) WHERE state = 'dead'",
    ):
        connection.execute(text(f"CREATE INDEX {index}"))


MIGRATIONS = (Migration("outbox-0001", _create),)
"""The core applies them as its own."""


class Target(NamedTuple):
    """Whom rows are for: a job's handler (`subscriber` is ""), or a plugin's DURABLE subscription to an event."""

    name: str
    subscriber: str


class OutboxRow(msgspec.Struct, frozen=True):
    """One delivery or piece of work that waits, or that was given up.

    Args:
        id: Rows made later have larger ones.
        kind: `event` or `job`.
        name: The event's or the job's.
        subscriber: The plugin that hears the event; "" for a job.
        key: Rows of one target and key are done in order. Of a job without a key: None. Of an event: "".
        payload: JSON.
        due_at: Not before this; None for at once.
        attempts: How often it was tried.
        state: `waiting` or `dead`.
        last_error: Why the last attempt failed.
        created_at: When it was put off.
    """

    id: int
    kind: str
    name: str
    subscriber: str
    key: str | None
    payload: str
    due_at: datetime | None
    attempts: int
    state: str
    last_error: str | None
    created_at: datetime

    @property
    def target(self) -> Target:
        """Whom it is for."""
        return Target(self.name, self.subscriber)


class NewRow(NamedTuple):
    """A row to be written."""

    kind: str
    target: Target
    key: str | None
    payload: bytes
    at: datetime | None


def add(connection: Connection, rows: Sequence[NewRow], now: datetime) -> None:
    """Write rows; one with a key and a time takes the place of its waiting predecessor."""
    for row in rows:
        if row.at is not None and row.key is not None:
            connection.execute(
                delete(outbox).where(_SCHEDULED, outbox.c.name == row.target.name, outbox.c.key == row.key)
            )
        connection.execute(
            insert(outbox),
            {
                "kind": row.kind,
                "name": row.target.name,
                "subscriber": row.target.subscriber,
                "key": row.key,
                "payload": row.payload.decode(),
                "due_at": AT_ONCE if row.at is None else row.at,
                "is_scheduled": int(row.at is not None and row.key is not None),
                "attempts": 0,
                "state": "waiting",
                "created_at": now,
            },
        )


@dataclass(frozen=True)
class Question:
    """What a worker wants to know about one target.

    Args:
        target: Whom rows are for.
        busy_keys: Keys that are being worked on.
        busy_ids: Rows without a key that are being worked on.
        most: How many batches it can take.
    """

    target: Target
    busy_keys: frozenset[str]
    busy_ids: frozenset[int]
    most: int


@dataclass(frozen=True)
class Page:
    """What is due for one target.

    Args:
        target: Whom rows are for.
        batches: Rows to be done in order, each batch by itself; all rows of one key are in one batch.
        next_due: When to ask again, if nothing new is written before.
    """

    target: Target
    batches: Sequence[Sequence[OutboxRow]]
    next_due: datetime | None


_MINE = and_(outbox.c.name == bindparam("name"), outbox.c.subscriber == bindparam("subscriber"))
_NOW = bindparam("now", type_=Time)
_IS_IDLE = and_(
    or_(outbox.c.key.is_(None), outbox.c.key.not_in(bindparam("busy_keys", expanding=True))),
    outbox.c.id.not_in(bindparam("busy_ids", expanding=True)),
)
_HELD_UP = select(outbox.c.key).where(_TRIED, _MINE, outbox.c.key.is_not(None))
_IS_FREE = or_(outbox.c.key.is_(None), outbox.c.key.not_in(_HELD_UP))
_IN_TURN = select(outbox).order_by(outbox.c.due_at, outbox.c.id).limit(bindparam("most"))
_DUE_TRIED = _IN_TURN.where(_TRIED, _MINE, _IS_IDLE, outbox.c.due_at <= _NOW)
_DUE_FRESH = _IN_TURN.where(_FRESH, _MINE, _IS_IDLE, _IS_FREE, outbox.c.due_at <= _NOW)
_NEXT = select(outbox.c.due_at).where(_MINE, outbox.c.due_at > _NOW).order_by(outbox.c.due_at).limit(1)
_NEXT_FRESH = _NEXT.where(_FRESH)
_NEXT_TRIED = _NEXT.where(_TRIED)
_ANY = select(outbox.c.id).limit(1)


def due(connection: Connection, question: Question, now: datetime, *, rows: int) -> Page:
    """What a worker may do now.

    A row that failed holds up the later rows of its key until it is done or dead.

    Args:
        connection: A reader's.
        question: Whom for, and what is being done already.
        now: The wall clock's time.
        rows: How many to read at most.
    """
    asked = {
        "name": question.target.name,
        "subscriber": question.target.subscriber,
        "busy_keys": list(question.busy_keys),
        "busy_ids": list(question.busy_ids),
        "now": now,
        "most": rows,
    }
    tried = connection.execute(_DUE_TRIED, asked)
    batches = {row.id: [_row(row)] for row in tried}
    fresh = connection.execute(_DUE_FRESH, asked)
    by_key: dict[str, list[OutboxRow]] = {}
    for row in fresh:
        if row.key is None:
            batches[row.id] = [_row(row)]
        elif row.key in by_key:
            by_key[row.key].append(_row(row))
        else:
            batches[row.id] = by_key[row.key] = [_row(row)]
    later = [moment for which in (_NEXT_FRESH, _NEXT_TRIED) for moment in connection.execute(which, asked).scalars()]
    next_due = min(later, default=None)
    return Page(question.target, list(batches.values())[: question.most], next_due)


def is_empty(connection: Connection) -> bool:
    """Whether nothing waits, whoever for: then nobody has to be looked up one by one, which is so at most starts."""
    return connection.execute(_ANY).first() is None


def remove(connection: Connection, row: OutboxRow) -> None:
    """It is done."""
    connection.execute(delete(outbox).where(outbox.c.id == row.id))


def drop(connection: Connection, ids: Iterable[int]) -> int:
    """They are to be forgotten. Returns how many there were."""
    return connection.execute(delete(outbox).where(outbox.c.id.in_(list(ids)))).rowcount


def drop_of(connection: Connection, owner: str) -> int:
    """A plugin's jobs, and the events that it was to hear, are to be forgotten. Returns how many there were."""
    its_jobs = and_(outbox.c.kind == "job", outbox.c.name.startswith(f"{owner}.", autoescape=True))
    return connection.execute(delete(outbox).where(or_(its_jobs, outbox.c.subscriber == owner))).rowcount


def drop_dead(connection: Connection, name: str | None, *, older_than: datetime, most: int) -> int:
    """Old dead letters are to be forgotten, of one job or event, if given. Returns how many there were."""
    # By the last time they were due: what was put off for a year is not old when that year is over.
    is_old = and_(text("state = 'dead'"), outbox.c.created_at <= older_than, outbox.c.due_at <= older_than)
    which = select(outbox.c.id).where(is_old).limit(most)
    if name is not None:
        which = which.where(outbox.c.name == name)
    return connection.execute(delete(outbox).where(outbox.c.id.in_(which))).rowcount


def put_back(connection: Connection, row: OutboxRow, reason: str, *, due_at: datetime) -> None:
    """An attempt failed; another follows."""
    connection.execute(_failed(row, reason).values(due_at=due_at))


def bury(connection: Connection, row: OutboxRow, reason: str) -> None:
    """It is given up: a dead letter, for an admin to read."""
    connection.execute(_failed(row, reason).values(state="dead"))


def _failed(row: OutboxRow, reason: str) -> Update:
    return (
        update(outbox).where(outbox.c.id == row.id).values(attempts=row.attempts + 1, last_error=reason[:LONGEST_ERROR])
    )


def listed(connection: Connection, state: str | None, *, after: int, most: int) -> list[OutboxRow]:
    """Rows by id."""
    query = select(outbox).where(outbox.c.id > after).order_by(outbox.c.id).limit(most)
    if state is not None:
        query = query.where(outbox.c.state == state)
    return [_row(row) for row in connection.execute(query)]


def revive(connection: Connection, ids: Iterable[int] | None) -> tuple[int, set[Target]]:
    """Have rows tried again from the start, at once: these, or all dead ones. Returns how many and whom for."""
    which = text("state = 'dead'") if ids is None else outbox.c.id.in_(list(ids))
    targets = connection.execute(select(outbox.c.name, outbox.c.subscriber).where(which).distinct())
    whom = {Target(*target) for target in targets}
    revived = update(outbox).where(which).values(state="waiting", attempts=0, due_at=AT_ONCE, is_scheduled=0)
    return connection.execute(revived).rowcount, whom


def counted(connection: Connection) -> dict[str, int]:
    """How many rows wait and how many are dead."""
    counts = [
        connection.execute(select(text("count(*)")).select_from(outbox).where(which)).scalar_one()
        for which in (_FRESH, _TRIED, text("state = 'dead'"))
    ]
    return {"waiting": counts[0] + counts[1], "dead": counts[2]}


def waiting_by_key(connection: Connection, name: str) -> dict[str, int]:
    """How many rows of a job wait, by their key; of keys that have none there is nothing."""
    found: Counter[str] = Counter()
    for which in (_FRESH, _TRIED):
        query = select(outbox.c.key, text("count(*)")).select_from(outbox).group_by(outbox.c.key)
        of_it = (which, outbox.c.name == name, outbox.c.subscriber == "", outbox.c.key.is_not(None))
        for key, count in connection.execute(query.where(*of_it)):
            found[key] += count
    return found


def _row(row: Row[tuple[object, ...]]) -> OutboxRow:
    return OutboxRow(
        id=row.id,
        kind=row.kind,
        name=row.name,
        subscriber=row.subscriber,
        key=row.key,
        payload=row.payload,
        due_at=None if row.due_at == AT_ONCE else row.due_at,
        attempts=row.attempts,
        state=row.state,
        last_error=row.last_error,
        created_at=row.created_at,
    )
