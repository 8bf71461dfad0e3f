"""Lockout: who has to wait, how long, and who does not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from manor.clock import SetClock
from manor.errors import TooManyRequests
from manor.identity import (
    User,
    account_of,
    check_lockout,
    clear_lockout,
    forget_account,
    lockout,
    note_failure,
    note_success,
)
from manor.identity.credential_tables import failures, familiar
from manor.storage import Storage, Transaction

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"
MINUTE = timedelta(minutes=1)


async def fail(storage: Storage, times: int, account: str = "ada", address: str = ELSEWHERE) -> None:
    def work(transaction: Transaction) -> None:
        for _ in range(times):
            note_failure(transaction, account, address)

    await storage.write(work)


async def succeed(storage: Storage, account: str = "ada", address: str = HOME) -> None:
    await storage.write(lambda transaction: note_success(transaction, account, address))


async def wait_of(storage: Storage, account: str = "ada", address: str = ELSEWHERE) -> int:
    """Seconds that somebody has to wait; 0 for none."""
    try:
        await storage.read(lambda transaction: check_lockout(transaction, account, address))
    except TooManyRequests as refused:
        return int(refused.headers["Retry-After"])
    return 0


async def test_the_tenth_failure_locks_the_account_for_a_quarter_of_an_hour(storage: Storage, clock: SetClock) -> None:
    await fail(storage, 9)
    assert await wait_of(storage) == 0

    await fail(storage, 1)
    assert await wait_of(storage) == 900
    assert await wait_of(storage, address=HOME) == 900
    assert await wait_of(storage, account="bob") == 0

    clock.set(clock.now() + 15 * MINUTE - timedelta(milliseconds=1))
    assert await wait_of(storage) == 1
    clock.set(clock.now() + timedelta(milliseconds=1))
    assert await wait_of(storage) == 0


async def test_the_lock_lasts_from_the_last_failure_on(storage: Storage, clock: SetClock) -> None:
    await fail(storage, 9)
    clock.set(clock.now() + 10 * MINUTE)
    await fail(storage, 1)
    clock.set(clock.now() + 6 * MINUTE)

    assert await wait_of(storage) == 9 * 60


async def test_failures_far_apart_lock_nobody(storage: Storage, clock: SetClock) -> None:
    for _ in range(30):
        await fail(storage, 1)
        clock.set(clock.now() + 2 * MINUTE)

    assert await wait_of(storage) == 0


async def test_a_lock_that_is_over_is_not_renewed_by_one_more_failure(storage: Storage, clock: SetClock) -> None:
    await fail(storage, 10)
    clock.set(clock.now() + 15 * MINUTE + timedelta(seconds=1))
    await fail(storage, 1)

    assert await wait_of(storage) == 0


async def test_success_clears_the_account(storage: Storage) -> None:
    await fail(storage, 9)
    await succeed(storage, address=ELSEWHERE)
    await fail(storage, 9)

    assert await wait_of(storage) == 0


async def test_strangers_do_not_lock_people_out_of_where_they_sign_in(storage: Storage, clock: SetClock) -> None:
    await succeed(storage, address=HOME)
    await fail(storage, 10)

    assert await wait_of(storage, address=HOME) == 0
    assert await wait_of(storage, address=ELSEWHERE) == 900
    await fail(storage, 10, address=HOME)
    assert await wait_of(storage, address=HOME) == 900


async def test_an_address_is_familiar_for_thirty_days(storage: Storage, clock: SetClock) -> None:
    await succeed(storage)
    clock.set(clock.now() + timedelta(days=30) - MINUTE)
    await fail(storage, 10)
    assert await wait_of(storage, address=HOME) == 0

    clock.set(clock.now() + 2 * MINUTE)
    assert await wait_of(storage, address=HOME) > 0


async def test_an_address_that_is_familiar_to_one_is_not_to_another(storage: Storage) -> None:
    await succeed(storage, "bob", HOME)
    await fail(storage, 10)

    assert await wait_of(storage, address=HOME) == 900


async def test_thirty_failures_of_one_address_lock_it_for_every_account(storage: Storage) -> None:
    for number in range(30):
        assert await wait_of(storage) == 0
        await fail(storage, 1, account=f"somebody {number}")

    assert await wait_of(storage, account="bob") == 900
    assert await wait_of(storage, account="bob", address=HOME) == 0


async def test_a_success_in_between_does_not_wash_an_address_clean(storage: Storage) -> None:
    for number in range(15):
        await fail(storage, 2, account=f"somebody {number}")
        await succeed(storage, "mallory", ELSEWHERE)
        await succeed(storage, f"somebody {number}", HOME)

    assert await wait_of(storage, account="bob") == 900


async def test_neighbours_in_one_ipv6_network_count_as_one(storage: Storage) -> None:
    for number in range(30):
        await fail(storage, 1, account=f"somebody {number}", address=f"2001:db8::{number + 1:x}")

    assert await wait_of(storage, address="2001:db8::ffff") == 900
    assert await wait_of(storage, address="2001:db8:0:1::1") == 0


async def test_clearing_unlocks_the_account_and_makes_no_address_familiar(storage: Storage) -> None:
    await fail(storage, 10)
    await storage.write(lambda transaction: clear_lockout(transaction, "ada"))
    assert await wait_of(storage) == 0

    await fail(storage, 10, address=HOME)
    assert await wait_of(storage) == 900


async def test_a_lock_survives_a_restart(opened: Callable[[], AbstractAsyncContextManager[Storage]]) -> None:
    async with opened() as storage:
        await succeed(storage)
        await fail(storage, 10)
    async with opened() as storage:
        assert await wait_of(storage) == 900
        assert await wait_of(storage, address=HOME) == 0


async def test_a_clock_that_was_ahead_locks_nobody_for_longer(storage: Storage, clock: SetClock) -> None:
    now = clock.now()
    clock.set(now + timedelta(days=365))
    await fail(storage, 10)
    clock.set(now)

    assert await wait_of(storage) == 0
    await fail(storage, 1)
    assert await wait_of(storage) == 0


async def test_a_clock_that_jumps_ahead_forgets_failures_and_nothing_breaks(storage: Storage, clock: SetClock) -> None:
    await fail(storage, 10)
    clock.set(clock.now() + timedelta(days=3650))

    assert await wait_of(storage) == 0


async def test_what_is_old_is_removed(storage: Storage, clock: SetClock) -> None:
    await succeed(storage)
    await fail(storage, 5)
    clock.set(clock.now() + timedelta(days=31))
    await fail(storage, 1)

    def count(transaction: Transaction) -> list[int]:
        return [len(transaction.connection.execute(table.select()).all()) for table in (failures, familiar)]

    assert await storage.read(count) == [1, 0]


async def test_an_account_can_be_forgotten(storage: Storage) -> None:
    await succeed(storage)
    await fail(storage, 2)

    assert await storage.write(lambda transaction: forget_account(transaction, "ada")) == 3
    assert await storage.write(lambda transaction: forget_account(transaction, "ada")) == 0


async def test_what_was_typed_as_a_name_stands_nowhere(storage: Storage, tmp_path: Path) -> None:
    await fail(storage, 1, account=account_of(None, "my secret password"))

    for file in tmp_path.iterdir():
        assert b"my secret password" not in file.read_bytes()


async def test_an_account_is_the_person_however_they_are_called(ada: User) -> None:
    assert account_of(ada, "Ada") == account_of(ada, "ada@example.org")


@pytest.mark.parametrize(
    ("one", "other"), [("Nobody", " nobody "), ("JOSÉ@example.org", "jose\u0301@example.org"), ("x" * 300, "x" * 9999)]
)
def test_unknown_names_that_are_the_same_count_as_one(one: str, other: str) -> None:
    assert account_of(None, one) == account_of(None, other)


async def test_a_name_that_is_no_text_is_counted_too(storage: Storage) -> None:
    await fail(storage, 10, account=account_of(None, "\ud800\0"))

    assert await wait_of(storage, account=account_of(None, "\ud800\0")) == lockout.WINDOW.total_seconds()


@pytest.mark.parametrize(
    ("factor", "others", "waits"), [(1, 29, 0), (1, 30, 900), (2, 59, 0), (2, 60, 900), (0, 99, 0)]
)
async def test_the_failures_of_an_address_follow_the_factor_of_addresses(
    storage: Storage, factor: float, others: int, waits: int
) -> None:
    for number in range(others):
        await fail(storage, 1, account=f"guess {number}")

    def look(transaction: Transaction) -> None:
        check_lockout(transaction, "ada", ELSEWHERE, address_factor=factor)

    if not waits:
        await storage.read(look)
        return
    with pytest.raises(TooManyRequests) as refused:
        await storage.read(look)
    assert refused.value.headers["Retry-After"] == str(waits)


async def test_an_account_locks_whatever_the_factor_of_addresses(storage: Storage) -> None:
    await fail(storage, 10)

    with pytest.raises(TooManyRequests):
        await storage.read(lambda transaction: check_lockout(transaction, "ada", ELSEWHERE, address_factor=0))
