"""Opening what lies in folders of other accounts: nobody leads root anywhere by a link."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path

MOST_LINKS = 40
"""As many as the kernel follows."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder is opened by its name in another one."""

# A pipe must not be waited for: nothing would end the thread that does.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class NotFollowed(OSError):
    """A link that somebody made who is not trusted, or too many links."""


def trusted() -> frozenset[int]:
    """Users whose links we follow: root, and ourselves."""
    return frozenset({0, os.geteuid()})


def open_folder(root: Path, path: str, owners: Collection[int]) -> int:
    """Open a folder by its path; gives its descriptor.

    A link on the way is followed where it belongs to somebody trusted, and nobody else may have put it there.

    Args:
        root: What stands for `/`, also for links.
        path: From there on.
        owners: Users who are trusted.

    Raises:
        NotFollowed: A link of somebody else's is on the way.
        OSError: There is no such folder.
    """
    return _open(root, path, owners, FOLDER)


def open_file(root: Path, path: str, owners: Collection[int]) -> int:
    """Open what may be a file, as `open_folder` does; a pipe that stands there is not waited for.

    Raises:
        NotFollowed: A link of somebody else's is on the way, or stands there.
        OSError: There is no such file.
    """
    return _open(root, path, owners, _FILE)


def _open(root: Path, path: str, owners: Collection[int], flags: int) -> int:
    todo = deque(Path(path).parts[1:])
    links = 0
    with ExitStack() as opened:
        way = [_kept(opened, os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))]
        while todo:
            name = todo.popleft()
            if name == "..":
                del way[max(1, len(way) - 1) :]
                continue
            try:
                found = os.open(name, FOLDER if todo else flags, dir_fd=way[-1])
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                links += 1
                target = _target(name, way[-1], owners, links)
                if target is None:
                    raise
                if target.is_absolute():
                    del way[1:]
                todo.extendleft(reversed([part for part in target.parts if part != "/"]))
                continue
            if not todo:
                return found
            way.append(_kept(opened, found))
        return os.open(".", flags, dir_fd=way[-1])


def _kept(opened: ExitStack, descriptor: int) -> int:
    opened.callback(os.close, descriptor)
    return descriptor


def _target(name: str, folder: int, owners: Collection[int], links: int) -> Path | None:
    """Where a link leads; None when it is none.

    Raises:
        NotFollowed: It is not to be followed.
    """
    link = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(link.st_mode):
        return None
    if link.st_uid not in owners or links > MOST_LINKS or not _is_kept(os.fstat(folder), owners):
        raise NotFollowed(errno.ELOOP, "This is a link that is not followed", name)
    return Path(os.readlink(name, dir_fd=folder))


def _is_kept(folder: os.stat_result, owners: Collection[int]) -> bool:
    """Whether nobody else can move what others have made in a folder."""
    is_open = folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not folder.st_mode & stat.S_ISVTX
    return folder.st_uid in owners and not is_open
