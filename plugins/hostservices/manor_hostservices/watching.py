"""Watching the host: services that fail, and updates that are there. What was told is kept, and not told again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import structlog
import trio
from sqlalchemy import Column, MetaData, String, Table, delete, select
from sqlalchemy.dialects.sqlite import insert

from manor import Storage, Transaction
from manor_hostservices.events import ServiceFailed, UpdatesAvailable
from manor_hostservices.host import Host
from manor_hostservices.refusals import HostRefusal, Missing
from manor_hostservices.verbs import ReadKeys, ReadServices, ReadUpdates, ServiceState, Updates

SERVICES_EVERY = 30.0
UPDATES_EVERY = 86_400.0
UPDATES_AGAIN = 3600.0
"""Seconds until the next look after one that the host refused: its package manager may be at work."""

SETTLING = 300.0
"""Seconds after the start until updates are asked for: a host that boots has better to do."""

PRIMARY_EVERY = 3600.0
"""Seconds between two looks for the primary account while it is there."""

UPDATES = "updates"
FAILED = "failed:"

metadata = MetaData()

told = Table(
    "hostservices_told",
    metadata,
    Column("what", String, primary_key=True),
    Column("value", String, nullable=False),
)
"""What was told last, by what it is about: a failed service since when, or the updates that there were."""

log = structlog.get_logger("manor_hostservices.watching")


class ServiceWatch:
    """Looks at the services now and then, and tells of each failure once.

    Args:
        storage: Keeps what was told.
        host: The host.

    Attributes:
        trouble: Why they could not be looked at the last time; None when they could.
    """

    def __init__(self, storage: Storage, host: Host) -> None:
        self._storage = storage
        self._host = host
        self.trouble: str | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await trio.sleep(SERVICES_EVERY)
            await self.look()

    async def look(self) -> None:
        """Look once."""
        try:
            services = await self._host.ask(ReadServices())
        except HostRefusal as refusal:
            if refusal.detail != self.trouble:
                log.warning("the host does not say how its services fare", reason=refusal.detail)
            self.trouble = refusal.detail
            return
        self.trouble = None
        failed = [service for service in services if service.active == "failed"]
        now = {FAILED + service.key: _since(service) for service in failed}
        before = await self._storage.read(_told_failures)
        if now != before:
            await self._storage.write(lambda transaction: _tell_failures(transaction, failed, now))

    async def check(self) -> str | None:
        """Why nobody is told when a service fails; None when all is well."""
        return None if self.trouble is None else f"they cannot be watched: {self.trouble}"


class UpdateWatch:
    """Looks once a day what an upgrade would bring, and tells when that is something else than the last time.

    Args:
        storage: Keeps what was told.
        host: The host.
    """

    def __init__(self, storage: Storage, host: Host) -> None:
        self._storage = storage
        self._host = host
        self._soon = trio.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        pause = SETTLING
        while True:
            with trio.move_on_after(pause):
                await self._soon.wait()
            self._soon = trio.Event()
            pause = UPDATES_EVERY if await self.look() else UPDATES_AGAIN

    def look_soon(self) -> None:
        """Packages have changed: do not wait for tomorrow."""
        self._soon.set()

    async def look(self) -> bool:
        """Look once; whether the host said it."""
        try:
            updates = await self._host.ask(ReadUpdates())
        except HostRefusal as refusal:
            log.info("what an upgrade would bring is not known", reason=refusal.detail)
            return False
        await self._storage.write(lambda transaction: _tell_updates(transaction, updates))
        return True


class PrimaryWatch:
    """Looks whether the primary account is there: else its keys are not found, and nothing would say why.

    Args:
        host: The host.
        name: What the account is to be called.

    Attributes:
        trouble: That it is not there; None when it is, or nobody can tell.
    """

    def __init__(self, host: Host, name: str) -> None:
        self._host = host
        self._name = name
        self.trouble: str | None = None

    async def run(self) -> None:
        """Watch until cancelled: seldom once it was seen."""
        while True:
            is_there = await self.look()
            await trio.sleep(PRIMARY_EVERY if is_there else SERVICES_EVERY)

    async def look(self) -> bool:
        """Look once; whether it is there for sure."""
        try:
            await self._host.ask(ReadKeys(self._name))
        except Missing:
            if self.trouble is None:
                self.trouble = f"there is no account {self._name!r}: set plugins.hostservices.primary_user"
                log.warning("the primary account is not on this host", primary_user=self._name)
            return False
        except HostRefusal:
            # Whoever watches the helper says so.
            return False
        self.trouble = None
        return True


def _since(service: ServiceState) -> str:
    return "" if service.since is None else service.since.isoformat()


def _told_failures(transaction: Transaction) -> dict[str, str]:
    query = select(told.c.what, told.c.value).where(told.c.what.startswith(FAILED, autoescape=True))
    return {row.what: row.value for row in transaction.connection.execute(query)}


def _tell_failures(transaction: Transaction, failed: Sequence[ServiceState], now: Mapping[str, str]) -> None:
    before = _told_failures(transaction)
    for gone in before.keys() - now.keys():
        transaction.connection.execute(delete(told).where(told.c.what == gone))
    for service in failed:
        what = FAILED + service.key
        if before.get(what) == now[what]:
            continue
        _note(transaction, what, now[what])
        summary = f"{service.title} has failed"
        transaction.emit(ServiceFailed(service.key, service.title, service.since, summary, transaction.now))


def _tell_updates(transaction: Transaction, updates: Updates) -> None:
    known = msgspec.json.encode(sorted((each.name, each.new) for each in updates.packages)).decode()
    before = transaction.connection.execute(select(told.c.value).where(told.c.what == UPDATES)).scalar()
    if known == before:
        return
    _note(transaction, UPDATES, known)
    if updates.packages:
        security = sum(each.security for each in updates.packages)
        transaction.emit(
            UpdatesAvailable(
                [each.name for each in updates.packages],
                len(updates.packages),
                security,
                updates.reboot_required,
                _in_words(len(updates.packages), security),
                transaction.now,
            )
        )


def _in_words(count: int, security: int) -> str:
    packages = "1 package" if count == 1 else f"{count} packages"
    return f"An upgrade would bring {packages}, {security or 'none'} of them for security"


def _note(transaction: Transaction, what: str, value: str) -> None:
    statement = insert(told).values(what=what, value=value)
    transaction.connection.execute(statement.on_conflict_do_update(index_elements=["what"], set_={"value": value}))
