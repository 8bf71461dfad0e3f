"""Backups with restic, for real: a folder as the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import trio

from manor_hostservices.backups.destination import Tried
from manor_hostservices.backups.work import KEEP_IT, OPENS_OTHERWISE
from manor_hostservices.refusals import Failed, Invalid, Missing, NotHere
from manor_hostservices.verbs import JobKind, SetBackupStore
from tests.host_backups import FILES, BackedUp, new_host, open_quickly


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host with one backup: made once, for restic takes a second to make keys."""
    host = new_host(tmp_path_factory.mktemp("backups") / "host [1]")
    said = trio.run(host.do, "backup")
    assert said.job.message == f"Backed up. {KEEP_IT}"
    open_quickly(host.root / "mnt/backups", (host.own / "backup-password").read_text().strip())
    return host.root


@pytest.fixture
def host(backed_up: Path, tmp_path: Path) -> BackedUp:
    """A host with one backup of its own."""
    shutil.copytree(backed_up, tmp_path / "host [1]")
    return BackedUp(tmp_path / "host [1]")


def break_packs(host: BackedUp) -> None:
    for pack in (host.root / "mnt/backups/data").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(b"x" * pack.stat().st_size)


async def newest(host: BackedUp) -> str:
    known = await host.backups.known()
    return str(known.snapshots[-1]["short_id"])


async def test_the_first_backup_makes_the_repository_and_its_password(host: BackedUp) -> None:
    known = await host.backups.known()

    assert (known.state, known.error, len(known.snapshots)) == ("INITIALIZED", None, 1)
    assert known.listed_at is not None
    password = host.own / "backup-password"
    assert password.stat().st_mode & 0o777 == 0o600
    assert len(password.read_text().strip()) >= 40
    assert (host.root / "mnt/backups/config").exists()


async def test_a_folder_needs_no_credentials_and_a_bucket_does(tmp_path: Path) -> None:
    assert (await new_host(tmp_path).backups.known()).state == "NOT_INITIALIZED"
    for repository in ("", "s3:http://127.0.0.1:1/fixed/x", "/mnt/{bucket}"):
        host = new_host(tmp_path, repository=repository)
        assert (await host.backups.known()).state == "NO_KEY"
        with pytest.raises(Failed, match="No key provided"):
            await host.do("backup")
    assert (await new_host(tmp_path, repository="sftp:nobody@127.0.0.1:/x").backups.known()).state == "NOT_INITIALIZED"


async def test_a_second_backup_says_how_far_it_is_and_what_it_made(host: BackedUp) -> None:
    host.write("var/lib/gitea/new.txt", "x" * 100_000)

    said = await host.do("backup")

    known = await host.backups.known()
    assert [said.job.snapshot] == [known.snapshots[-1]["short_id"]]
    assert len(known.snapshots) == 2
    assert said.job.message == "Backed up"


async def test_a_backup_is_restored_and_other_files_stay(host: BackedUp) -> None:
    snapshot = await newest(host)
    host.write("var/lib/gitea/a.txt", "broken")
    (host.root / "var/lib/gitea/b [1]*.txt").unlink()
    host.write("var/lib/gitea/later.txt", "later")

    said = await host.do("restore", snapshot)

    assert said.job.message == "Restored, and compared with the backup"
    assert said.job.snapshot == snapshot
    for path in ("var/lib/gitea/a.txt", "var/lib/gitea/b [1]*.txt"):
        assert host.read(path) == FILES[path]
    assert host.read("var/lib/gitea/later.txt") == "later"


async def test_a_restore_leaves_alone_what_runs(host: BackedUp) -> None:
    host.write("var/lib/manor/manor.db", "newer")
    host.write("var/lib/manor-host/jobs/x.json", "newer")
    host.write("var/lib/manor-host/state.json", "newer")

    await host.do("restore", await newest(host))

    assert host.read("var/lib/manor/manor.db") == "newer"
    assert host.read("var/lib/manor-host/jobs/x.json") == "newer"
    assert host.read("var/lib/manor-host/state.json") == "{}"


