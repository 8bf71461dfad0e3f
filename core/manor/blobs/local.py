"""Files in a folder of this machine.

A word of a key that has others below it is a folder whose name ends in `+`, which no key has: so `a` and `a/b` can
both be files, as they can in a bucket.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import trio

from manor.blobs.interface import MOST_BYTES, MOST_LISTED, OCTETS, Blob, BlobPage, OpenBlob
from manor.blobs.keys import check_key, check_prefix, check_range, is_word
from manor.blobs.refusals import BadRange, BlobsFailed, NoSuchBlob
from manor.errors import StorageFull

T = TypeVar("T")

PIECE = 256 * 1024
"""Bytes that are read or written at once, each time in a thread."""

MOST_THREADS = 8

PARTIAL = ".partial"
"""The folder of what is being written: on the same file system, and no key leads there."""

STALE_SECONDS = 3600
"""Nobody writes a file for so long without another byte: what is older was left behind by a process that was killed."""

MOST_RACES = 100
"""How often a folder is made again that somebody removes at the same time."""

_MARK = "+"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class LocalBlobs:
    """A folder as a store of files; see `Blobs`.

    Args:
        folder: Made when the first file is put there.
        inline: Work on the loop's thread: for tests whose clock jumps.
    """

    def __init__(self, folder: Path, *, inline: bool = False) -> None:
        self._folder = folder
        self._inline = inline
        self._threads = trio.CapacityLimiter(MOST_THREADS)
        self._is_swept = False

    async def put(
        self,
        key: str,
        content: bytes | AsyncIterable[bytes],
        *,
        content_type: str = OCTETS,
        cache_control: str = "",
    ) -> int:
        """Keep a file; see `Blobs.put`."""
        path = self._path(key)
        begun = await self._run("", self._begin)
        try:
            if isinstance(content, bytes):
                await self._run("", begun.write, content)
            else:
                gathered = bytearray()
                async for piece in content:
                    gathered += piece
                    if len(gathered) >= PIECE:
                        await self._run("", begun.write, bytes(gathered))
                        gathered.clear()
                await self._run("", begun.write, bytes(gathered))
            await self._run("", begun.finish, path, self._folder)
        except BaseException:
            with trio.CancelScope(shield=True):
                await self._run("", begun.discard)
            raise
        return begun.size

    async def get(self, key: str, *, most_bytes: int = MOST_BYTES) -> bytes:
        """Read a file whole; see `Blobs.get`."""
        async with self.open(key) as opened:
            return await opened.read(most_bytes)

    @asynccontextmanager
    async def open(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[OpenBlob]:
        """Read a file piece by piece; see `Blobs.open`."""
        path = self._path(key)
        check_range(start, length)
        descriptor, blob = await self._run(key, _opened, path, key)
        try:
            if start > blob.size:
                raise BadRange(f"the file has {blob.size} bytes")
            end = blob.size if length is None else min(blob.size, start + length)

            async def next_piece() -> bytes:
                nonlocal start
                piece = await self._run(key, os.pread, descriptor, max(0, min(PIECE, end - start)), start)
                if not piece and start < end:
                    raise BlobsFailed(f"{key}: it became shorter while it was read", may_pass=False)
                start += len(piece)
                return piece

            yield OpenBlob(blob, next_piece)
        finally:
            with trio.CancelScope(shield=True):
                await self._run(key, os.close, descriptor)

    async def head(self, key: str) -> Blob:
        """What is known of a file; see `Blobs.head`."""
        path = self._path(key)
        return _blob(key, await self._run(key, path.lstat))

    async def delete(self, key: str) -> None:
        """Remove a file; see `Blobs.delete`."""
        await self.delete_many([key])

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove files; see `Blobs.delete_many`."""
        paths = [self._path(key) for key in keys]
        for first in range(0, len(paths), MOST_LISTED):
            await self._run("", self._remove, paths[first : first + MOST_LISTED])

    async def page(self, prefix: str = "", *, after: str = "", limit: int = MOST_LISTED) -> BlobPage:
        """Files by the beginning of their keys; see `Blobs.page`."""
        check_prefix(prefix)
        return await self._run("", self._page, prefix, after, max(1, min(limit, MOST_LISTED)))

    # --- In a thread -----------------------------------------------------------------------------------------------

    async def _run(self, wanted: str, work: Callable[..., T], *arguments: object) -> T:
        with _told(wanted):
            if self._inline:
                await trio.lowlevel.checkpoint()
                return work(*arguments)
            return await trio.to_thread.run_sync(work, *arguments, limiter=self._threads)

    def _path(self, key: str) -> Path:
        *folders, name = check_key(key).split("/")
        return self._folder.joinpath(*(folder + _MARK for folder in folders), name)

    def _begin(self) -> _Partial:
        folder = self._folder / PARTIAL
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        begun = _Partial(folder / uuid4().hex)
        if not self._is_swept:
            self._is_swept = True
            # By the file system's own clock, which wrote all these times.
            _sweep(folder, before=begun.path.stat().st_mtime - STALE_SECONDS)
        return begun

    def _remove(self, paths: list[Path]) -> None:
        folders = set()
        for path in paths:
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
                folders.add(path.parent)
        for folder in folders:
            with suppress(FileNotFoundError):
                _sync(folder)
            with suppress(OSError):  # somebody else's file is in it
                while folder != self._folder:
                    folder.rmdir()
                    folder = folder.parent  # noqa: PLW2901 - upwards

    def _page(self, prefix: str, after: str, limit: int) -> BlobPage:
        found: list[Blob] = []
        for key, path in self._walk(self._folder, "", prefix, after):
            if len(found) == limit:
                return BlobPage(tuple(found), found[-1].key)
            with suppress(FileNotFoundError):  # removed since
                found.append(_blob(key, path.lstat()))
        return BlobPage(tuple(found), "")

    def _walk(self, folder: Path, base: str, prefix: str, after: str) -> Iterator[tuple[str, Path]]:
        """Keys and paths in the order of the keys; folders that have none of the wanted keys are not looked into."""
        entries = []
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as scanned:
            for entry in scanned:
                if entry.is_dir(follow_symlinks=False):
                    key, word = f"{base}{entry.name[:-1]}/", entry.name.removesuffix(_MARK)
                    is_wanted = entry.name.endswith(_MARK) and (key.startswith(prefix) or prefix.startswith(key))
                    is_later = key > after or after.startswith(key)
                else:
                    key, word = f"{base}{entry.name}", entry.name
                    is_wanted, is_later = key.startswith(prefix), key > after
                if is_wanted and is_later and is_word(word):
                    entries.append((key, entry.path))
        for key, path in sorted(entries):
            if key.endswith("/"):
                yield from self._walk(Path(path), key, prefix, after)
            else:
                yield key, Path(path)


