"""Restoring where links are: none is followed, and those that are as they were do no harm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manor_hostservices.refusals import Failed
from tests.host_backups import new_host

MADE = "var/lib/gitea"


async def test_links_and_pipes_that_are_as_they_were_are_no_failure(tmp_path: Path) -> None:
    host = new_host(tmp_path)
    (tmp_path / "var/run").symlink_to("/run")
    (tmp_path / MADE / "odd [name] *").symlink_to("a b: c")
    os.mkfifo(tmp_path / MADE / "pipe")
    await host.do("backup")
    host.write(f"{MADE}/a.txt", "broken")

    said = await host.do("restore", await host.newest())

    assert said.job.message == "Restored, and compared with the backup"
    assert host.read(f"{MADE}/a.txt") == "first"
    assert (tmp_path / "var/run").readlink() == Path("/run")


@pytest.mark.box  # only root writes where somebody else exchanges folders
async def test_a_link_in_a_folders_place_is_not_followed(tmp_path: Path) -> None:
    host = new_host(tmp_path / "host")
    host.write("var/home/eve/x/passwd", "root::0:0::/:/bin/sh")
    (tmp_path / "host/var/run").symlink_to("/run")
    await host.do("backup")
    snapshot = await host.newest()
    theirs = tmp_path / "elsewhere"
    theirs.mkdir()
    (theirs / "passwd").write_text("good")
    (tmp_path / "host/var/home/eve/x/passwd").unlink()
    (tmp_path / "host/var/home/eve/x").rmdir()
    (tmp_path / "host/var/home/eve/x").symlink_to(theirs)
    host.write(f"{MADE}/a.txt", "broken")

    with pytest.raises(Failed, match="symbolic links") as refused:
        await host.do("restore", snapshot)

    assert "scratch" not in str(refused.value)
    assert "var/run" not in str(refused.value)

    assert (theirs / "passwd").read_text() == "good"
    assert host.read(f"{MADE}/a.txt") == "first"
