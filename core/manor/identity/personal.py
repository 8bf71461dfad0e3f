"""What the server knows of a person: handed out to them whole, and erased whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import structlog
import trio

from manor.audit import Audit
from manor.errors import ManorError
from manor.identity.erasing import (
    BATCH,
    ERASE,
    STEPS,
    Erase,
    Erasure,
    begin_erasure,
    conclude,
    find_erasure,
    forget_words,
    list_erasures,
    mentioned_in_audit,
    mentioned_in_outbox,
)
from manor.identity.exported import SECTIONS, own_rows
from manor.identity.users import User
from manor.outbox import JobHandler, Outbox
from manor.storage import Storage, Transaction
from manor.tasks import contained, describe

if TYPE_CHECKING:
    from manor.plugins import PersonalData

HEAD = "export_metadata"
TAIL = "statistics"

log = structlog.get_logger("manor.identity")


class Personal:
    """Exports and erasures, over the core and all plugins that run.

    Args:
        storage: The house's.
        outbox: Does the erasing, and holds words to be erased itself.
        audit: As the outbox; and keeps that it happened.
    """

    def __init__(self, storage: Storage, outbox: Outbox, audit: Audit) -> None:
        self._storage = storage
        self._outbox = outbox
        self._audit = audit
        self._plugins: dict[str, PersonalData | None] = {}

    def contribute(self, owner: str, data: PersonalData | None) -> None:
        """Take a plugin's part; None from one that knows nothing of people.

        Raises:
            ManorError: A section of that name is there already.
        """
        for section in data.sections if data else ():
            if section in (*self.sections, HEAD, TAIL):
                raise ManorError(f"'{owner}' exports the section '{section}', which is there already")
        self._plugins[owner] = data

    def withdraw(self, owner: str) -> None:
        """Do without a plugin's part: what it keeps of people who are erased is removed once it runs again."""
        self._plugins.pop(owner, None)

    @property
    def sections(self) -> tuple[str, ...]:
        """The names of all sections of an export, in its order."""
        return (*SECTIONS, *(section for data in self._plugins.values() if data for section in data.sections))

    # --- Export ----------------------------------------------------------------------------------------------------

    async def export(self, user_id: UUID) -> AsyncGenerator[tuple[str, msgspec.Struct], None]:
        """Everything about a person, row by row with its section: the core's, then each plugin's. No secrets.

        Raises:
            NotFound: There is no such person.
        """
        for section, row in await self._storage.read(partial(own_rows, user_id=user_id)):
            yield section, row
        for owner, data in list(self._plugins.items()):
            if data is None:
                continue
            async with aclosing(data.export(user_id)) as rows:
                async for section, row in rows:
                    if section not in data.sections:
                        raise ManorError(f"'{owner}' exported a row of '{section}', which it did not declare")
                    yield section, row

    async def export_json(
        self,
        user_id: UUID,
        *,
        head: Mapping[str, Any],
        always: Sequence[str] = (),
        tail: Callable[[Mapping[str, int]], Mapping[str, Any]] = dict,
    ) -> AsyncGenerator[bytes, None]:
        """The export as one JSON object, piece by piece, without ever holding more than a row of it.

        Args:
            user_id: Whose.
            head: The member `export_metadata`.
            always: Sections that are there, if empty, even when no plugin that runs has them.
            tail: Makes the member `statistics` of how many rows each section has.

        Raises:
            NotFound: There is no such person; before anything was given out.
            ManorError: A plugin came back to a section that it had left.
        """
        counts = dict.fromkeys((*self.sections, *always), 0)
        current = ""
        async with aclosing(self.export(user_id)) as rows:
            async for section, row in rows:
                written = msgspec.json.encode(row)
                if section == "account":
                    yield b'{"export_metadata":' + msgspec.json.encode(head) + b',"account":' + written
                elif section == current:
                    yield b"," + written
                elif counts[section]:
                    raise ManorError(f"the export came back to the section '{section}'")
                else:
                    yield (b"]" if current else b"") + b"," + msgspec.json.encode(section) + b":[" + written
                    current = section
                counts[section] += 1
        rest = b"]" if current else b""
        for section, count in counts.items():
            if not count:
                rest += b"," + msgspec.json.encode(section) + b":[]"
        yield rest + b',"statistics":' + msgspec.json.encode(tail(counts)) + b"}"

    # --- Erasure ---------------------------------------------------------------------------------------------------

    def erase(self, transaction: Transaction, user_id: UUID, *, actor: str) -> User:
        """Remove a person's account, in the caller's transaction; everything else follows by itself.

        Args:
            transaction: A writing one.
            user_id: Whose.
            actor: Who wants it, for the audit log: an id, or a word such as `shell`.

        Returns:
            Who it was.

        Raises:
            NotFound: There is no such person.
            Conflict: It is the system person.
        """
        user = begin_erasure(transaction, user_id)
        self._audit.record(transaction, "identity.erasure_begun", actor=actor, target=str(user_id))
        return user

    async def is_erasing(self, user_id: UUID) -> bool:
        """Whether something of an erased person may still be there."""
        return await self._storage.read(lambda transaction: find_erasure(transaction, user_id) is not None)

    def jobs(self) -> list[JobHandler[Any]]:
        """The erasing, for the outbox."""
        return [JobHandler(ERASE, self._finish)]

    async def resume(self) -> None:
        """Have all erasures that are not over tried again: a plugin that was missing may be there now."""

        def work(transaction: Transaction) -> None:
            for erasure in list_erasures(transaction):
                transaction.defer(ERASE, Erase(erasure.user_id), at=transaction.now, key=str(erasure.user_id))

        if await self._storage.read(list_erasures):
            await self._storage.write(work)

    async def _finish(self, payload: Erase) -> None:
        """Remove everything, wherever an earlier attempt was; returns once the files hold nothing of it."""
        user_id = payload.user_id
        erasure = await self._storage.read(lambda transaction: find_erasure(transaction, user_id))
        if erasure is None:
            return
        failures: list[str] = []
        # A request that was let in just before may have written just after: until a round finds nothing.
        while await self._round(erasure, failures) and not failures:
            await trio.lowlevel.checkpoint()
        if failures:
            raise ManorError("not everything could be erased: " + "; ".join(failures))
        await self._storage.write(lambda transaction: forget_words(transaction, user_id))
        if not await self._storage.compact():
            raise ManorError("somebody reads an older state all the time, so that the erased words are still in it")
        if missing := await self._storage.read(self._missing):
            log.warning("an erasure waits for plugins that do not run", user_id=str(user_id), plugins=missing)
            return
        await self._storage.write(lambda transaction: conclude(transaction, self._audit, user_id))
        log.info("a person is erased", user_id=str(user_id))

    async def _round(self, erasure: Erasure, failures: list[str]) -> int:
        """Look everywhere once; returns how many rows went."""
        gone = 0

        def note(error: Exception, owner: str) -> None:
            failures.append(f"{owner}: {describe(error)}")

        for owner, data in list(self._plugins.items()):
            if data is None:
                continue
            with contained(note, owner):
                gone += await self._in_batches(partial(_of_plugin, data, erasure.user_id))
        for step in STEPS:
            gone += await self._in_batches(partial(_of_core, step, erasure))
        gone += await self._in_batches(
            lambda transaction: self._audit.erase(transaction, str(erasure.user_id), most=BATCH)
        )
        if erasure.username is not None:
            gone += await self._from_outbox(erasure)
            gone += await self._from_audit(erasure)
        return gone

    async def _in_batches(self, work: Callable[[Transaction], int]) -> int:
        total = 0
        while gone := await self._storage.write(work):
            total += gone
        return total

    async def _from_outbox(self, erasure: Erasure) -> int:
        total = after = 0
        while rows := await self._storage.read(partial(self._outbox.list, after=after, most=BATCH)):
            after = rows[-1].id
            if ids := mentioned_in_outbox(erasure, rows):
                total += await self._storage.write(partial(self._outbox.drop, ids=ids))
        return total

    async def _from_audit(self, erasure: Erasure) -> int:
        total = after = 0
        while rows := await self._storage.read(partial(self._audit.list, after=after, most=BATCH)):
            after = rows[-1].id
            if ids := mentioned_in_audit(erasure, rows):
                total += await self._storage.write(partial(self._audit.blank, ids=ids))
        return total

    def _missing(self, transaction: Transaction) -> list[str]:
        """Plugins that have tables here and do not run."""
        owners = transaction.connection.exec_driver_sql("SELECT DISTINCT owner FROM core_migrations").scalars()
        return sorted(set(owners) - {"core", "identity"} - self._plugins.keys())


def _of_plugin(data: PersonalData, user_id: UUID, transaction: Transaction) -> int:
    gone: int = data.erase(transaction, user_id, BATCH)
    return gone


def _of_core(step: Callable[[Transaction, Erasure, int], int], erasure: Erasure, transaction: Transaction) -> int:
    return step(transaction, erasure, BATCH)
