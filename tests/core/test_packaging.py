"""The service files agree with each other and keep the hardening that README.md promises."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from manor.config import load

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


class Unit(configparser.RawConfigParser):
    """A unit file; keys keep their case, and a repeated key its last value."""

    def __init__(self, name: str) -> None:
        super().__init__(strict=False, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
        self.read_string((PACKAGING / name).read_text())

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def rows(name: str) -> list[list[str]]:
    lines = (PACKAGING / name).read_text().splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def test_the_unit_scores_at_most_one_and_a_half() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")

    done = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=15", str(PACKAGING / "manor.service")],
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    # The figure that the README gives is the one that is measured.
    measured = re.search(r"exposure level for manor.service: ([\d.]+)", done.stdout)
    promised = re.search(r"scores it ([\d.]+) of 10", (PACKAGING / "README.md").read_text())
    assert measured is not None
    assert promised is not None
    assert measured[1] == promised[1]


def test_the_unit_leaves_the_rest_of_proc_readable() -> None:
    assert "ProcSubset" not in Unit("manor.service")["Service"]


def test_the_daemon_is_supervised() -> None:
    service = Unit("manor.service")["Service"]

    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 0
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"] == "78"
    assert "kill -HUP $MAINPID" in service["ExecReload"]
    # The daemon promises 10 seconds; systemd must not be quicker with its SIGKILL.
    assert int(service["TimeoutStopSec"]) > 10


def test_account_directories_and_configuration_agree() -> None:
    service = Unit("manor.service")["Service"]
    state = f"/var/lib/{service['StateDirectory']}"
    [account] = rows("manor.sysusers")
    config = tomllib.loads((PACKAGING / "config.toml").read_text())

    assert service["User"] == service["Group"] == account[1] == config["server"]["user"]
    assert config["server"]["data_dir"] == state == account[-2]
    assert ["d", state, service["StateDirectoryMode"], account[1], account[1], "-"] in rows("manor.tmpfiles")
    assert service["ExecStart"].endswith("manor serve --config /etc/manor/config.toml")
    assert ["z", "/etc/manor/config.toml", "0640", "root", account[1], "-"] in rows("manor.tmpfiles")


@pytest.mark.parametrize("name", ["config.toml", "container.toml"])
def test_the_packaged_configuration_is_accepted(name: str, tmp_path: Path) -> None:
    loaded = load(PACKAGING / name, {}, tmp_path)

    assert loaded.config.server.data_dir == Path("/var/lib/manor")


def test_the_socket_listens_where_the_configuration_does() -> None:
    config = tomllib.loads((PACKAGING / "config.toml").read_text())

    assert [Unit("manor.socket")["Socket"]["ListenStream"]] == config["server"]["bind"]


def test_the_image_is_made_of_files_that_exist() -> None:
    copied = re.findall(r"^COPY (packaging/\S+)", (PACKAGING / "Containerfile").read_text(), re.MULTILINE)

    assert copied
    assert all((PACKAGING.parent / name).is_file() for name in copied)


def test_the_readme_names_every_file() -> None:
    text = (PACKAGING / "README.md").read_text()
    files = {file.name for file in PACKAGING.iterdir()} - {"README.md"}

    assert {name for name in files if f"`{name}`" not in text} == set()
