"""Ringing a bell, and who rang."""

from collections.abc import Sequence

from manor import Storage, Transaction, new_id

from manor_doorbell import store
from manor_doorbell.domain import Ring
from manor_doorbell.events import DoorRang


async def ring(storage: Storage, door: str) -> Ring:
    """Note the ring, then let everyone know."""

    def work(transaction: Transaction) -> Ring:
        ring = Ring(id=new_id(), door=door, rung_at=transaction.now)
        store.add_ring(transaction.connection, ring)
        transaction.emit(DoorRang(door=door, ring_id=ring.id))
        return ring

    return await storage.write(work)


async def newest(storage: Storage, door: str, *, limit: int) -> Sequence[Ring]:
    """Who rang lately, the newest first."""

    def work(transaction: Transaction) -> Sequence[Ring]:
        return store.newest_rings(transaction.connection, door, limit=limit)

    return await storage.read(work)
