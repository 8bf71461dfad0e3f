"""Retention: what has expired goes by itself, a little at a time, and nobody who publishes waits for it.

A message is out of sight the moment it expires. It counts for its topic until its row goes, a minute later at most.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Table, and_, delete, select, tuple_

from manor import Storage, Sweep, Transaction
from manor_topics.publish_store import day_of
from manor_topics.publishing import KEY_LIFE
from manor_topics.removing import BATCH, remove
from manor_topics.tables import daily, messages, publish_keys

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

EVERY_SECONDS = 60.0

COUNTS_KEPT = timedelta(days=7)
"""How long it stays known how much a day brought; only today's is asked for."""


class Retention(Sweep):
    """Removes what is too old, once a minute.

    Args:
        storage: Where it is.
        log: Where it is said that nothing can be removed just now.
    """

    def __init__(self, storage: Storage, log: BoundLogger) -> None:
        steps = (_expire, _forget_keys, _forget_counts)
        super().__init__(storage, log, steps, batch=BATCH, every=EVERY_SECONDS, staying="expired messages stay for now")


def _expire(transaction: Transaction) -> int:
    return remove(transaction, and_(messages.c.expires_at.is_not(None), messages.c.expires_at <= transaction.now))


def _forget_keys(transaction: Transaction) -> int:
    return _remove(transaction, publish_keys, publish_keys.c.created_at <= transaction.now - KEY_LIFE)


def _forget_counts(transaction: Transaction) -> int:
    return _remove(transaction, daily, daily.c.day < day_of(transaction.now - COUNTS_KEPT))


def _remove(transaction: Transaction, table: Table, condition: ColumnElement[bool]) -> int:
    key = tuple(table.primary_key)
    some = select(*key).where(condition).limit(BATCH)
    return transaction.connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount
