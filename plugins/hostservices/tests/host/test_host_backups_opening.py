"""Whose repository it is: one that somebody else made before us is not taken for ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from manor_hostservices.refusals import Failed
from tests.host_backups import REPOSITORY, BackedUp, new_host

OURS_ONCE = "none yet"
"""What was tried before there was a password."""


async def test_a_repository_that_somebody_made_before_us_gets_nothing(tmp_path: Path) -> None:
    host = new_host(tmp_path)
    made = host.root / REPOSITORY.lstrip("/")
    made.parent.mkdir(parents=True)
    environment = {**os.environ, "RESTIC_PASSWORD": OURS_ONCE, "RESTIC_CACHE_DIR": str(tmp_path / "cache")}
    await trio.run_process(["restic", "--repo", str(made), "init"], env=environment, capture_stdout=True)

    for kind in ("init", "backup"):
        with pytest.raises(Failed, match="opens with another password"):
            await host.do(kind)

    assert not list((made / "snapshots").iterdir())
    assert (await BackedUp(tmp_path).backups.known()).state == "ERROR"


async def test_a_password_file_that_a_full_disk_left_empty_opens_no_repository(tmp_path: Path) -> None:
    host = new_host(tmp_path)
    host.write("var/lib/manor-host/backup-password", "")

    await host.do("init")

    assert len(host.read("var/lib/manor-host/backup-password").strip()) >= 40
    await BackedUp(tmp_path).do("reload")
    assert (await host.backups.known()).state == "INITIALIZED"
