"""Reading files that nobody but root can have written: what root does by a file, whoever writes the file does."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Collection
from pathlib import Path

from manor import AdminFault, Problem

ROOT: frozenset[int] = frozenset({0})

MOST_LINKS = 40
"""As many as the kernel follows."""

LONGEST = 1 << 20
"""Bytes of a file of configuration."""


class Untrusted(AdminFault):
    """A file, or a folder on the way to it, may be written by somebody else.

    Args:
        place: Which one.
        what: What is wrong with it, and how to mend that.
    """

    def __init__(self, place: Path, what: str) -> None:
        super().__init__([Problem(str(place), what)])


def read_trusted(path: Path, owners: Collection[int] = ROOT) -> bytes:
    """Read a file.

    Args:
        path: From the root on.
        owners: User ids that are trusted.

    Raises:
        FileNotFoundError: There is none.
        Untrusted: It may be written by somebody else, or is no file.
    """
    place = _resolved(path, owners)
    # Only those who are trusted can change the way there, so nothing can be changed under our feet. A device or a pipe
    # that stands there must not hold us up.
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Untrusted(place, "is no file")
        _check(place, status, owners)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(LONGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > LONGEST:
        raise Untrusted(place, f"has more than {LONGEST} bytes")
    return data


def list_trusted(folder: Path, owners: Collection[int] = ROOT) -> list[str]:
    """Names of what is in a folder, sorted; none when there is no folder.

    Raises:
        Untrusted: Somebody else may put something there.
    """
    try:
        place = _resolved(folder, owners)
        _check(place, place.lstat(), owners)
        return sorted(entry.name for entry in place.iterdir())
    except FileNotFoundError:
        return []
    except NotADirectoryError as error:
        raise Untrusted(folder, "is no folder") from error


def _resolved(path: Path, owners: Collection[int]) -> Path:
    """Where a path leads, each folder and link on the way having been looked at; links are followed as a shell does.

    Configuration that a system is built from (NixOS) consists of links.
    """
    place = Path("/")
    todo = deque(path.parts[1:])
    links = 0
    while todo:
        _check_folder(place, owners)
        name = todo.popleft()
        if name == "..":
            place = place.parent
            continue
        here = place / name
        status = here.lstat()
        if not stat.S_ISLNK(status.st_mode):
            place = here
            continue
        links += 1
        if links > MOST_LINKS:
            raise Untrusted(path, "too many links")
        if status.st_uid not in owners:
            raise Untrusted(here, f"the link belongs to user {status.st_uid}, not to root")
        target = here.readlink()
        if target.is_absolute():
            place = Path("/")
        todo.extendleft(reversed([part for part in target.parts if part != "/"]))
    return place


def _check_folder(place: Path, owners: Collection[int]) -> None:
    status = place.lstat()
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX and status.st_uid in owners:
        # Others may add to it, but not replace what is there; the next step looks whose that is.
        return
    _check(place, status, owners)


def _check(place: Path, status: os.stat_result, owners: Collection[int]) -> None:
    if status.st_uid not in owners:
        raise Untrusted(place, f"belongs to user {status.st_uid}, not to root; chown root {place}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Untrusted(place, f"may be written by others than root; chmod go-w {place}")
