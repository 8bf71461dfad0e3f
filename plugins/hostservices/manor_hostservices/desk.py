"""Where verbs are done, on the side that may do them: each goes to the one that knows how."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from manor_hostservices.backends.backend import Backend
from manor_hostservices.backups.destination import Tried
from manor_hostservices.verbs import (
    AddKey,
    AddUser,
    Backups,
    CancelJob,
    DeleteUser,
    Job,
    Lines,
    Pull,
    ReadAutoUpgrade,
    ReadBackups,
    ReadDataSize,
    ReadDkim,
    ReadJobLog,
    ReadJobs,
    ReadJournal,
    ReadKeys,
    ReadServices,
    ReadSsh,
    ReadTimezone,
    ReadUpdates,
    ReadUsers,
    RemoveKey,
    SetAutoUpgrade,
    SetBackupStore,
    SetSsh,
    SetTimezone,
    StartJob,
    SwitchService,
    Verb,
)

A = TypeVar("A")


class JobDesk(Protocol):
    """Starts jobs and knows how they fare."""

    async def start(self, verb: StartJob) -> Job:
        """Start one. `Conflicting`: one that it cannot run beside is running, or there is one with this id."""
        ...

    async def cancel(self, verb: CancelJob) -> None:
        """End one. `Missing`: no such job; `Conflicting`: it has ended, or is of a kind that must not be cut short."""
        ...

    async def read(self, verb: ReadJobs) -> list[Job]:
        """Newest first; a job whose process is gone without a word is `lost`."""
        ...

    async def log(self, verb: ReadJobLog) -> Lines:
        """What its programs said. `Missing`: no such job."""
        ...


class BackupDesk(Protocol):
    """Knows the repository without asking it; asking takes a job."""

    async def known(self) -> Backups:
        """The repository as it was last looked at."""
        ...

    async def set_store(self, verb: SetBackupStore) -> Tried | None:
        """Keep the credentials, or only try them and say what came of it. `Invalid`: some are missing, or are none."""
        ...


class Desk:
    """Does verbs.

    Args:
        backend: The host.
        jobs: Its jobs.
        backups: Its backups.
    """

    def __init__(self, backend: Backend, jobs: JobDesk, backups: BackupDesk) -> None:
        self._backend = backend
        self._jobs = jobs
        self._backups = backups

    async def ask(self, verb: Verb[A]) -> A:
        """Do a verb.

        Raises:
            HostRefusal: The host says no.
        """
        if verb.changes:
            return await self._change(verb)  # type: ignore[no-any-return]  # each case answers what its verb says
        return await self._read(verb)  # type: ignore[no-any-return]

    async def _read(self, verb: Verb[Any]) -> Any:
        backend = self._backend
        match verb:
            case ReadServices():
                return await backend.services()
            case ReadJournal():
                return await backend.journal(verb)
            case ReadDataSize():
                return await backend.data_size(verb.key)
            case ReadSsh():
                return await backend.ssh()
            case ReadUsers():
                return await backend.users()
            case ReadKeys():
                return await backend.keys(verb.user)
            case ReadTimezone():
                return await backend.timezone()
            case ReadAutoUpgrade():
                return await backend.auto_upgrade()
            case ReadDkim():
                return await backend.dkim()
            case ReadUpdates():
                return await backend.updates()
            case ReadBackups():
                return await self._backups.known()
            case ReadJobs():
                return await self._jobs.read(verb)
            case ReadJobLog():
                return await self._jobs.log(verb)
        raise TypeError(f"nobody reads {verb!r}")

    async def _change(self, verb: Verb[Any]) -> Any:
        backend = self._backend
        match verb:
            case SwitchService():
                return await backend.switch_service(verb)
            case SetSsh():
                return await backend.set_ssh(verb)
            case AddUser():
                return await backend.add_user(verb)
            case DeleteUser():
                return await backend.delete_user(verb)
            case AddKey():
                return await backend.add_key(verb)
            case RemoveKey():
                return await backend.remove_key(verb)
            case SetTimezone():
                return await backend.set_timezone(verb)
            case SetAutoUpgrade():
                return await backend.set_auto_upgrade(verb)
            case Pull():
                return await backend.pull()
            case StartJob():
                return await self._jobs.start(verb)
            case CancelJob():
                return await self._jobs.cancel(verb)
            case SetBackupStore():
                return await self._backups.set_store(verb)
        raise TypeError(f"nobody does {verb!r}")
