"""What is remembered of the repository, so that nobody has to ask the store to know it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from manor_hostservices.backups.store import Store
from manor_hostservices.places import Places
from manor_hostservices.refusals import Failed
from manor_hostservices.stored import StoredJson
from manor_hostservices.verbs import Backups, JobKind

_HEALED_BY: dict[str, frozenset[JobKind]] = {
    "reload": frozenset({"reload", "backup", "restore", "init", "verify", "forget"}),
    "forget": frozenset({"forget", "backup", "restore", "init", "verify"}),
}
"""Which success ends the trouble that a job met; what a verification found, only another one does."""

_ASKED_FOR: frozenset[JobKind] = frozenset({"backup", "restore", "init", "verify"})


class Memory(msgspec.Struct, frozen=True):
    """What is remembered.

    Args:
        about: The digest of the repository's address: of another one nothing is known.
        is_made: Whether it is set up.
        error: What went wrong the last time; None when nothing did.
        error_of: What was done then.
        damage: What the last verification said that failed; None once one did not.
        snapshots: Restic's own objects, oldest first.
        listed_at: When they were listed.
        verified_at: When a restore was last proven.
    """

    about: str = ""
    is_made: bool = False
    error: str | None = None
    error_of: JobKind | None = None
    damage: str | None = None
    snapshots: list[dict[str, Any]] = []
    listed_at: datetime | None = None
    verified_at: datetime | None = None

    def succeeded(self, kind: JobKind) -> Memory:
        """After a job that was done."""
        damage = None if kind == "verify" else self.damage
        if self.error_of is None or kind in _HEALED_BY.get(self.error_of, _ASKED_FOR):
            return msgspec.structs.replace(self, error=None, error_of=None, damage=damage)
        return msgspec.structs.replace(self, damage=damage)

    def without_error(self) -> Memory:
        """After what went wrong may be right now."""
        return msgspec.structs.replace(self, error=None, error_of=None, damage=None)

    def failed(self, kind: JobKind, error: str) -> Memory:
        """After a job that was not."""
        if kind == "verify":
            # That backups can be made, or fail for another reason, does not prove that they can be read.
            return msgspec.structs.replace(self, damage=error)
        return msgspec.structs.replace(self, error=error, error_of=kind)

    def listed(self, snapshots: list[dict[str, Any]], now: datetime) -> Memory:
        """After the repository was looked at, which began at this moment."""
        if self.listed_at is not None and self.listed_at > now:
            return self  # somebody looked later, and was faster
        return msgspec.structs.replace(self, is_made=True, snapshots=snapshots, listed_at=now)

    def answer(self) -> Backups:
        """As the daemon is told."""
        return Backups(self._state(), self.error or self.damage, self.snapshots, self.listed_at, self.verified_at)

    def _state(self) -> Literal["NOT_INITIALIZED", "INITIALIZED", "ERROR"]:
        if self.error is not None or self.damage is not None:
            return "ERROR"
        return "INITIALIZED" if self.is_made else "NOT_INITIALIZED"


Lesson = Callable[[Memory], Memory]
"""What is known after something was done, from what was known before."""


class Files:
    """The files in which it is remembered, root's alone.

    Args:
        places: Where they are.
    """

    def __init__(self, places: Places) -> None:
        self._memory = StoredJson(places.own / "backups.json", Memory, Memory)
        self._store: StoredJson[Store | None] = StoredJson(
            places.own / "store.json",
            Store | None,  # type: ignore[arg-type]  # a union is no class, and msgspec reads it all the same
            lambda: None,
        )

    async def store(self) -> Store | None:
        """What the app said of the store.

        Raises:
            Failed: The file is broken.
        """
        try:
            return await self._store.read()
        except msgspec.DecodeError as error:
            raise Failed("The file with the store's credentials is broken: save them again") from error

    async def keep_store(self, store: Store) -> None:
        """Remember what the app says, whatever was there.

        Raises:
            Failed: The disk does not take it.
        """
        try:
            try:
                await self._store.change(lambda _: (store, None))
            except msgspec.DecodeError:
                self._store.path.unlink()
                await self._store.change(lambda _: (store, None))
        except OSError as error:
            raise Failed(f"The store's credentials could not be written down: {error.strerror}") from error

    async def memory(self, about: str) -> Memory:
        """What is remembered of the repository with this digest."""
        try:
            memory = await self._memory.read()
        except msgspec.DecodeError:
            return Memory(about)  # it is only remembered: the repository is asked anew
        return memory if memory.about == about else Memory(about)

    async def learn(self, about: str, lessons: Sequence[Lesson]) -> None:
        """Change what is remembered of the repository with this digest; other jobs may do so at the same time.

        Raises:
            Failed: The disk does not take it.
        """

        def work(memory: Memory) -> tuple[Memory, None]:
            memory = memory if memory.about == about else Memory(about)
            for lesson in lessons:
                memory = lesson(memory)
            return memory, None

        try:
            try:
                await self._memory.change(work)
            except msgspec.DecodeError:
                self._memory.path.unlink()
                await self._memory.change(work)
        except OSError as error:
            raise Failed(f"What is known of the backups could not be written down: {error.strerror}") from error
