"""The table of jobs, and what is asked of it."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Float, MetaData, String, Table, delete, func, insert, select, update

from manor import Time, Transaction
from manor_hostservices.events import JobChanged
from manor_hostservices.jobs.known import KnownJob

KEPT = 500
"""Jobs that are remembered; those that run are not forgotten."""

LISTED = 100
"""Jobs of one list."""

metadata = MetaData()

jobs = Table(
    "hostservices_jobs",
    metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("by", String, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("began_at", Time, nullable=False),
    Column("ended_at", Time),
    Column("progress", Float, nullable=False),
    Column("message", String, nullable=False),
    Column("bytes_done", BigInteger),
    Column("bytes_total", BigInteger),
    Column("seconds_left", Float),
    Column("snapshot", String),
    Column("position", BigInteger, nullable=False),
)
"""`position` is the server's when the row was changed last: streams go on from it."""

_COLUMNS = [jobs.c[name] for name in KnownJob.__struct_fields__]


def add(transaction: Transaction, job: KnownJob) -> None:
    """Write a new job down; the oldest ones that have ended are forgotten."""
    position = transaction.position()
    transaction.connection.execute(insert(jobs).values(msgspec.structs.asdict(job) | {"position": position}))
    newest = select(jobs.c.id).order_by(jobs.c.began_at.desc(), jobs.c.id.desc()).limit(KEPT)
    transaction.connection.execute(delete(jobs).where(jobs.c.state != "running", jobs.c.id.not_in(newest)))
    transaction.emit(JobChanged(position, job))


def change(transaction: Transaction, job: KnownJob) -> bool:
    """Write down how a job fares; False when nothing is new of it, or it had ended already."""
    before = find(transaction, job.id)
    if before is None or before.state != "running":
        return False
    # Who asked may have been erased since the job was read.
    job = msgspec.structs.replace(job, by=before.by)
    if before == job:
        return False
    position = transaction.position()
    changed = msgspec.structs.asdict(job) | {"position": position}
    transaction.connection.execute(update(jobs).where(jobs.c.id == job.id).values(changed))
    transaction.emit(JobChanged(position, job))
    return True


def remove(transaction: Transaction, job: KnownJob, reason: str) -> None:
    """Forget a job that was never started; whoever heard of it must not take it for one that runs."""
    transaction.connection.execute(delete(jobs).where(jobs.c.id == job.id))
    over = msgspec.structs.replace(job, state="failed", ended_at=transaction.now, message=reason)
    transaction.emit(JobChanged(transaction.position(), over))


def find(transaction: Transaction, id_: str) -> KnownJob | None:
    """The job with this id."""
    row = transaction.connection.execute(select(*_COLUMNS).where(jobs.c.id == id_)).one_or_none()
    return None if row is None else _job(row)


def newest(transaction: Transaction, limit: int = LISTED) -> list[KnownJob]:
    """Jobs, newest first."""
    query = select(*_COLUMNS).order_by(jobs.c.began_at.desc(), jobs.c.id.desc()).limit(limit)
    return [_job(row) for row in transaction.connection.execute(query)]


def running(transaction: Transaction, limit: int) -> list[KnownJob]:
    """Jobs that run, as far as is known; oldest first."""
    query = select(*_COLUMNS).where(jobs.c.state == "running").order_by(jobs.c.began_at, jobs.c.id).limit(limit)
    return [_job(row) for row in transaction.connection.execute(query)]


def position(transaction: Transaction) -> int:
    """The position of the last change of any job; 0 when there is none."""
    found = transaction.connection.execute(select(func.max(jobs.c.position))).scalar()
    return 0 if found is None else int(found)


def changed_after(transaction: Transaction, after: int, limit: int) -> list[tuple[int, KnownJob]]:
    """Jobs that were changed after a position, with the position of their last change; in that order."""
    query = select(jobs.c.position, *_COLUMNS).where(jobs.c.position > after).order_by(jobs.c.position).limit(limit)
    return [(row[0], _job(row)) for row in transaction.connection.execute(query)]


def asked_by(transaction: Transaction, who: str) -> list[KnownJob]:
    """The jobs that somebody asked for, oldest first."""
    query = select(*_COLUMNS).where(jobs.c.by == who).order_by(jobs.c.began_at, jobs.c.id)
    return [_job(row) for row in transaction.connection.execute(query)]


def forget_who(transaction: Transaction, who: str, limit: int) -> int:
    """Have so many jobs of somebody's at most be nobody's; how many now are."""
    some = select(jobs.c.id).where(jobs.c.by == who).limit(limit)
    return transaction.connection.execute(update(jobs).where(jobs.c.id.in_(some)).values(by="")).rowcount


def _job(row: Any) -> KnownJob:
    return KnownJob(**{name: getattr(row, name) for name in KnownJob.__struct_fields__})