async def test_what_was_set_from_here_is_brought_back_whole(host: BackedUp) -> None:
    host.write("var/lib/manor-host/state.json", '{"timezone":"Europe/Kyiv"}')
    for name in ("state.json.lock", ".state.json.abcdefgh"):
        host.write(f"var/lib/manor-host/{name}", "then")
    await host.do("backup")
    for name in ("state.json", "state.json.lock", ".state.json.abcdefgh"):
        host.write(f"var/lib/manor-host/{name}", "now")
    with (host.own / "state.json").open() as reader:
        await host.do("restore", await newest(host))

        assert reader.read() == "now", "the file that is there is not written into"
    assert host.read("var/lib/manor-host/state.json") == '{"timezone":"Europe/Kyiv"}'
    assert host.read("var/lib/manor-host/.state.json.abcdefgh") == "now"
    assert host.read("var/lib/manor-host/state.json.lock") == "now"


async def test_a_state_that_is_broken_in_a_backup_is_not_brought_back(host: BackedUp) -> None:
    host.write("var/lib/manor-host/state.json", '{"timezone":')
    await host.do("backup")
    host.write("var/lib/manor-host/state.json", '{"timezone":"UTC"}')
    said = await host.do("restore", await newest(host))

    assert host.read("var/lib/manor-host/state.json") == '{"timezone":"UTC"}'
    assert "/var/lib/manor-host/state.json is broken in the backup; the one that is here stays" in said.lines


async def test_all_but_the_secrets_is_restored_to_another_place(host: BackedUp) -> None:
    elsewhere = BackedUp(host.root, {"target": "/restored"})

    await elsewhere.do("restore", await newest(host))

    found = {str(path.relative_to(host.root / "restored")) for path in host.root.glob("restored/**/*.*")}
    assert found == {
        "var/lib/gitea/a.txt",
        "var/lib/gitea/b [1]*.txt",
        "var/lib/manor/vapid.pem",
        "var/lib/manor-host/state.json",
    }


async def test_what_is_not_a_file_any_more_does_not_stop_a_backup(host: BackedUp) -> None:
    half = BackedUp(host.root, {"paths": ("/var", "/nonesuch")})

    said = await half.do("backup")

    assert said.job.snapshot is not None
    assert any("nonesuch does not exist" in line for line in said.lines)


async def test_nothing_to_back_up_is_a_failure(host: BackedUp) -> None:
    wrong = BackedUp(host.root, {"paths": ("/nonesuch",)})

    with pytest.raises(Failed, match="do not exist"):
        await wrong.do("backup")

    known = await wrong.backups.known()
    assert known.state == "ERROR"
    assert "do not exist" in str(known.error)


async def test_a_restore_that_fails_is_told_until_something_works(host: BackedUp) -> None:
    snapshot = await newest(host)
    break_packs(host)
    shutil.rmtree(host.own / "cache")

    with pytest.raises(Failed):
        await host.do("restore", snapshot)

    known = await host.backups.known()
    assert known.state == "ERROR"
    assert known.error
    await host.do("reload")
    assert (await host.backups.known()).state == "ERROR"


async def test_what_cannot_be_written_is_a_failure(host: BackedUp) -> None:
    snapshot = await newest(host)
    shutil.rmtree(host.root / "var/lib/gitea")
    host.write("var/lib/gitea", "a file, where a folder was")

    with pytest.raises(Failed) as failed:
        await host.do("restore", snapshot)

    assert "gitea" in failed.value.detail
    assert (await host.backups.known()).error == failed.value.detail


async def test_what_differs_after_a_restore_is_a_failure(host: BackedUp) -> None:
    second = host.root / "var/lib/gitea/b [1]*.txt"
    second.unlink()
    second.symlink_to("a.txt")  # restic writes both into one file, and notices nothing

    with pytest.raises(Failed, match="gitea"):
        await host.do("restore", await newest(host))

    assert (await host.backups.known()).state == "ERROR"


@pytest.mark.parametrize("kind", ["restore", "forget"])
async def test_an_unknown_backup_is_missing_and_no_error(host: BackedUp, kind: JobKind) -> None:
    with pytest.raises(Missing, match="Backup not found"):
        await host.do(kind, "deadbeef")

    known = await host.backups.known()
    assert (known.state, len(known.snapshots)) == ("INITIALIZED", 1)


