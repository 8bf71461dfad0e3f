"""Restoring with restic, for real: what comes back, and what is left alone."""

from __future__ import annotations

import shutil

import pytest

from manor_hostservices.refusals import Failed
from tests.host_backups import FILES, BackedUp


async def test_a_backup_is_restored_and_other_files_stay(host: BackedUp) -> None:
    snapshot = await host.newest()
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

    await host.do("restore", await host.newest())

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
        await host.do("restore", await host.newest())

        assert reader.read() == "now", "the file that is there is not written into"
    assert host.read("var/lib/manor-host/state.json") == '{"timezone":"Europe/Kyiv"}'
    assert host.read("var/lib/manor-host/.state.json.abcdefgh") == "now"
    assert host.read("var/lib/manor-host/state.json.lock") == "now"


async def test_a_state_that_is_broken_in_a_backup_is_not_brought_back(host: BackedUp) -> None:
    host.write("var/lib/manor-host/state.json", '{"timezone":')
    await host.do("backup")
    host.write("var/lib/manor-host/state.json", '{"timezone":"UTC"}')
    said = await host.do("restore", await host.newest())

    assert host.read("var/lib/manor-host/state.json") == '{"timezone":"UTC"}'
    assert "/var/lib/manor-host/state.json is broken in the backup; the one that is here stays" in said.lines


async def test_all_but_the_secrets_is_restored_to_another_place(host: BackedUp) -> None:
    elsewhere = BackedUp(host.root, {"target": "/restored"})

    await elsewhere.do("restore", await host.newest())

    found = {str(path.relative_to(host.root / "restored")) for path in host.root.glob("restored/**/*.*")}
    assert found == {
        "var/lib/gitea/a.txt",
        "var/lib/gitea/b [1]*.txt",
        "var/lib/manor/vapid.pem",
        "var/lib/manor-host/state.json",
    }


async def test_a_restore_that_fails_is_told_until_something_works(host: BackedUp) -> None:
    snapshot = await host.newest()
    host.break_packs()
    shutil.rmtree(host.own / "cache")

    with pytest.raises(Failed):
        await host.do("restore", snapshot)

    known = await host.backups.known()
    assert known.state == "ERROR"
    assert known.error
    await host.do("reload")
    assert (await host.backups.known()).state == "ERROR"


async def test_what_cannot_be_written_is_a_failure(host: BackedUp) -> None:
    snapshot = await host.newest()
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
        await host.do("restore", await host.newest())

    assert (await host.backups.known()).state == "ERROR"


USERDATA = "etc/nixos/userdata/userdata.json"


@pytest.fixture
async def nixos(host: BackedUp) -> BackedUp:
    """A NixOS host with a backup of the file that its configuration reads."""
    nixos = BackedUp(host.root, {"paths": ("/etc",)}, backend="nixos")
    nixos.write(USERDATA, '{"domain":"example.org","timezone":"Europe/Kyiv"}')
    for beside in ("userdata.json.lock", ".userdata.json.abcdefgh"):
        nixos.write(f"etc/nixos/userdata/{beside}", "then")
    await nixos.do("backup")
    return nixos


async def test_what_nixos_reads_is_brought_back_whole(nixos: BackedUp) -> None:
    for name in ("userdata.json", "userdata.json.lock", ".userdata.json.abcdefgh"):
        nixos.write(f"etc/nixos/userdata/{name}", "now")
    nixos.write("etc/passwd", "broken")
    with (nixos.root / USERDATA).open() as reader:
        await nixos.do("restore", await nixos.newest())

        assert reader.read() == "now", "the file that is there is not written into"
    assert nixos.read(USERDATA) == '{"domain":"example.org","timezone":"Europe/Kyiv"}'
    assert nixos.read("etc/nixos/userdata/userdata.json.lock") == "now"
    assert nixos.read("etc/nixos/userdata/.userdata.json.abcdefgh") == "now"
    assert nixos.read("etc/passwd") == FILES["etc/passwd"]


async def test_what_nixos_reads_comes_back_to_a_server_that_has_none(nixos: BackedUp) -> None:
    shutil.rmtree(nixos.root / "etc/nixos")

    await nixos.do("restore", await nixos.newest())

    assert nixos.read(USERDATA) == '{"domain":"example.org","timezone":"Europe/Kyiv"}'


@pytest.mark.parametrize("broken", ['{"timezone":', '{"users":[{"name":"eve"}]}', "\udcff"])
async def test_what_nixos_could_not_read_is_not_brought_back(nixos: BackedUp, broken: str) -> None:
    (nixos.root / USERDATA).write_bytes(broken.encode(errors="surrogateescape"))
    await nixos.do("backup")
    nixos.write(USERDATA, '{"timezone":"UTC"}')

    said = await nixos.do("restore", await nixos.newest())

    assert nixos.read(USERDATA) == '{"timezone":"UTC"}'
    assert f"/{USERDATA} is broken in the backup; the one that is here stays" in said.lines


async def test_on_other_hosts_a_file_of_that_name_is_a_file_as_any_other(nixos: BackedUp) -> None:
    nixos.write(USERDATA, "now")

    await BackedUp(nixos.root, nixos.table).do("restore", await nixos.newest())

    assert nixos.read(USERDATA) == '{"domain":"example.org","timezone":"Europe/Kyiv"}'
