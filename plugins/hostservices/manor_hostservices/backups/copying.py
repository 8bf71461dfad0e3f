"""Copies Manor's database for a backup: `… FOLDER` makes the copy in FOLDER/backup, `… --remove FOLDER` removes it.

The daemon writes to its database while it is backed up, so what restic would read of it fits together only by luck. The
folder is the daemon's, and root trusts nothing in there: this process becomes the folder's owner before it opens
anything, so a link leads it nowhere that its owner could not go by himself.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

DATABASE = "manor.db"
COPIES = "backup"
"""The copy's folder, in the database's."""

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite has beside a database, by the ends of the names."""

RESERVE = 64 << 20
"""Bytes that a copy leaves free: a disk without room stops the daemon."""

CANNOT = 1
"""Exit status when there is no copy; the reason is the last line that was said."""


class NoCopy(Exception):
    """The database cannot be copied; a sentence says why."""


def become_owner(folder: str) -> None:
    """Go into a folder, with no more rights than its owner has.

    Raises:
        OSError: It is no folder, or is a link.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    owner = os.fstat(descriptor)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    os.fchdir(descriptor)
    os.umask(0o077)


def copy(reserve: int = RESERVE) -> None:
    """Copy the database that is in the current folder, as it is at one moment.

    Page by page: a backup then sends only pages that have changed.

    Args:
        reserve: Bytes that have to be free besides.

    Raises:
        NoCopy: It cannot be copied now.
        OSError: The disk does not take it, or does not let us.
    """
    status = os.lstat(DATABASE)
    if not stat.S_ISREG(status.st_mode):
        raise NoCopy("it is no file")
    Path(COPIES).mkdir(mode=0o700, exist_ok=True)
    remove()
    needed = status.st_size + _size(f"{DATABASE}-wal") + reserve
    room = os.statvfs(COPIES)
    if room.f_bavail * room.f_frsize < needed:
        raise NoCopy(f"there is no space left for it: {needed >> 20} MiB have to be free")
    try:
        _copy()
    except sqlite3.Error as error:
        remove()
        raise NoCopy(str(error)) from error
    except BaseException:
        remove()
        raise


def _copy() -> None:
    with (
        closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(f"{COPIES}/{DATABASE}")) as target,
    ):
        # It is read at once and then removed: after a crash another is made.
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        # In one step: a daemon that writes meanwhile would have it begin anew between two.
        source.backup(target, pages=-1)


def remove() -> None:
    """Remove the copy that is in the current folder, if any."""
    for end in ("", *BESIDE):
        Path(f"{COPIES}/{DATABASE}{end}").unlink(missing_ok=True)


def _size(path: str) -> int:
    with suppress(FileNotFoundError):
        return os.lstat(path).st_size
    return 0


def main(arguments: Sequence[str]) -> int:
    """Do what is asked; the exit status tells whether it is done."""
    *options, folder = arguments
    try:
        become_owner(folder)
        if options == ["--remove"]:
            remove()
        else:
            copy()
    except (NoCopy, OSError) as error:
        sys.stdout.write(f"{error.strerror if isinstance(error, OSError) else error}\n")
        return CANNOT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
