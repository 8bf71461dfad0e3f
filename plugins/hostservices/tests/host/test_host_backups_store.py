"""Where backups go: said, tried, and kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from manor_hostservices.backups.destination import Tried
from manor_hostservices.backups.work import OPENS_OTHERWISE
from manor_hostservices.refusals import Failed, Invalid
from manor_hostservices.verbs import SetBackupStore
from tests.host_backups import BackedUp, new_host


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
