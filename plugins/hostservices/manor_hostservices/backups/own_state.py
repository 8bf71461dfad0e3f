"""Bringing back what was set from here: whole or not at all, while restic writes into the file that others read."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import trio

from manor_hostservices.backends.state import STATE_FILE, stored_state
from manor_hostservices.backups.repository import Repository
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import HELPER_FOLDER, Places

PATH = f"{HELPER_FOLDER}/{STATE_FILE}"
"""Of the file, in a backup as on the host."""


async def bring_state_back(repository: Repository, report: Report, snapshot: str, places: Places) -> None:
    """Put the state of a backup in the place of the host's; without one in the backup, or a broken one, that stays.

    Args:
        repository: Has the backup.
        report: Is told.
        snapshot: The backup.
        places: Where the host's files are.

    Raises:
        RepositoryFault: It could not be restored.
    """
    with tempfile.TemporaryDirectory(dir=repository.scratch) as folder:
        await repository.restore_some(report, snapshot, Path(folder), [PATH])
        try:
            text = await trio.Path(Places(Path(folder)).at(PATH)).read_bytes()
        except FileNotFoundError:
            return
    try:
        await stored_state(places).put(text)
    except msgspec.DecodeError:
        report.log(f"{PATH} is broken in the backup; the one that is here stays")
