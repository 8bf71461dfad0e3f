"""Removes what is only kept for the admin once nobody will look at it any more: old audit rows, old dead letters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import trio

from manor.audit import Audit
from manor.config import Server
from manor.mail import LONGEST_KEPT, MAIL
from manor.outbox import Outbox
from manor.storage import Storage, Transaction

PAUSE_SECONDS = 3600.0
BATCH = 500
"""Rows in one transaction, so that nobody waits for a large one."""


class Retention:
    """Looks once an hour for what is too old.

    Args:
        storage: The house's.
        outbox: Where dead letters are.
        audit: The log.
        server: The `[server]` table, as configured now: how long things are kept.
    """

    def __init__(self, storage: Storage, outbox: Outbox, audit: Audit, server: Callable[[], Server]) -> None:
        self._storage = storage
        self._outbox = outbox
        self._audit = audit
        self._server = server

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await trio.sleep(PAUSE_SECONDS)
            await self.remove_old()

    async def remove_old(self) -> None:
        """Remove all that is due, batch by batch."""
        server = self._server()
        await self._all_of(partial(self._prune_mail, kept=LONGEST_KEPT))
        if server.dead_letter_days:
            await self._all_of(partial(self._prune_outbox, kept=timedelta(days=server.dead_letter_days)))
        if server.audit_days:
            await self._all_of(partial(self._prune_audit, kept=timedelta(days=server.audit_days)))

    async def _all_of(self, remove: Callable[[Transaction], int]) -> None:
        while await self._storage.write(remove) >= BATCH:
            pass

    def _prune_mail(self, transaction: Transaction, kept: timedelta) -> int:
        return self._outbox.prune(transaction, name=MAIL.name, older_than=transaction.now - kept, most=BATCH)

    def _prune_outbox(self, transaction: Transaction, kept: timedelta) -> int:
        return self._outbox.prune(transaction, older_than=transaction.now - kept, most=BATCH)

    def _prune_audit(self, transaction: Transaction, kept: timedelta) -> int:
        return self._audit.prune(transaction, older_than=transaction.now - kept, most=BATCH)
