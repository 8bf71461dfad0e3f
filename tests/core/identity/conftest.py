"""A storage with identity's tables, what it tells, and somebody who has an account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from manor.audit import MIGRATIONS as AUDIT_MIGRATIONS
from manor.clock import SetClock
from manor.config import IdentityConfig
from manor.events import Bus, Delivery, Event, Subscription
from manor.identity import EVENTS, MIGRATIONS, Identity, NewUser, User, add_user
from manor.identity.passwords import Hasher
from manor.live import LiveService
from manor.outbox import Outbox
from manor.storage import Storage, apply_migrations, open_storage

NOW = datetime(2026, 5, 1, 12, 30, 15, tzinfo=UTC)
CHEAP = IdentityConfig(argon2_memory_mib=19, argon2_time=2)

Opened = Callable[[], AbstractAsyncContextManager[Storage]]


@pytest.fixture
def clock() -> SetClock:
    return SetClock(NOW)


@pytest.fixture
def heard() -> list[Event]:
    """What identity told, in the order of the commits."""
    return []


@pytest.fixture
def bus(heard: list[Event]) -> Bus:
    bus = Bus()
    bus.declare("identity", EVENTS)
    for kind in EVENTS:
        bus.subscribe("tests", Subscription(kind.name, kind, heard.append, delivery=Delivery.INLINE))
    return bus


@pytest.fixture
def opened(tmp_path: Path, clock: SetClock, bus: Bus) -> Opened:
    """Opens the database; a second time, as after a restart."""

    @asynccontextmanager
    async def open_it() -> AsyncIterator[Storage]:
        outbox = Outbox(bus, clock)
        async with open_storage(tmp_path / "manor.db", clock=clock, bus=bus, outbox=outbox, inline=True) as storage:
            await apply_migrations(storage, "core", AUDIT_MIGRATIONS)
            await apply_migrations(storage, "identity", MIGRATIONS)
            yield storage

    return open_it


@pytest.fixture
async def storage(opened: Opened) -> AsyncIterator[Storage]:
    async with opened() as storage:
        yield storage


@pytest.fixture
async def ada(storage: Storage, heard: list[Event]) -> User:
    new = NewUser(username="Ada", email="ada@example.org", tier="FREE", is_verified=True)
    user = await storage.write(lambda transaction: add_user(transaction, new))
    heard.clear()
    return user


@pytest.fixture
def live() -> LiveService:
    return LiveService()


@pytest.fixture
def identity(storage: Storage, clock: SetClock, live: LiveService, bus: Bus) -> Identity:
    """As the house has it, with what it hears."""
    identity = Identity(CHEAP, default_tier="FREE", storage=storage, clock=clock, live=live, inline=True)
    # Less than a configuration may ask for: people are signed in hundreds of times here.
    identity.hasher = Hasher(memory_mib=1, passes=1, inline=True)
    for subscription in identity.subscriptions():
        bus.subscribe("identity", subscription)
    return identity
