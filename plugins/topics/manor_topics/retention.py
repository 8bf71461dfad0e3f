"""Retention: what has expired goes by itself, a little at a time, and nobody who publishes waits for it.

A message is out of sight the moment it expires. It counts for its topic until its row goes, a minute later at most.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import trio
from sqlalchemy import ColumnElement, Table, and_, delete, select, tuple_

from manor import Refused, Storage, Transaction
from manor_topics.publish_store import day_of
from manor_topics.publishing import KEY_LIFE
from manor_topics.removing import BATCH, remove
from manor_topics.tables import daily, messages, publish_keys

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

EVERY_SECONDS = 60.0

PAUSE_SECONDS = 0.02
"""Between two batches: however much has expired at once, publishers have most of the disk."""

COUNTS_KEPT = timedelta(days=7)
"""How long it stays known how much a day brought; only today's is asked for."""


class Retention:
    """Removes what is too old, once a minute.

    Args:
        storage: Where it is.
        log: Where it is said that nothing can be removed just now.
    """

    def __init__(self, storage: Storage, log: BoundLogger) -> None:
        self._storage = storage
        self._log = log

    async def run(self) -> None:
        """Until cancelled. A full disk is no reason to give up: what makes room is not to be tried no more."""
        while True:
            try:
                await self.sweep()
            except Refused as refused:
                self._log.warning("expired messages stay for now", reason=refused.detail)
            await trio.sleep(EVERY_SECONDS)

    async def sweep(self) -> None:
        """Remove all that is due, batch by batch."""
        for step in (_expire, _forget_keys, _forget_counts):
            await self._all_of(step)

    async def _all_of(self, step: Callable[[Transaction], int]) -> None:
        while True:
            gone = await self._storage.write(step)
            if gone < BATCH:
                return
            await trio.sleep(PAUSE_SECONDS)


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
