"""A storage on a real file, with a bus and an outbox that only note what they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from manor.clock import SetClock
from manor.events import Event
from manor.storage import Deferred, Migration, Storage, apply_migrations, open_storage

Opened = Callable[..., AbstractAsyncContextManager[Storage]]


class NotingBus:
    def __init__(self, journal: list[Any]) -> None:
        self._journal = journal

    def tell_inline(self, events: Sequence[Event]) -> None:
        self._journal += [("inline", event) for event in events]

    def tell_live(self, events: Sequence[Event]) -> None:
        self._journal += [("live", event) for event in events]


class NotingOutbox:
    """Keeps events and deferred work as rows of the table `core_noted`, once that is there."""

    def __init__(self, journal: list[Any]) -> None:
        self._journal = journal

    def record(
        self, connection: Connection, events: Sequence[Event], deferred: Sequence[Deferred], now: datetime
    ) -> bool:
        for work in deferred:
            connection.exec_driver_sql("INSERT INTO core_noted VALUES (?, ?)", (work.job.name, str(work.payload)))
        return bool(deferred)

    def ring(self) -> None:
        self._journal.append("ring")


@pytest.fixture
def journal() -> list[Any]:
    """Everything that bus and outbox were told, in order; tests add what happens to them."""
    return []


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "manor.db"


@pytest.fixture
def opened(journal: list[Any], clock: SetClock, path: Path) -> Opened:
    """Opens the storage; takes what `open_storage` takes by name."""

    def opened(path: Path = path, **how: Any) -> AbstractAsyncContextManager[Storage]:
        return open_storage(path, clock=clock, bus=NotingBus(journal), outbox=NotingOutbox(journal), **how)

    return opened


def make_tables(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE doors_rings (door TEXT PRIMARY KEY, note TEXT NOT NULL DEFAULT '')")
    connection.exec_driver_sql("CREATE TABLE core_noted (name TEXT NOT NULL, payload TEXT NOT NULL)")


@pytest.fixture
async def storage(opened: Opened) -> AsyncIterator[Storage]:
    async with opened() as storage:
        await apply_migrations(storage, "doors", [Migration("0001", make_tables)])
        yield storage
