"""The recovery kit: what it says is enough to have everything back with nothing but restic, and only root gets it."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manor.clock import SetClock
from manor_hostservices.backups.kit import NO_PASSWORD, NO_STORE, Kit, make_kit, written
from manor_hostservices.backups.setting import Setting
from manor_hostservices.backups.work import KEEP_IT
from manor_hostservices.config import BackupConfig
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms
from manor_hostservices.refusals import Failed
from manor_hostservices.verbs import SetBackupStore
from tests.host_backups import FILES, REPOSITORY, BackedUp, new_host
from tests.host_jobs import NOON

TYPED = {"export", "restic"}

as_root = pytest.mark.box


async def kit_of(host: BackedUp) -> Kit:
    config = msgspec.convert({"repository": REPOSITORY, **host.table}, BackupConfig)
    setting = Setting(config, Places(host.root), HostPrograms(), SetClock(NOON))
    return await make_kit(setting, socket.gethostname())


def exports(text: str) -> dict[str, str]:
    """The variables that it has somebody set, as a shell reads them."""
    found = re.findall(r"^   export ([A-Z_0-9]+)=(.*)$", text, re.MULTILINE)
    return {name: "".join(shlex.split(value)) for name, value in found}


async def test_what_it_says_brings_everything_back_where_nothing_is_left_but_restic(tmp_path: Path) -> None:
    host = new_host(tmp_path / "it's here")
    said = await host.do("backup")
    assert said.job.message == f"Backed up. {KEEP_IT}"
    text = written(await kit_of(host))
    typed = [line.strip() for line in text.splitlines() if line.startswith("   ") and line.split()[0] in TYPED]
    elsewhere = tmp_path / "another machine"
    elsewhere.mkdir()
    (host.own / "backup-password").unlink()
    script = "\n".join(typed).replace("/srv/restored", shlex.quote(str(elsewhere / "restored")))

    done = await HostPrograms().run(["sh", "-e", "-c", script], env={"HOME": str(elsewhere)})

    assert done.status == 0, done.output
    assert (elsewhere / "restored/var/lib/gitea/a.txt").read_text() == FILES["var/lib/gitea/a.txt"]


async def test_it_has_the_stores_credentials_and_the_table_that_a_new_server_wants(tmp_path: Path) -> None:
    table: dict[str, Any] = {"repository": "s3:https://s3.example.org/{bucket}/x", "paths": ["/var", '/srv/"odd"']}
    host = new_host(tmp_path, **table)
    await host.backups.set_store(SetBackupStore("AK_'id'", "a$secret", "my-bucket"))
    host.write("var/lib/manor-host/backup-password", "correct horse\n")

    text = written(await kit_of(host))

    assert exports(text) == {
        "RESTIC_REPOSITORY": "s3:https://s3.example.org/my-bucket/x",
        "RESTIC_PASSWORD": "correct horse",
        "AWS_ACCESS_KEY_ID": "AK_'id'",
        "AWS_SECRET_ACCESS_KEY": "a$secret",
    }
    _, _, toml = text.partition("config.toml:\n")
    assert tomllib.loads(toml)["plugins"]["hostservices"]["backup"] == table
    assert "/srv/restored/var/lib/manor/backup/manor.db" in text
    assert "secret" not in repr(await kit_of(host))


async def test_the_default_repository_is_said_in_full(tmp_path: Path) -> None:
    host = new_host(tmp_path, repository="")
    await host.backups.set_store(SetBackupStore("id", "key1", "my-bucket"))
    host.write("var/lib/manor-host/backup-password", "correct horse\n")

    text = written(await kit_of(host))

    assert exports(text)["RESTIC_REPOSITORY"] == "b2:my-bucket:/sfbackup"
    assert 'repository = "b2:{bucket}:/sfbackup"' in text


async def test_where_there_is_nothing_to_recover_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=f"^{NO_STORE}$"):
        await kit_of(new_host(tmp_path, repository="/mnt/{bucket}"))
    with pytest.raises(Failed, match=f"^{NO_PASSWORD}$"):
        await kit_of(new_host(tmp_path))
    odd = new_host(tmp_path)
    (odd.own / "backup-password").mkdir()
    with pytest.raises(Failed, match="Is a directory"):
        await kit_of(odd)


# --- The command ---------------------------------------------------------------------------------------------------


AS_NOBODY = "import os; from manor_hostservices.cli import host; os.geteuid() or os.setuid(65534); host()"


def ask(folder: Path, *program: str, name: str = "config.toml") -> subprocess.CompletedProcess[str]:
    program = program or ("-m", "manor", "host")
    argv = [sys.executable, *program, "recovery-kit", "--config", str(folder / name)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd="/", check=False)


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    (tmp_path / "password").write_text("correct horse\n")
    (tmp_path / "config.toml").write_text(
        f"""
        [plugins.hostservices]
        enabled = true
        backup = {{repository = "sftp:me@nas:/backups", password_file = "{tmp_path}/password"}}
        """
    )
    return tmp_path


@as_root
def test_root_gets_it(configured: Path) -> None:
    done = ask(configured)

    assert (done.returncode, done.stderr) == (0, "")
    assert exports(done.stdout) == {"RESTIC_REPOSITORY": "sftp:me@nas:/backups", "RESTIC_PASSWORD": "correct horse"}
    assert "has to be let in there" in done.stdout


def test_nobody_else_gets_it(configured: Path) -> None:
    done = ask(configured, "-c", AS_NOBODY)

    assert (done.returncode, done.stdout) == (77, "")
    assert done.stderr == "Only root may read what opens the backups\n"


@as_root
def test_a_configuration_that_others_may_write_is_not_believed(configured: Path) -> None:
    (configured / "config.toml").chmod(0o666)
    done = ask(configured)

    assert (done.returncode, done.stdout) == (1, "")
    assert "may be written by others than root" in done.stderr


@as_root
@pytest.mark.parametrize(("name", "status"), [("other.toml", 2), ("none/config.toml", 1)])
def test_only_the_helpers_own_configuration_says_where_it_is(configured: Path, name: str, status: int) -> None:
    done = ask(configured, name=name)

    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("\n") == 1
