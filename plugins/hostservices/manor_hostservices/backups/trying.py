"""Trying where backups are to go before it is kept: what restic finds there, and nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import trio

from manor_hostservices.backups.destination import Found, Tried
from manor_hostservices.backups.faults import Fault, RepositoryFault
from manor_hostservices.backups.setting import Setting
from manor_hostservices.backups.store import Location
from manor_hostservices.backups.work import OPENS_OTHERWISE
from manor_hostservices.refusals import Failed

TRY_SECONDS = 30.0
"""How long the store may take: somebody is waiting."""

OPENS = "There is a repository already, and this server's password opens it"
NONE_YET = "There is no repository yet: one is made there when this is saved"
NO_BUCKET = "There is no bucket of this name; one is made when this is saved, if the credentials may do that"
NO_FOLDER = "There is no such folder, nor the one that it would be in: is its disk mounted?"
NOT_A_FOLDER = "A file stands where the folder is to be"
NOT_WRITABLE = "The folder cannot be written to"

_FOUND: Mapping[Fault, Found] = {
    "absent": "empty",
    "bucket": "bucket",
    "password": "password",
    "denied": "denied",
    "host_key": "host_key",
    "unreachable": "unreachable",
}


async def try_out(setting: Setting, location: Location) -> Tried:
    """Find out whether backups would get there.

    Args:
        setting: The host.
        location: Where, with the credentials that are tried.

    Raises:
        HostRefusal: This host cannot even try.
    """
    try:
        if location.folder is not None and (tried := await trio.to_thread.run_sync(_looked_at, location.folder)):
            return tried
        repository = await setting.repository(location)
    except OSError as error:
        raise Failed(f"This server's own disk does not let us try: {error.strerror}") from error
    try:
        await repository.open(TRY_SECONDS)
    except RepositoryFault as fault:
        return _told(fault, has_password=repository.has_password)
    return Tried("repository", OPENS)


def _looked_at(folder: Path) -> Tried | None:
    """What is wrong with a folder; None when restic may look into it, or make it."""
    if folder.exists() and not folder.is_dir():
        return Tried("folder", NOT_A_FOLDER)
    # Restic would make all of a path, on the disk of whatever is there now.
    nearest = folder if folder.is_dir() else folder.parent
    if not nearest.is_dir():
        return Tried("folder", NO_FOLDER)
    return None if os.access(nearest, os.W_OK | os.X_OK) else Tried("denied", NOT_WRITABLE)


def _told(fault: RepositoryFault, *, has_password: bool) -> Tried:
    found = _FOUND.get(fault.fault, "other")
    match found:
        case "empty":
            return Tried(found, NONE_YET)
        case "bucket":
            return Tried(found, NO_BUCKET)
        case "password" if not has_password:
            return Tried(found, OPENS_OTHERWISE)
    return Tried(found, fault.detail)
