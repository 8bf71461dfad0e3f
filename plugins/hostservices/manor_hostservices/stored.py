"""A small JSON file that several processes change: under a lock, and whole or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import trio

_HALF = re.compile(r"\.(.+)\.[a-z0-9_]{8}")
"""What `write_whole` calls a file that is not whole yet: Python's tempfile adds eight characters."""

T = TypeVar("T")
R = TypeVar("R")


class StoredJson(Generic[T]):
    """A file with one JSON value.

    A reader sees a value that was written whole. A writer reads, changes and writes while nobody else does; a crash in
    between leaves the old file.

    Args:
        path: The file; its lock is a file beside it with `.lock` behind its name.
        shape: What is in it.
        absent: What it is when there is no file.
        mode: The permissions of a new file; one that is there keeps its own, and its owner.
    """

    def __init__(self, path: Path, shape: type[T], absent: Callable[[], T], mode: int = 0o600) -> None:
        self.path = path
        self._shape = shape
        self._absent = absent
        self._mode = mode

    async def read(self) -> T:
        """Read it, off the loop.

        Raises:
            msgspec.DecodeError: Something else is in it; it is left as it is.
        """
        return await trio.to_thread.run_sync(self.read_now)

    async def change(self, work: Callable[[T], tuple[T, R]]) -> R:
        """Change it, off the loop; a value that is the same is not written.

        Args:
            work: Takes what is there and gives what is to be there and what the caller gets; what it raises changes
                nothing.
        """
        return await trio.to_thread.run_sync(self.change_now, work)

    async def put(self, text: bytes, check: Callable[[T], object] | None = None) -> None:
        """Have it be this text, off the loop, whatever is there.

        Args:
            text: What is to be in it.
            check: Gets the value before it is written; what it raises changes nothing.

        Raises:
            msgspec.DecodeError: Such a value is not in it; the file is left as it is.
        """
        await trio.to_thread.run_sync(self.put_now, text, check)

    def read_now(self) -> T:
        """Read it."""
        try:
            return self._decoded(self.path.read_bytes())
        except FileNotFoundError:
            return self._absent()

    def put_now(self, text: bytes, check: Callable[[T], object] | None = None) -> None:
        """Have it be this text."""
        value = self._decoded(text)
        if check is not None:
            check(value)
        with self._locked():
            self._write(text)

    def _decoded(self, text: bytes) -> T:
        try:
            return msgspec.json.decode(text, type=self._shape)
        except UnicodeDecodeError as error:
            # msgspec says so of a text that is not UTF-8, and of all else as a fault of its own.
            raise msgspec.DecodeError(str(error)) from error

    def change_now(self, work: Callable[[T], tuple[T, R]]) -> R:
        """Change it."""
        with self._locked():
            before = self.read_now()
            after, result = work(before)
            if after != before:
                text = msgspec.json.format(msgspec.json.encode(after), indent=2) + b"\n"
                self._write(text)
            return result

    def _write(self, text: bytes) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            write_whole(self.path, text, self._mode)
            return
        # Only root may give a file away; whose it was may be no other program's to lose.
        owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else None
        write_whole(self.path, text, status.st_mode & 0o777, owner)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def remove_halves(folder: Path) -> None:
    """Remove what processes left behind in a folder of ours that ended while they wrote a file of it.

    Args:
        folder: Nobody else writes there; every file is a `StoredJson`, or written while nothing else runs.
    """
    for half in folder.glob(".*"):
        found = _HALF.fullmatch(half.name)
        if found is None or not half.is_file():
            continue
        descriptor = os.open(folder / f"{found[1]}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            # Who has the lock is writing, and removes it himself.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            half.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)


def write_whole(path: Path, data: bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Replace a file so that a crash leaves the old one or the new one.

    Args:
        path: The file; its folder is there.
        data: What is in it.
        mode: Its permissions.
        owner: The uid and gid that it gets; without, ours.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
