"""Uses of credentials and sessions: counted in memory, written now and then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import trio

from manor.clock import SetClock
from manor.errors import StorageFull
from manor.identity import (
    Credential,
    Identity,
    NewCredential,
    Session,
    User,
    find_credential,
    find_session,
    issue,
    open_session,
    resolving,
)
from manor.storage import Storage, Work

DAY = timedelta(days=1)


@pytest.fixture
def resolver(storage: Storage, clock: SetClock, bus: Any) -> resolving.Resolver:
    resolver = resolving.Resolver(storage, clock)
    for subscription in resolver.subscriptions():
        bus.subscribe("identity", subscription)
    return resolver


async def issued(storage: Storage, user: User | None = None, secret: str = "s3cret", **fields: Any) -> Credential:
    new = NewCredential(kind="api_key", user_id=None if user is None else user.id, **fields)
    return await storage.write(lambda transaction: issue(transaction, new, secret))


async def signed_in(storage: Storage, user: User, life: timedelta = DAY) -> Session:
    return await storage.write(
        lambda t: open_session(
            t, user_id=user.id, kind="access", ip="", user_agent="", life=life, absolute=timedelta(days=3)
        )
    )


async def used(storage: Storage, credential: Credential) -> tuple[int, Any]:
    known = await storage.read(lambda transaction: find_credential(transaction, credential.id))
    assert known is not None
    return known.use_count, known.last_used_at


async def test_uses_are_written_once_a_minute(
    identity: Identity, storage: Storage, ada: User, clock: SetClock, autojump_clock: trio.abc.Clock
) -> None:
    credential = await issued(storage, ada)
    commits = storage.commits
    async with trio.open_nursery() as nursery:
        for task in identity.background_tasks():
            nursery.start_soon(task.run)
        for _ in range(6):
            await identity.authenticate("api_key", "s3cret")
            await trio.sleep(9)
        assert await used(storage, credential) == (0, None)
        clock.set(clock.now() + timedelta(seconds=54))
        await identity.authenticate("api_key", "s3cret")
        await trio.sleep(10)

        assert await used(storage, credential) == (7, clock.now())
        assert storage.commits == commits + 1
        nursery.cancel_scope.cancel()


async def test_uses_of_the_last_minute_are_written_at_the_end(
    identity: Identity, storage: Storage, ada: User, clock: SetClock, autojump_clock: trio.abc.Clock
) -> None:
    credential = await issued(storage, ada)
    async with trio.open_nursery() as nursery:
        for task in identity.background_tasks():
            nursery.start_soon(task.run)
        await identity.authenticate("api_key", "s3cret")
        await trio.sleep(1)
        nursery.cancel_scope.cancel()

    assert await used(storage, credential) == (1, clock.now())


async def test_a_time_of_use_never_goes_back(
    resolver: resolving.Resolver, storage: Storage, ada: User, clock: SetClock
) -> None:
    credential = await issued(storage, ada)
    late = clock.now() + DAY
    for now in (late, clock.now()):
        clock.set(now)
        await resolver.by_secret("api_key", "s3cret")
        await resolver.flush()

    assert await used(storage, credential) == (2, late)


async def test_use_puts_off_the_end_of_a_session_also_in_memory(
    resolver: resolving.Resolver, storage: Storage, ada: User, clock: SetClock
) -> None:
    session = await signed_in(storage, ada)
    await issued(storage, ada, session_id=session.id)
    clock.set(clock.now() + DAY / 2)
    assert await resolver.by_secret("api_key", "s3cret") is not None
    await resolver.flush()

    clock.set(clock.now() + DAY * 0.75)

    assert await resolver.by_secret("api_key", "s3cret") is not None
    known = await storage.read(lambda transaction: find_session(transaction, session.id))
    assert known is not None
    assert known.last_used_at == clock.now() - DAY * 0.75


async def test_a_full_disk_loses_counts_and_nothing_else(
    resolver: resolving.Resolver,
    storage: Storage,
    ada: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    credential = await issued(storage, ada)
    await resolver.by_secret("api_key", "s3cret")

    async def full(work: Work[Any]) -> Any:
        raise StorageFull("The disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(storage, "write", full)
        await resolver.flush()
    await resolver.by_secret("api_key", "s3cret")
    await resolver.flush()

    assert (await used(storage, credential))[0] == 1


async def test_many_uses_are_written_in_small_batches(
    resolver: resolving.Resolver, storage: Storage, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "BATCH", 2)
    credentials = [await issued(storage, ada, name) for name in "abcde"]
    for name in "abcde":
        await resolver.by_secret("api_key", name)
    commits = storage.commits

    await resolver.flush()

    assert storage.commits == commits + 3
    assert [(await used(storage, credential))[0] for credential in credentials] == [1] * 5
