from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from manor.storage import Storage, Transaction


def take(transaction: Transaction) -> int:
    return transaction.position()


def take_and_fail(transaction: Transaction) -> None:
    transaction.position()
    raise LookupError


async def test_positions_increase_in_commit_order_and_past_a_rollback(storage: Storage) -> None:
    first, failed, second = storage.submit(take), storage.submit(take_and_fail), storage.submit(take)
    third = await storage.write(take)

    with pytest.raises(LookupError):
        failed.take()
    assert 0 < first.take() < second.take() < third
    assert storage.position == third


async def test_positions_go_on_where_they_stood_when_the_storage_is_opened_again(
    opened: Callable[[], AbstractAsyncContextManager[Storage]],
) -> None:
    async with opened() as storage:
        for _ in range(3):
            storage.submit(take)
        last = await storage.write(take)
    async with opened() as storage:
        assert storage.position == last
        assert await storage.write(take) > last


async def test_a_position_is_on_the_disk_with_the_unit_that_took_it(storage: Storage) -> None:
    taken = await storage.write(take)

    stored = await storage.read(
        lambda transaction: transaction.connection.exec_driver_sql("SELECT value FROM core_position").scalar_one()
    )
    assert stored == taken
