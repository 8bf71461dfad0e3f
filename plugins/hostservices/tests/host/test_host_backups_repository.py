"""Looking after restic's repository: who opens it, locks, verifying, thinning out."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import trio

from manor_hostservices.refusals import Failed, Missing
from manor_hostservices.verbs import JobKind
from tests.host_backups import BackedUp


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
    host.break_packs()

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
    assert (await host.do("forget", await host.newest())).job.message == "1 backup was removed"
    assert len((await host.backups.known()).snapshots) == 1


async def test_what_other_servers_have_in_the_same_repository_stays(host: BackedUp) -> None:
    for _ in range(2):
        await host.restic("backup", "--host=another", str(host.root / "var"))

    said = await BackedUp(host.root, {"keep_daily": 1}).do("forget")

    assert said.job.message == "0 backups were removed"
    assert len((await host.backups.known()).snapshots) == 3
