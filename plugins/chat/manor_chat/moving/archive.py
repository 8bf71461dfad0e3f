"""The zip that an export writes. It blocks: it is written on a thread, under another name until it is whole."""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from manor import BadRequest, Conflict, Forbidden, NotFound, StorageFull

LINES = "import.jsonl"
FOLDER = "data"

_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip knows: when its files were made is in the lines."""


class Archive:
    """A zip that is being written: first the lines, then the files that they name."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @contextmanager
    def lines(self) -> Iterator[IO[bytes]]:
        """Where the lines go; to be ended before the first file."""
        with self._archive.open(_member(LINES, zipfile.ZIP_DEFLATED), "w", force_zip64=True) as stream:
            yield stream

    @contextmanager
    def file(self, path: str) -> Iterator[IO[bytes]]:
        """Where a file goes that lines name so."""
        # Pictures, films and documents are compressed already.
        with self._archive.open(_member(f"{FOLDER}/{path}", zipfile.ZIP_STORED), "w", force_zip64=True) as stream:
            yield stream


@contextmanager
def new_archive(path: Path) -> Iterator[Archive]:
    """Make a zip that only its owner may read; it is there once all of it is.

    Raises:
        BadRequest: The path is not absolute.
        Conflict: Something is there.
        NotFound: There is no such folder.
        Forbidden: This user may not write there.
        StorageFull: The disk is full.
    """
    if not path.is_absolute():
        raise BadRequest(f"{path}: expected an absolute path")
    try:
        with _written(path) as archive:
            yield archive
    except PermissionError as error:
        raise Forbidden(f"{path}: Manor's own user may not write there; name a folder where it may") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"{path}: the disk is full") from error
        raise


@contextmanager
def _written(path: Path) -> Iterator[Archive]:
    if path.exists():
        raise Conflict(f"{path}: is there already")
    unfinished = path.with_name(f"{path.name}.part")
    try:
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path.parent}: there is no such folder") from None
    try:
        with os.fdopen(file, "wb") as stream:
            with zipfile.ZipFile(stream, "w") as archive:
                yield Archive(archive)
            stream.flush()
            os.fsync(stream.fileno())
        # Whoever made something of this name meanwhile keeps it.
        try:
            os.link(unfinished, path)
        except FileExistsError:
            raise Conflict(f"{path}: is there already") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _member(name: str, compression: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EARLIEST)
    member.compress_type = compression
    member.external_attr = 0o600 << 16
    return member
