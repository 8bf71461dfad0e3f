"""What is imported: a file of JSON lines with a folder beside it, or a zip of both. Nothing of it is believed.

Reading blocks: it is done on a thread. Nothing is unpacked, so no name in a zip is ever a path of this machine.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from manor import BadRequest, Forbidden, NotFound

MOST_LINE = 32 * 1024 * 1024
"""Bytes of one line: a post stands in one line with all its replies."""

MOST_RATIO = 250
SMALL = 4 * 1024 * 1024
"""A member of a zip that is larger than this and grows by more than `MOST_RATIO` is a bomb, and nobody's file."""

_CHUNK = 1 << 20
_FOLDER = "data"
"""Where files are, beside the lines or in the zip. Paths in lines begin below it, or name it."""

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)
"""What reading a member of a damaged, encrypted or exotic zip raises."""


class Unfit(Exception):
    """A file that is not taken; the text says why."""


class RawLine(NamedTuple):
    """A line as it stands there; None where it is longer than a line may be."""

    number: int
    text: bytes | None


class Attachment(NamedTuple):
    """A file that is there.

    Args:
        name: What it is called.
        size: Bytes, as the archive says; more are not read.
        source: The member of the zip, or the open descriptor's path.
    """

    name: str
    size: int
    source: zipfile.ZipInfo | Path


class Bundle:
    """Lines and files; see `open_bundle`."""

    def __init__(self, path: Path, archive: zipfile.ZipFile | None) -> None:
        self._path = path
        self._archive = archive
        self._members = {} if archive is None else {info.filename: info for info in archive.infolist()}

    def lines(self) -> Iterator[RawLine]:
        """All lines that are not empty, from the first."""
        with self._open_lines() as stream:
            yield from _lines_of(stream)

    @contextmanager
    def _open_lines(self) -> Iterator[IO[bytes]]:
        if self._archive is None:
            with self._path.open("rb") as stream:
                yield stream
            return
        found = [name for name in self._members if name.endswith(".jsonl") and "/" not in name]
        if len(found) != 1:
            raise BadRequest(f"{self._path.name}: expected one .jsonl file in it, found {len(found)}")
        try:
            with self._archive.open(found[0]) as stream:
                yield stream
        except BROKEN as error:
            raise BadRequest(f"{self._path.name}: {found[0]} cannot be read: {error}") from error

    def attachment(self, path: str, most_bytes: int) -> Attachment:
        """The file that a line names.

        Raises:
            Unfit: It is not there, is too large, or is none of the archive's.
        """
        if not path or "\x00" in path or path.startswith(("/", "\\")) or ".." in Path(path).parts:
            raise Unfit("its path leads out of the archive")
        found = self._in_folder(path) if self._archive is None else self._in_archive(path)
        if found.size > most_bytes:
            raise Unfit(f"it has {found.size} bytes, and {most_bytes} are taken")
        return found

    def read(self, attachment: Attachment) -> Iterator[bytes]:
        """What is in it, piece by piece, and no more than its size.

        Raises:
            Unfit: It cannot be read, or is not as long as it says.
        """
        read = 0
        try:
            with self._open(attachment) as stream:
                while piece := stream.read(_CHUNK):
                    read += len(piece)
                    if read > attachment.size:
                        break
                    yield piece
        except BROKEN as error:
            raise Unfit(f"it cannot be read: {error}") from error
        if read != attachment.size:
            raise Unfit("it is not as long as it says")

    def _open(self, attachment: Attachment) -> IO[bytes]:
        if isinstance(attachment.source, Path):
            return os.fdopen(os.open(attachment.source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
        assert self._archive is not None, "it came out of one"
        return self._archive.open(attachment.source)

    def _in_archive(self, path: str) -> Attachment:
        clean = Path(path).as_posix()
        info = self._members.get(f"{_FOLDER}/{clean}") or self._members.get(clean)
        if info is None or info.is_dir():
            raise Unfit("it is not there")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise Unfit("it is a link")
        if info.file_size > SMALL and info.file_size > MOST_RATIO * info.compress_size:
            raise Unfit("it grows out of all proportion when it is unpacked")
        return Attachment(Path(clean).name, info.file_size, info)

    def _in_folder(self, path: str) -> Attachment:
        folder = self._path.parent.resolve()
        for candidate in (folder / _FOLDER / path, folder / path):
            try:
                whole = candidate.resolve(strict=True)
                about = whole.lstat()
            except (OSError, RuntimeError):
                continue
            if not whole.is_relative_to(folder):
                raise Unfit("it is a link that leads out of the archive")
            if not stat.S_ISREG(about.st_mode):
                raise Unfit("it is no file")
            return Attachment(whole.name, about.st_size, whole)
        raise Unfit("it is not there")


@contextmanager
def open_bundle(path: Path) -> Iterator[Bundle]:
    """Open what is imported: a zip when it is one, else a file of lines.

    Raises:
        NotFound: It is not there.
        BadRequest: It is no file, or a damaged zip.
        Forbidden: This user may not read it.
    """
    if not path.is_absolute():
        raise BadRequest(f"{path}: expected an absolute path")
    try:
        about = path.stat()
        if stat.S_ISREG(about.st_mode):
            path.open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path}: there is no such file") from None
    except PermissionError:
        raise Forbidden(f"{path}: Manor's own user may not read it; put it into a folder where it may") from None
    if not stat.S_ISREG(about.st_mode):
        raise BadRequest(f"{path}: it is no file")
    if not zipfile.is_zipfile(path):
        if path.suffix == ".zip":
            raise BadRequest(f"{path}: it is no zip file")
        yield Bundle(path, None)
        return
    try:
        archive = zipfile.ZipFile(path)
    except BROKEN as error:
        raise BadRequest(f"{path}: it cannot be read: {error}") from error
    with archive:
        yield Bundle(path, archive)


def _lines_of(stream: IO[bytes]) -> Iterator[RawLine]:
    number, rest, is_too_long = 0, bytearray(), False
    while piece := stream.read(_CHUNK):
        first = 0
        while (end := piece.find(b"\n", first)) >= 0:
            number += 1
            rest += piece[first:end]
            first = end + 1
            if is_too_long or len(rest) > MOST_LINE:
                yield RawLine(number, None)
            elif rest.strip():
                yield RawLine(number, bytes(rest))
            rest, is_too_long = bytearray(), False
        rest += piece[first:]
        if len(rest) > MOST_LINE:
            rest, is_too_long = bytearray(), True
    if is_too_long:
        yield RawLine(number + 1, None)
    elif rest.strip():
        yield RawLine(number + 1, bytes(rest))
