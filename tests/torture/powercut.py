"""Plays power cuts from the notes that `powercut.c` took of a real process.

`Disk` follows the notes one by one and knows at every moment what is surely on the disk, and what was written but not
yet synced. A cut keeps the first; of the second it keeps nothing, a prefix, or any sectors, which is what disks do.

A name (a file made, renamed or removed) is sure once its directory was synced: POSIX promises no more.
"""

from __future__ import annotations

import enum
import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SOURCE = Path(__file__).with_name("powercut.c")
SECTOR = 512
_HEADER = struct.Struct("=IIQQQII")
_MAGIC = 0x4D414E52


class Operation(enum.IntEnum):
    """What a note is about; the numbers are those of `powercut.c`."""

    CREATE = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC_BEGIN = 4
    SYNC_END = 5
    RENAME = 6
    UNLINK = 7
    MKDIR = 8
    NOT_MODELLED = 9


@dataclass(frozen=True, slots=True)
class Note:
    """One change of one file."""

    operation: Operation
    nanoseconds: int
    """CLOCK_MONOTONIC, as `time.monotonic_ns()` gives it."""
    inode: int
    offset: int
    """WRITE: where; TRUNCATE: the new length; SYNC_BEGIN and SYNC_END: which sync, the same for both."""
    path: Path
    data: bytes


class NotModelled(Exception):
    """The process changed a file in a way that the shim does not understand, so the log proves nothing."""


class Survival(enum.Enum):
    """What becomes of bytes that were written and not synced when the power goes."""

    NOTHING = "nothing"
    PREFIX = "prefix"
    SECTORS = "sectors"


