"""Runs a program that puts files somewhere and follows no link there: `… TARGET PLACE PROGRAM [ARGUMENT …]`.

Root restores into folders that belong to people. Whoever exchanges a folder of theirs for a link would have root write
their files wherever the link leads, and restic follows such links. So the program sees the target at a place of its
own, where the kernel follows none (mount_setattr(2), MOUNT_ATTR_NOSYMFOLLOW; Linux 5.14): links are still made and
kept. Nobody else sees that place, and it is gone with the program.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

_HERE = -100  # AT_FDCWD
_RECURSIVE, _EMPTY_PATH = 0x8000, 0x1000
_CLONE_MOUNTS = 0x20000  # CLONE_NEWNS
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # the same on every machine that Python 3.11 runs on
_OPEN_TREE_CLONE, _MOVE_FROM_EMPTY_PATH = 1, 4
_NO_SYMLINKS = 0x00200000

CANNOT = 70
"""Exit status when links would be followed."""


class _Attributes(ctypes.Structure):
    """`struct mount_attr`."""

    _fields_ = (
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("user_namespace", ctypes.c_uint64),
    )


def show_without_links(target: str, place: str) -> None:
    """Have this process, and nobody else, see a folder and what is mounted below it at another place, without links.

    Args:
        target: The folder.
        place: An empty folder.

    Raises:
        OSError: The kernel cannot, or will not for us.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> int:
        return _checked(libc.syscall(ctypes.c_long(number), *arguments))

    _checked(libc.unshare(_CLONE_MOUNTS))
    _checked(libc.mount(None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None))
    path = os.fsencode(target)
    tree = call(_OPEN_TREE, _HERE, path, ctypes.c_uint(_OPEN_TREE_CLONE | _RECURSIVE | os.O_CLOEXEC))
    attributes = _Attributes(set=_NO_SYMLINKS)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    call(_MOUNT_SETATTR, tree, b"", ctypes.c_uint(_EMPTY_PATH | _RECURSIVE), ctypes.byref(attributes), size)
    call(_MOVE_MOUNT, tree, b"", _HERE, os.fsencode(place), ctypes.c_uint(_MOVE_FROM_EMPTY_PATH))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(number := ctypes.get_errno(), os.strerror(number))
    return result


def _become(argv: Sequence[str]) -> NoReturn:
    os.execvp(argv[0], list(argv))  # noqa: S606 - what it is comes from the job, and no shell is wanted


def main(arguments: Sequence[str]) -> int:
    """Become the program; the exit status tells that it could not be."""
    target, place, *argv = arguments
    try:
        show_without_links(target, place)
    except OSError as error:
        why = "Linux 5.14 or later is needed" if error.errno in (errno.ENOSYS, errno.EINVAL) else error.strerror
        sys.stderr.write(f"Fatal: nothing is restored where links would be followed, and they would: {why}\n")
        return CANNOT
    _become(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
