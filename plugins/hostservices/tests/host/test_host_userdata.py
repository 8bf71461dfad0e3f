"""The file that SelfPrivacy's NixOS configuration reads."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import msgspec
import pytest

from manor_hostservices.backends.nixos.userdata import UserData
from manor_hostservices.backends.state import Account, HostState
from manor_hostservices.refusals import Failed
from manor_hostservices.verbs import AutoUpgrade, SshSettings

FILLED: dict[str, Any] = {
    "hashedMasterPassword": "$6$x",
    "domain": "example.org",
    "gitea": {"enable": True, "location": "sda1"},
    "ssh": {"enable": False, "rootKeys": ["key of root"], "port": 22},
    "sshKeys": ["key of admin"],
    "users": [{"username": "eve_1", "hashedPassword": "$6$y", "sshKeys": ["key of eve"], "uid": 1001}],
    "timezone": "Europe/Berlin",
    "autoUpgrade": {"allowReboot": True},
}


def written(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "userdata.json"
    path.write_text(json.dumps(FILLED))
    return path


@pytest.fixture
def userdata(path: Path) -> UserData:
    return UserData(path, ["gitea", "nextcloud"])


async def test_what_stands_in_it_is_the_state(userdata: UserData) -> None:
    assert await userdata.read() == HostState(
        {"gitea": True},
        SshSettings(enable=False, password_authentication=True),
        (Account("eve_1", "$6$y", ("key of eve",)),),
        ("key of root",),
        ("key of admin",),
        "Europe/Berlin",
        AutoUpgrade(enable=True, allow_reboot=True),
    )


async def test_a_file_that_is_absent_says_nothing(tmp_path: Path) -> None:
    assert await UserData(tmp_path / "userdata.json", ["gitea"]).read() == HostState()


async def test_what_changes_is_written_and_all_else_stays(userdata: UserData, path: Path) -> None:
    def change(state: HostState) -> tuple[HostState, None]:
        accounts = (msgspec.structs.replace(state.accounts[0], keys=()), Account("ada_1", "$6$z"))
        services = {"gitea": True, "nextcloud": False}
        upgrade = AutoUpgrade(enable=False, allow_reboot=True)
        after = msgspec.structs.replace(state, accounts=accounts, services=services, auto_upgrade=upgrade)
        return after, None

    await userdata.change(change)

    assert written(path) == {
        **FILLED,
        "nextcloud": {"enable": False},
        "users": [
            {"username": "eve_1", "hashedPassword": "$6$y", "sshKeys": [], "uid": 1001},
            {"username": "ada_1", "hashedPassword": "$6$z", "sshKeys": []},
        ],
        "autoUpgrade": {"enable": False, "allowReboot": True},
    }


async def test_root_without_keys_has_no_list_of_them(userdata: UserData, path: Path) -> None:
    await userdata.change(lambda state: (msgspec.structs.replace(state, root_keys=()), None))

    assert written(path) == {**FILLED, "ssh": {"enable": False, "port": 22}}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"ssh": 1}', '{"users": [{"sshKeys": []}]}', '{"gitea": {"enable": "yes"}}', '{"timezone": 3}'],
)
async def test_a_file_that_nixos_would_not_read_is_refused_and_left(userdata: UserData, path: Path, text: str) -> None:
    path.write_text(text)

    with pytest.raises(Failed, match=r"^userdata.json is not as it should be"):
        await userdata.read()
    with pytest.raises(Failed, match=r"^userdata.json is not as it should be"):
        await userdata.change(lambda state: (msgspec.structs.replace(state, timezone="UTC"), None))
    assert path.read_text() == text


async def test_a_disk_that_takes_nothing_is_told_with_the_files_name(userdata: UserData, path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # no file may grow
    try:
        with pytest.raises(Failed, match=r"^userdata.json cannot be changed: File too large$"):
            await userdata.change(lambda state: (msgspec.structs.replace(state, timezone="UTC"), None))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert written(path) == FILLED
    path.unlink()
    path.mkdir()
    with pytest.raises(Failed, match=r"^userdata.json cannot be read: Is a directory$"):
        await userdata.read()