def build(into: Path) -> Path:
    """Compile the shim and give its path."""
    library = into / "powercut.so"
    command = ["gcc", "-O2", "-Wall", "-U_FORTIFY_SOURCE", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run([*command, "-lpthread"], check=True, timeout=60)
    return library


def environment(library: Path, directory: Path, log: Path) -> dict[str, str]:
    """The variables that make a child note what it does to `directory`."""
    return {
        **os.environ,
        "LD_PRELOAD": str(library),
        "MANOR_POWERCUT_DIR": str(directory),
        "MANOR_POWERCUT_LOG": str(log),
    }


def read_notes(log: Path) -> list[Note]:
    """Read a log; a last note that is not whole (the process was killed) is left out."""
    return list(_notes(log.read_bytes()))


def _notes(raw: bytes) -> Iterator[Note]:
    at = 0
    while at + _HEADER.size <= len(raw):
        magic, operation, nanoseconds, inode, offset, path_length, data_length = _HEADER.unpack_from(raw, at)
        if magic != _MAGIC:
            raise NotModelled(f"the log is damaged at byte {at}")
        at += _HEADER.size
        if at + path_length + data_length > len(raw):
            return
        path = Path(os.fsdecode(raw[at : at + path_length]))
        at += path_length
        yield Note(Operation(operation), nanoseconds, inode, offset, path, raw[at : at + data_length])
        at += data_length


@dataclass(eq=False, slots=True)
class File:
    """The content of one inode: what is sure, and what is not yet."""

    sure: bytearray = field(default_factory=bytearray)
    pending: list[Note] = field(default_factory=list)
    settled: int = 0
    """How many changes have become sure since the file was made."""

    def settle(self, until: int) -> None:
        """Make the first `until` changes of this file's life sure."""
        count = max(0, until - self.settled)
        for note in self.pending[:count]:
            _change(self.sure, note)
        del self.pending[:count]
        self.settled += count

    def after_cut(self, survival: Survival, random: Random) -> bytes:
        """One content that the disk may show after the cut."""
        content = bytearray(self.sure)
        match survival:
            case Survival.NOTHING:
                survivors: list[Note] = []
            case Survival.PREFIX:
                survivors = self.pending[: random.randint(0, len(self.pending))]
            case Survival.SECTORS:
                survivors = [piece for note in self.pending for piece in _sectors(note) if random.random() < 0.5]
        for note in survivors:
            _change(content, note)
        return bytes(content)


def _change(content: bytearray, note: Note) -> None:
    if note.operation is Operation.TRUNCATE:
        del content[note.offset :]
        content.extend(bytes(note.offset - len(content)))
        return
    content.extend(bytes(max(0, note.offset - len(content))))
    content[note.offset : note.offset + len(note.data)] = note.data


def _sectors(note: Note) -> Iterator[Note]:
    if note.operation is Operation.TRUNCATE:
        yield note
        return
    start = note.offset
    end = note.offset + len(note.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        data = note.data[start - note.offset : stop - note.offset]
        yield Note(note.operation, note.nanoseconds, note.inode, start, note.path, data)
        start = stop


class Disk:
    """The files of one directory as a disk would hold them."""

    def __init__(self, directory: Path) -> None:
        """Begin with what is in `directory` now, all of it sure; make this before the process starts."""
        self._directory = directory
        self._inodes: dict[int, File] = {}
        self._names: dict[Path, File] = {}
        self._pending_names: list[tuple[Note, File | None]] = []
        self._syncs: dict[int, tuple[File | None, int]] = {}
        for path in directory.rglob("*"):
            if path.is_file():
                self._names[path] = self._inodes[path.stat().st_ino] = File(bytearray(path.read_bytes()))

    def follow(self, note: Note) -> None:
        """Take in the next note of the log."""
        match note.operation:
            case Operation.CREATE:
                self._inodes[note.inode] = File()
                self._pending_names.append((note, self._inodes[note.inode]))
            case Operation.WRITE | Operation.TRUNCATE:
                self._file(note).pending.append(note)
            case Operation.RENAME | Operation.UNLINK:
                self._pending_names.append((note, None))
            case Operation.MKDIR:
                pass
            case Operation.SYNC_BEGIN:
                file = self._inodes.get(note.inode)
                until = len(self._pending_names) if file is None else file.settled + len(file.pending)
                self._syncs[note.offset] = (file, until)
            case Operation.SYNC_END:
                file, until = self._syncs.pop(note.offset)
                if file is None:
                    self._settle_names(note.path, until)
                else:
                    file.settle(until)
            case Operation.NOT_MODELLED:
                raise NotModelled(f"{note.data.decode()} of {note.path}")

    def cut(self, into: Path, survival: Survival, random: Random) -> None:
        """Write into the empty directory `into` what a power cut at this moment might leave."""
        names = dict(self._names)
        survivors = 0 if survival is Survival.NOTHING else random.randint(0, len(self._pending_names))
        for note, file in self._pending_names[:survivors]:
            _rename(names, note, file)
        for path, file in names.items():
            if not path.name.endswith("-shm"):
                target = into / path.relative_to(self._directory)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.after_cut(survival, random))

    def _file(self, note: Note) -> File:
        try:
            return self._inodes[note.inode]
        except KeyError:
            raise NotModelled(f"{note.path} was changed and nothing says where it came from") from None

    def _settle_names(self, directory: Path, until: int) -> None:
        kept = []
        for index, (note, file) in enumerate(self._pending_names):
            if index < until and note.path.parent == directory:
                _rename(self._names, note, file)
            else:
                kept.append((note, file))
        self._pending_names = kept
        # Syncs that have begun counted names that are gone from the list; they can only be counted too high, and the
        # next one of the same directory makes that true. Two syncs of a directory at once are not what we test.
        if any(file is None for file, _ in self._syncs.values()):
            raise NotModelled(f"two syncs of {directory} at the same time")


def _rename(names: dict[Path, File], note: Note, file: File | None) -> None:
    match note.operation:
        case Operation.CREATE:
            assert file is not None
            names[note.path] = file
        case Operation.UNLINK:
            names.pop(note.path, None)
        case _:
            moved = names.pop(note.path, None)
            if moved is not None:
                names[Path(os.fsdecode(note.data))] = moved
