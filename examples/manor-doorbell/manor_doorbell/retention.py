"""Forgetting old rings, for as long as the house is open."""

import trio
from manor import Clock, Storage, Transaction

from manor_doorbell import store
from manor_doorbell.domain import oldest_kept

HOUR = 3600.0


class Retention:
    """Forgets what is older than the admin wants to keep."""

    def __init__(self, storage: Storage, clock: Clock, *, keep_days: int) -> None:
        self._storage = storage
        self._clock = clock
        self._keep_days = keep_days

    async def run(self) -> None:
        """Look once an hour. A failure is the supervisor's business: it tries again."""
        while True:
            await self.forget()
            await trio.sleep(HOUR)

    async def forget(self) -> int:
        """Forget what is old now; returns how many rings that were."""
        before = oldest_kept(self._clock.now(), keep_days=self._keep_days)

        def work(transaction: Transaction) -> int:
            return store.forget_rings(transaction.connection, before=before)

        return await self._storage.write(work)
