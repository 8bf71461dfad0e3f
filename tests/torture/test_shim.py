"""The shim notes all that matters, and the player keeps only what a disk must keep.

Everything that the power-cut test of the daemon says rests on these facts.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.torture.powercut import Disk, Note, NotModelled, Operation, Survival, environment, read_notes

pytestmark = pytest.mark.torture

Doing = Callable[[str], tuple[Disk, list[Note]]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def doing(tmp_path: Path, data: Path, shim: Path) -> Doing:
    """Run a few lines of Python in the data directory, under the shim."""

    def run(lines: str) -> tuple[Disk, list[Note]]:
        disk = Disk(data)
        variables = environment(shim, data, tmp_path / "log")
        subprocess.run([sys.executable, "-c", f"import os\n{lines}"], env=variables, cwd=data, check=True, timeout=30)
        return disk, read_notes(tmp_path / "log")

    return run


MADE = "f = os.open('f', os.O_CREAT | os.O_RDWR); os.fsync(os.open('.', os.O_RDONLY))\n"


def after(disk: Disk, notes: list[Note], into: Path, survival: Survival = Survival.NOTHING) -> dict[str, bytes]:
    for note in notes:
        disk.follow(note)
    disk.cut(into, survival, Random(7))
    return {path.name: path.read_bytes() for path in into.iterdir()}


@pytest.fixture
def ruin(tmp_path: Path) -> Path:
    folder = tmp_path / "ruin"
    folder.mkdir()
    return folder


def test_bytes_that_were_not_synced_are_gone(doing: Doing, ruin: Path) -> None:
    left = after(*doing(MADE + "os.write(f, b'kept'); os.fdatasync(f); os.write(f, b' lost')"), ruin)

    assert left == {"f": b"kept"}


def test_a_sync_covers_only_what_was_written_before_it_began(doing: Doing, ruin: Path) -> None:
    disk, notes = doing(MADE + "os.write(f, b'kept'); os.fdatasync(f); os.pwrite(f, b'late', 4)")
    end = next(i for i, note in enumerate(notes) if note.operation is Operation.SYNC_END and note.path.name == "f")
    late = next(i for i, note in enumerate(notes) if note.data == b"late")
    notes.insert(end, notes.pop(late))

    assert after(disk, notes, ruin) == {"f": b"kept"}


def test_a_file_whose_directory_was_not_synced_may_be_gone(doing: Doing, ruin: Path) -> None:
    left = after(*doing("f = os.open('f', os.O_CREAT | os.O_RDWR); os.write(f, b'x'); os.fsync(f)"), ruin)

    assert left == {}


def test_a_rename_that_was_not_synced_may_not_have_happened(doing: Doing, ruin: Path) -> None:
    written = MADE + "os.write(f, b'new'); os.fsync(f); os.rename('f', 'g')\n"

    assert after(*doing(written), ruin) == {"f": b"new"}


def test_a_synced_rename_has_happened(doing: Doing, ruin: Path) -> None:
    written = MADE + "os.write(f, b'new'); os.fsync(f); os.rename('f', 'g'); os.fsync(os.open('.', os.O_RDONLY))"

    assert after(*doing(written), ruin) == {"g": b"new"}


def test_files_from_before_are_on_the_disk(doing: Doing, data: Path, ruin: Path) -> None:
    (data / "old").write_bytes(b"old text")

    left = after(*doing("f = os.open('old', os.O_RDWR); os.ftruncate(f, 3); os.fsync(f); os.truncate"), ruin)

    assert left == {"old": b"old"}


def test_torn_writes_are_torn_at_sectors(doing: Doing, ruin: Path) -> None:
    left = after(*doing(MADE + "os.pwrite(f, b'y' * 8192, 100)"), ruin, Survival.SECTORS)

    sectors = {left["f"][start : start + 512] for start in range(512, len(left["f"]) - 511, 512)}
    assert sectors == {b"y" * 512, bytes(512)}


@pytest.mark.parametrize(
    "change",
    ["os.posix_fallocate(f, 0, 4096)", "os.pwritev(f, [b'x'], 0)", "os.link('f', 'g')", "os.truncate('f', 1)"],
)
def test_what_is_not_modelled_is_refused(doing: Doing, ruin: Path, change: str) -> None:
    disk, notes = doing(MADE + change)

    with pytest.raises(NotModelled):
        after(disk, notes, ruin)


SQLITE = """
import sqlite3
base = sqlite3.connect('base', isolation_level=None)
for pragma in ('journal_mode=WAL', 'synchronous=%s', 'wal_autocheckpoint=8'): base.execute('PRAGMA ' + pragma)
base.execute('CREATE TABLE t(n)')
for n in range(40): base.execute('INSERT INTO t VALUES (?)', (n,))
os._exit(0)
"""


@pytest.mark.parametrize(("synchronous", "is_safe"), [("FULL", True), ("NORMAL", False)])
def test_sqlite_loses_commits_without_full_and_is_never_damaged(
    doing: Doing, tmp_path: Path, synchronous: str, is_safe: bool
) -> None:
    disk, notes = doing(SQLITE % synchronous)
    for index, note in enumerate(notes):
        disk.follow(note)
        for survival in Survival:
            into = tmp_path / f"{index}-{survival.value}"
            into.mkdir()
            disk.cut(into, survival, Random(index))
            base = sqlite3.connect(into / "base")
            assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            base.close()
    base = sqlite3.connect(tmp_path / f"{len(notes) - 1}-nothing" / "base")
    lost = 40 - base.execute("SELECT count(*) FROM t").fetchone()[0]
    base.close()

    assert (lost == 0) is is_safe
