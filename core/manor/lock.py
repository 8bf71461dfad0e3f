"""One process has the house open: the lock on its data directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manor.errors import AdminFault, ManorError, Problem


class HouseIsOpen(ManorError):
    """Another process has this data directory; `pid` is its, 0 when it could not be read."""

    def __init__(self, data_dir: Path, pid: int) -> None:
        super().__init__(f"{data_dir} is in use by another Manor process (pid {pid or 'unknown'})")
        self.pid = pid


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold `data_dir/manor.lock`, making the directory (0700) when missing. The lock goes with the process.

    Raises:
        HouseIsOpen: Somebody else holds it.
        AdminFault: The directory cannot be made or written.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "manor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise AdminFault([Problem("server.data_dir", f"{data_dir}: {error.strerror}")]) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HouseIsOpen(data_dir, _holder(descriptor)) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0).strip()
    return int(text) if text.isdigit() else 0
