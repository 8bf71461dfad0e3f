"""Backing up with restic, for real: a folder as the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from manor_hostservices.refusals import Failed, NotHere
from tests.host_backups import BackedUp, new_host


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


async def test_rehearsals_change_nothing(host: BackedUp) -> None:
    snapshot = await host.newest()
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

    said = await host.do("reload")

    assert said.job.message == "1 backup is there"
    assert (await host.backups.known()).state == "INITIALIZED"
