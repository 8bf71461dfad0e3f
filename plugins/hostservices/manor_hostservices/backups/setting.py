"""What work with the repository needs to know of the host."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from manor import Clock
from manor_hostservices.backups.database import Database
from manor_hostservices.backups.own_state import StateFile, state_files
from manor_hostservices.backups.repository import Repository, escaped
from manor_hostservices.backups.store import PASSWORD_FILE, Location, Store, read_password
from manor_hostservices.config import BackupConfig
from manor_hostservices.places import HELPER_FOLDER, Places
from manor_hostservices.programs import Programs

OWN_FILES = ("jobs", "cache", "scratch", "backups.json*", "store.json*", PASSWORD_FILE, "*.lock", ".*")
"""Patterns, in the helper's folder: they are about this host now, its repository and what it is just doing, and an old
copy would only do harm."""

MANORS_DATA = "/var/lib/manor"
"""The daemon has it open: it is restored while the daemon is stopped, by hand."""


@dataclass(frozen=True)
class Setting:
    """The host, as far as backups go.

    Args:
        config: The administrator's table.
        places: Where the host's files are.
        programs: Runs restic.
        clock: What time it is.
        userdata: The file that the NixOS configuration reads; "" on other hosts.
    """

    config: BackupConfig
    places: Places
    programs: Programs
    clock: Clock
    userdata: str = ""

    @property
    def password_file(self) -> Path:
        """Where the repository's password is."""
        given = self.config.password_file
        return self.places.at(given) if given else self.places.own / PASSWORD_FILE

    def location(self, store: Store | None) -> Location:
        """Where the repository is."""
        return Location(self.config.repository, store, self.places)

    async def repository(self, location: Location) -> Repository:
        """The repository, with the password that there is now."""
        password = await trio.to_thread.run_sync(read_password, self.password_file)
        repository = Repository(
            self.programs, self.config.restic, location, self.password_file, password, self.places.own
        )
        await trio.to_thread.run_sync(_make, repository.scratch)
        return repository

    def database(self) -> Database:
        """Manor's own database, as it is found now."""
        return Database(self.config.manor_data, self.places, self.programs)

    def left_out(self, location: Location, besides: Sequence[str] = ()) -> list[str]:
        """Patterns of what is not backed up, as paths on this machine.

        Args:
            location: Where the repository is.
            besides: Files that are not backed up either, from the host's root on.
        """
        own = [f"{escaped(str(self.places.own))}/{name}" for name in OWN_FILES]
        repository = [] if location.folder is None else [escaped(str(location.folder))]
        root = escaped(str(self.places.root)).rstrip("/")
        given = [f"{root}{pattern}" if pattern.startswith("/") else pattern for pattern in self.config.exclude]
        return [*own, *repository, *given, *(f"{root}{escaped(path)}" for path in besides)]

    def left_alone(self) -> list[str]:
        """Patterns of what is not restored over what runs, as paths in the backup; elsewhere all is restored."""
        if not self.is_in_place:
            return []
        own = [f"{HELPER_FOLDER}/{name}" for name in OWN_FILES]
        states = [pattern for path in self.state_files for pattern in _with_what_is_beside(path)]
        password = self.config.password_file
        return [*own, *states, *([escaped(password)] if password else []), self._manors_data]

    @property
    def state_files(self) -> Mapping[str, StateFile]:
        """What was set from here, by its path."""
        return state_files(self.places, self.userdata)

    @property
    def is_in_place(self) -> bool:
        """Whether a restore puts files where they were."""
        return not self.config.target.strip("/")

    @property
    def _manors_data(self) -> str:
        return escaped(self.config.manor_data.rstrip("/")) or MANORS_DATA


def _with_what_is_beside(path: str) -> Sequence[str]:
    """Patterns of a file that is written whole: its lock and its halves are those who write it now."""
    folder, _, name = escaped(path).rpartition("/")
    return [f"{folder}/{name}", f"{folder}/{name}.lock", f"{folder}/.{name}.*"]


def _make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def clear(folder: Path) -> None:
    """Remove what a process left in there that was killed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