async def test_a_lock_of_a_process_that_was_killed_is_removed(host: BackedUp) -> None:
    locks = host.root / "mnt/backups/locks"
    environment = {
        "RESTIC_REPOSITORY": str(host.root / "mnt/backups"),
        "RESTIC_PASSWORD_FILE": str(host.own / "backup-password"),
        "RESTIC_CACHE_DIR": str(host.own / "cache"),
        "PATH": os.environ["PATH"],
    }
    # It waits for what it is to back up, and has locked the repository before it says so.
    waiting = ["restic", "backup", "--verbose", "--stdin"]
    process = await trio.lowlevel.open_process(
        waiting, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with process.stdin, process.stdout:
        said = b""
        with trio.fail_after(10):
            while b"load index files" not in said:
                said += await process.stdout.receive_some()
        assert list(locks.iterdir())
        process.kill()
        await process.wait()

    thinned = await host.do("forget")

    assert thinned.job.message == "0 backups were removed"
    assert list(locks.iterdir()) == []


async def test_another_password_opens_nothing_and_is_not_written_over(host: BackedUp) -> None:
    host.write("var/lib/manor-host/backup-password", "another")

    for kind in ("init", "backup", "reload", "verify"):
        with pytest.raises(Failed, match="opens with another password"):
            await host.do(kind)

    assert host.read("var/lib/manor-host/backup-password") == "another"


async def test_a_repository_that_is_there_needs_the_password_that_was_kept(host: BackedUp) -> None:
    kept = host.read("var/lib/manor-host/backup-password")
    shutil.rmtree(host.own)
    with pytest.raises(Failed, match="put the password that was kept into"):
        await host.do("init")
    assert not (host.own / "backup-password").exists()

    host.write("var/lib/manor-host/backup-password", kept)
    await host.do("init")

    known = await host.backups.known()
    assert (known.state, len(known.snapshots)) == ("INITIALIZED", 1)


async def test_a_repository_that_is_gone_is_not_made_anew_by_itself(host: BackedUp) -> None:
    shutil.rmtree(host.root / "mnt")
    for kind in ("backup", "reload", "verify"):
        with pytest.raises(Failed, match="is gone from its place"):
            await host.do(kind)
    assert (await host.backups.known()).state == "ERROR"

    await host.do("init")

    known = await host.backups.known()
    assert (known.state, known.snapshots) == ("INITIALIZED", [])


async def test_backups_are_verified_by_restoring_some(host: BackedUp) -> None:
    said = await host.do("verify")

    assert said.job.message.startswith("The repository is sound; 4 files of the newest backup were restored")
    assert (await host.backups.known()).verified_at is not None
    assert list((host.own / "scratch").iterdir()) == []


async def test_damage_is_found_and_told_until_it_is_mended(host: BackedUp) -> None:
    break_packs(host)

    with pytest.raises(Failed):
        await host.do("verify")
    damage = (await host.backups.known()).error
    host.write("var/lib/gitea/new.txt", "x")
    with pytest.raises(Failed):
        await BackedUp(host.root, {"restic": "/bin/false"}).do("backup")
    await host.do("backup")

    known = await host.backups.known()
    assert (known.state, known.error, known.verified_at) == ("ERROR", damage, None)


async def test_backups_are_thinned_out_and_a_rehearsal_removes_none(host: BackedUp) -> None:
    for _ in range(2):
        await host.do("backup")
    first = (await host.backups.known()).snapshots[1]["short_id"]
    thin = BackedUp(host.root, {"keep_daily": 1, "keep_weekly": 0, "keep_monthly": 0})

    await thin.do("forget", dry_run=True)
    assert len((await host.backups.known()).snapshots) == 3
    said = await thin.do("forget")

    assert said.job.message == "1 backup was removed"
    assert first not in {found["short_id"] for found in (await host.backups.known()).snapshots}
    everything = BackedUp(host.root, {"keep_daily": 0, "keep_weekly": 0, "keep_monthly": 0})
    assert (await everything.do("forget")).job.message == "All backups are kept"
    assert (await host.do("forget", await newest(host))).job.message == "1 backup was removed"
    assert len((await host.backups.known()).snapshots) == 1


async def test_what_other_servers_have_in_the_same_repository_stays(host: BackedUp) -> None:
    for _ in range(2):
        await host.restic("backup", "--host=another", str(host.root / "var"))

    said = await BackedUp(host.root, {"keep_daily": 1}).do("forget")

    assert said.job.message == "0 backups were removed"
    assert len((await host.backups.known()).snapshots) == 3


async def test_rehearsals_change_nothing(host: BackedUp) -> None:
    snapshot = await newest(host)
    host.write("var/lib/gitea/a.txt", "newer")

    backup = await host.do("backup", dry_run=True)
    restore = await host.do("restore", snapshot, dry_run=True)

    assert backup.job.message.startswith("A backup would add ")
    assert restore.job.message.startswith("9 files and folders would be restored, ")
    assert host.read("var/lib/gitea/a.txt") == "newer"
    assert len((await host.backups.known()).snapshots) == 1
    empty = new_host(host.root.parent / "empty")
    assert (await empty.do("init", dry_run=True)).job.message == "A repository would be set up"
    assert not (empty.own / "backup-password").exists()


async def test_without_restic_the_reason_is_told(host: BackedUp) -> None:
    without = BackedUp(host.root, {"restic": "no-such-restic"})

    with pytest.raises(NotHere, match="no-such-restic is not installed"):
        await without.do("backup")

    assert (await without.backups.known()).state == "ERROR"


async def test_what_is_remembered_may_be_lost(host: BackedUp) -> None:
    (host.own / "backups.json").write_text("{broken")
    assert (await host.backups.known()).state == "NOT_INITIALIZED"

    await host.do("reload")

    assert (await host.backups.known()).state == "INITIALIZED"


def store(**changed: Any) -> SetBackupStore:
    given: dict[str, Any] = {"account": "0012ab", "secret": "K001", "bucket": "my-bucket", **changed}
    return SetBackupStore(**given)


async def test_a_store_is_tried_without_keeping_anything(tmp_path: Path) -> None:
    for repository, found in (("/var/{bucket}", "empty"), ("s3:http://127.0.0.1:1/{bucket}/x", "unreachable")):
        host = new_host(tmp_path, repository=repository)
        tried = await host.backups.set_store(store(test=True))
        assert tried is not None
        assert tried.found == found
        assert (await host.backups.known()).state == "NO_KEY"
        assert not (host.own / "backup-password").exists()
        assert not (host.own / "store.json").exists()


async def test_a_store_with_somebody_elses_repository_is_said_to_have_one(host: BackedUp, tmp_path: Path) -> None:
    other = new_host(tmp_path / "other", repository="/mnt/{bucket}")
    shutil.copytree(host.root / "mnt/backups", other.root / "mnt/my-bucket")

    tried = await other.backups.set_store(store(test=True))

    assert tried == Tried("password", OPENS_OTHERWISE)


@pytest.mark.parametrize("wrong", ["two\nlines", "nul\0", "a blank", "ключ", "\x7f"])
async def test_credentials_that_cannot_be_ones_are_refused(tmp_path: Path, wrong: str) -> None:
    host = new_host(tmp_path, repository="/mnt/{bucket}")
    for given in ({"account": wrong}, {"secret": wrong}):
        with pytest.raises(Invalid):
            await host.backups.set_store(store(**given))
    assert (await host.backups.known()).state == "NO_KEY"


async def test_another_bucket_is_another_repository(host: BackedUp) -> None:
    two = BackedUp(host.root, {"repository": "/mnt/{bucket}"})
    await two.backups.set_store(store(bucket="backups"))
    await two.do("init")
    assert len((await two.backups.known()).snapshots) == 1

    await two.backups.set_store(store(bucket="others"))

    known = await two.backups.known()
    assert (known.state, known.snapshots) == ("NOT_INITIALIZED", [])
    assert "K001" not in repr(known)


async def test_a_broken_store_file_is_said_and_written_anew(tmp_path: Path) -> None:
    host = new_host(tmp_path, repository="/mnt/{bucket}")
    host.write("var/lib/manor-host/store.json", "{broken")
    with pytest.raises(Failed, match="save them again"):
        await host.backups.known()

    await host.backups.set_store(store())

    assert (await host.backups.known()).state == "NOT_INITIALIZED"
