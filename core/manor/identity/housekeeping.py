"""Removes what can let nobody in any more, some time after it could."""

from __future__ import annotations

from datetime import timedelta

import trio
from sqlalchemy import ColumnElement, Integer, Table, delete, or_, select, type_coerce

from manor.identity.credential_tables import credentials, links, sessions
from manor.identity.lockout import prune_failures
from manor.identity.team_tables import invites
from manor.storage import Storage, Transaction

PAUSE_SECONDS = 3600.0
BATCH = 500
"""Rows in one transaction, so that nobody waits for a large one."""

LINKS_KEPT = timedelta(days=7)
"""Expired links, so that whoever comes late is told that they are late."""

SESSIONS_KEPT = timedelta(days=30)
"""Sessions that are over, with their credentials, for whoever looks into what happened."""

SPENT_KEPT = timedelta(days=1)
"""Expired credentials of sessions that go on, such as the refresh tokens of a busy client, and of those that were made
for an hour at most."""

SHORT_LIFE = timedelta(hours=1)

CREDENTIALS_KEPT = timedelta(days=90)
"""Other credentials that are expired or revoked, such as API keys: for their owner's list, and for who looks into what
happened."""

INVITES_KEPT = timedelta(days=90)
"""Invites whose time is over, whatever became of them: an address of somebody who may have no account."""


_SHORT_MICROSECONDS = SHORT_LIFE // timedelta(microseconds=1)


async def tidy(storage: Storage) -> None:
    """Tidy up once an hour; runs until cancelled."""
    while True:
        await trio.sleep(PAUSE_SECONDS)
        await tidy_once(storage)


async def tidy_once(storage: Storage) -> None:
    """Remove all that is due, batch by batch."""
    # At most half an hour of failures is there: each new one removes the old.
    await storage.write(prune_failures)
    while await storage.write(_remove_batch):
        pass


def _remove_batch(transaction: Transaction) -> bool:
    """Remove a batch of each; whether there may be more."""
    now = transaction.now
    long_over = now - SESSIONS_KEPT
    over = or_(sessions.c.ended_at <= long_over, sessions.c.expires_at <= long_over)
    of_dead_sessions = credentials.c.session_id.in_(select(sessions.c.id).where(over))
    spent = credentials.c.session_id.is_not(None) & (credentials.c.expires_at <= now - SPENT_KEPT)
    long_spent = now - CREDENTIALS_KEPT
    dead = credentials.c.session_id.is_(None) & or_(
        credentials.c.expires_at <= long_spent,
        credentials.c.revoked_at <= long_spent,
        (credentials.c.expires_at <= now - SPENT_KEPT) & (_life_of(credentials) <= _SHORT_MICROSECONDS),
    )
    removed = [
        _remove(transaction, links, links.c.expires_at <= now - LINKS_KEPT),
        _remove(transaction, invites, invites.c.expires_at <= now - INVITES_KEPT),
        _remove(transaction, credentials, dead),
        _remove(transaction, credentials, or_(of_dead_sessions, spent)),
    ]
    if removed[-1] < BATCH:
        # Only after the last of their credentials: those would not be found without them.
        removed.append(_remove(transaction, sessions, over))
    return max(removed) >= BATCH


def _life_of(table: Table) -> ColumnElement[int]:
    """Microseconds, as times are stored."""
    return type_coerce(table.c.expires_at, Integer) - type_coerce(table.c.created_at, Integer)


def _remove(transaction: Transaction, table: Table, condition: ColumnElement[bool]) -> int:
    due = select(table.c.id).where(condition).limit(BATCH)
    return transaction.connection.execute(delete(table).where(table.c.id.in_(due))).rowcount
