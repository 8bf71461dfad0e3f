"""Manor's own database in a backup: whole, whatever the daemon does meanwhile, and root is led nowhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from manor_hostservices.backups import copying
from manor_hostservices.programs import HostPrograms
from manor_hostservices.refusals import Failed
from tests.host_backups import BackedUp, prepared

DATA = "var/lib/manor"
NOBODY = 65534

as_root = pytest.mark.box


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host with a repository: made once, for restic takes a second to make keys."""
    return prepared(tmp_path_factory.mktemp("backups") / "host", "init")


@pytest.fixture
def host(set_up: Path, tmp_path: Path) -> BackedUp:
    shutil.copytree(set_up, tmp_path / "host")
    return BackedUp(tmp_path / "host")


@pytest.fixture
def daemon(host: BackedUp) -> Iterator[sqlite3.Connection]:
    """The daemon has its database open; all that it has written stands in the log."""
    with closing(write_ahead(host.root / DATA / "manor.db")) as connection:
        yield connection


def write_ahead(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE said (text)")
    connection.execute("INSERT INTO said VALUES ('first'), ('second')")
    return connection


async def restored(host: BackedUp) -> Path:
    """Where the newest backup is put, beside the host."""
    known = await host.backups.known()
    elsewhere = BackedUp(host.root, {**host.table, "target": "/restored"})
    await elsewhere.do("restore", str(known.snapshots[-1]["short_id"]))
    return host.root / "restored"


def said_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [text for (text,) in connection.execute("SELECT text FROM said")]


async def test_a_backup_has_a_whole_copy_and_not_the_files_that_are_written_to(
    host: BackedUp, daemon: sqlite3.Connection
) -> None:
    # Half a change must not be in it.
    daemon.execute("BEGIN")
    daemon.execute("INSERT INTO said VALUES ('half')")

    said = await host.do("backup")

    daemon.execute("ROLLBACK")
    assert said.job.message == "Backed up"
    data = await restored(host) / DATA
    assert sorted(path.name for path in data.iterdir()) == ["backup", "vapid.pem"]
    assert said_in(data / "backup/manor.db") == ["first", "second"]
    assert (data / "backup/manor.db").stat().st_mode & 0o777 == 0o600
    assert (data / "backup").stat().st_mode & 0o777 == 0o700


async def test_nothing_is_left_of_the_copy_whatever_becomes_of_the_backup(
    host: BackedUp, daemon: sqlite3.Connection
) -> None:
    copies = host.root / DATA / "backup"
    await host.do("backup")
    assert list(copies.iterdir()) == []

    broken = BackedUp(host.root, {"restic": "/bin/false"})
    with pytest.raises(Failed):
        await broken.do("backup")
    assert list(copies.iterdir()) == []


async def test_a_copy_that_a_killed_job_left_goes_with_the_next_job(host: BackedUp, daemon: sqlite3.Connection) -> None:
    await host.do("backup")
    host.write(f"{DATA}/backup/manor.db", "half a copy")

    await host.do("forget")

    assert list((host.root / DATA / "backup").iterdir()) == []


async def test_the_copy_is_backed_up_where_the_data_are_not(host: BackedUp, daemon: sqlite3.Connection) -> None:
    etc = BackedUp(host.root, {"paths": ("/etc",)})
    await etc.do("backup")

    found = await restored(etc)

    assert {path.name for path in found.iterdir()} == {"etc", "var"}
    assert {path.name for path in (found / DATA).iterdir()} == {"backup"}
    assert said_in(found / DATA / "backup/manor.db") == ["first", "second"]


async def test_a_rehearsal_copies_nothing(host: BackedUp, daemon: sqlite3.Connection) -> None:
    await host.do("backup", dry_run=True)

    assert not (host.root / DATA / "backup").exists()


@pytest.mark.parametrize("kind", ["text", "fifo", "folder", "link"])
async def test_a_database_that_cannot_be_copied_fails_the_backup_and_says_why(host: BackedUp, kind: str) -> None:
    database = host.root / DATA / "manor.db"
    expected = "it is no file"
    match kind:
        case "text":
            database.write_text("no database at all, but long enough to be looked at as one" * 10)
            expected = "file is not a database"
        case "fifo":
            os.mkfifo(database)
        case "folder":
            database.mkdir()
        case "link":
            with closing(write_ahead(host.root / "etc/other.db")):
                database.symlink_to(host.root / "etc/other.db")

    with pytest.raises(Failed, match=f"^Manor's database could not be copied: {expected}$"):
        await host.do("backup")

    assert (await host.backups.known()).state == "ERROR"
    assert list((host.root / DATA).glob("backup/*")) == []


def test_a_disk_without_room_is_left_alone(
    host: BackedUp, daemon: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(host.root / DATA)

    with pytest.raises(copying.NoCopy, match=r"^there is no space left for it: \d+ MiB have to be free$"):
        copying.copy(reserve=1 << 62)

    assert list((host.root / DATA / "backup").iterdir()) == []


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder that belongs to somebody else, who gets there."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    data = folder / "manor"
    data.mkdir(mode=0o700)
    yield data
    shutil.rmtree(folder)


async def copied(data: Path, *options: str) -> tuple[int, str]:
    done = await HostPrograms().run([sys.executable, "-I", "-m", copying.__name__, *options, str(data)])
    return done.status, done.output.strip()


@as_root
async def test_the_copy_is_made_with_no_more_rights_than_the_folders_owner_has(theirs: Path) -> None:
    with closing(write_ahead(theirs / "manor.db")):
        for path in (theirs, *theirs.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        assert await copied(theirs) == (0, "")
    copy = theirs / "backup/manor.db"
    assert (copy.stat().st_uid, copy.stat().st_gid) == (NOBODY, NOBODY)
    assert said_in(copy) == ["first", "second"]


@as_root
@pytest.mark.parametrize("hidden", ["manor.db", "backup", "backup/manor.db"])
async def test_links_in_the_folder_lead_root_nowhere(theirs: Path, hidden: str) -> None:
    secret = theirs.parent / "secret"
    secret.mkdir(mode=0o700)
    with closing(write_ahead(secret / "manor.db")):
        pass
    before = (secret / "manor.db").read_bytes()
    if hidden != "manor.db":
        with closing(write_ahead(theirs / "manor.db")):
            pass
    (theirs / hidden).parent.mkdir(exist_ok=True)
    (theirs / hidden).symlink_to(secret if hidden == "backup" else secret / "manor.db")
    for path in (theirs, *theirs.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    status, said = await copied(theirs)
    removed = await copied(theirs, "--remove")

    # A link in the copy's place is theirs to remove; through the others there is no way.
    assert (status == 0) == (hidden == "backup/manor.db"), said
    assert (removed[0] == 0) == (hidden != "backup")
    assert (secret / "manor.db").read_bytes() == before
    assert [path.name for path in secret.iterdir()] == ["manor.db"]


async def test_a_folder_that_is_a_link_is_not_gone_into(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)

    assert await copied(tmp_path / "link") == (1, "Not a directory")
