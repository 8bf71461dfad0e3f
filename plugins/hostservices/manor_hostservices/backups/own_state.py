"""Bringing back what was set from here: whole or not at all, while restic writes into the files that others read."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec
import trio

from manor_hostservices.backends.state import STATE_FILE, stored_state
from manor_hostservices.backups.repository import Repository
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import HELPER_FOLDER, Places

STATE = f"{HELPER_FOLDER}/{STATE_FILE}"
"""What was set from here where the host itself keeps no such file: its path, in a backup as on the host."""


class StateFile(Protocol):
    """A file that several processes change, whole or not at all."""

    async def put(self, text: bytes) -> None:
        """Have it be this text.

        Raises:
            msgspec.DecodeError: It would be broken; it is left as it is.
        """
        ...


def state_files(places: Places, userdata: str) -> Mapping[str, StateFile]:
    """The files that hold what was set from here, by their paths on the host.

    Args:
        places: Where the host's files are.
        userdata: The one that the NixOS configuration reads; "" on other hosts.
    """
    found: dict[str, StateFile] = {STATE: stored_state(places)}
    if userdata:
        # Nobody else needs what a NixOS host is made of.
        from manor_hostservices.backends.nixos.userdata import UserData

        found[userdata] = UserData(places.at(userdata), ())
    return found


async def bring_state_back(
    repository: Repository, report: Report, snapshot: str, files: Mapping[str, StateFile]
) -> None:
    """Put the state of a backup in the place of the host's; what the backup has not, or broken, stays as it is.

    Args:
        repository: Has the backup.
        report: Is told.
        snapshot: The backup.
        files: What is brought back, by its path in the backup.

    Raises:
        RepositoryFault: It could not be restored.
    """
    with tempfile.TemporaryDirectory(dir=repository.scratch) as folder:
        await repository.restore_some(report, snapshot, Path(folder), list(files))
        there = Places(Path(folder))
        for path, file in files.items():
            try:
                text = await trio.Path(there.at(path)).read_bytes()
            except FileNotFoundError:
                continue
            try:
                await file.put(text)
            except msgspec.DecodeError:
                report.log(f"{path} is broken in the backup; the one that is here stays")