class _Partial:
    """A file that is being written. In a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._file = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb", buffering=0
        )

    def write(self, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            left = left[self._file.write(left) :]
        self.size += len(piece)

    def finish(self, path: Path, root: Path) -> None:
        os.fsync(self._file.fileno())
        self._file.close()
        for left in reversed(range(MOST_RACES)):
            _make_folders(path.parent, root)
            try:
                self.path.replace(path)
                _sync(path.parent)
            except FileNotFoundError:
                # The last other file of the folder was removed in between, and the folder with it.
                if not left or not self.path.exists():
                    raise
            else:
                break

    def discard(self) -> None:
        self._file.close()
        with suppress(FileNotFoundError):
            self.path.unlink()


def _make_folders(folder: Path, root: Path) -> None:
    """Make what is missing below the root; each is on the disk before something is put into it."""
    missing = []
    while folder != root and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        with suppress(FileExistsError, FileNotFoundError):
            new.mkdir(mode=0o700)
            _sync(new.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path, *, before: float) -> None:
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def _opened(path: Path, key: str) -> tuple[int, Blob]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return descriptor, _blob(key, os.fstat(descriptor))


def _blob(key: str, found: os.stat_result) -> Blob:
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return Blob(key, found.st_size, modified, f"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}")


@contextmanager
def _told(wanted: str) -> Iterator[None]:
    """Say what the system's errors mean here; `wanted` is the key of a file that may be missing, or ""."""
    try:
        yield
    except OSError as error:
        if wanted and isinstance(error, FileNotFoundError | NotADirectoryError):
            raise NoSuchBlob(wanted) from error
        if error.errno in _FULL:
            raise StorageFull("The server's disk is full; nothing of this was stored.") from error
        raise BlobsFailed(f"{error.filename or wanted}: {error.strerror}") from error
