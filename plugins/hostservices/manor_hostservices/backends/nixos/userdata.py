"""`userdata.json`: what SelfPrivacy's NixOS configuration reads, as a stored state.

Its members are those of the SelfPrivacy REST API 1.2.0: `{SERVICE: {"enable"}}`, `ssh` with `rootKeys`, `sshKeys` of
the primary account, `users`, `timezone`, `autoUpgrade`. What is not known here is kept as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from manor_hostservices.backends.state import Account, HostState
from manor_hostservices.refusals import Failed
from manor_hostservices.stored import StoredJson
from manor_hostservices.verbs import AutoUpgrade, SshSettings

R = TypeVar("R")

Data = dict[str, Any]


class _Service(msgspec.Struct):
    enable: bool = False


class _Ssh(msgspec.Struct, rename="camel"):
    enable: bool = True
    password_authentication: bool = True
    root_keys: list[str] = []


class _User(msgspec.Struct, rename="camel"):
    username: str = msgspec.field(name="username")
    hashed_password: str = ""
    ssh_keys: list[str] = []


class _AutoUpgrade(msgspec.Struct, rename="camel"):
    enable: bool = True
    allow_reboot: bool = False


class _Known(msgspec.Struct, rename="camel"):
    """What is read of the file, services aside."""

    ssh: _Ssh | None = None
    ssh_keys: list[str] = []
    users: list[_User] = []
    timezone: str | None = None
    auto_upgrade: _AutoUpgrade | None = None


class UserData:
    """The file, read and changed as a state; see `States`.

    Args:
        path: The file.
        services: Keys that are looked for in it.
    """

    def __init__(self, path: Path, services: Collection[str]) -> None:
        self._file: StoredJson[Data] = StoredJson(path, dict, dict)
        self._name = path.name
        self._services = tuple(services)

    async def read(self) -> HostState:
        """The state that stands in it.

        Raises:
            Failed: It is not what NixOS would read either, or the disk does not give it.
        """
        with self._refusing("read"):
            return self._state(await self._file.read())

    async def change(self, work: Callable[[HostState], tuple[HostState, R]]) -> R:
        """Change what stands in it; all else stays.

        Raises:
            Failed: It is not what NixOS would read either, or the disk does not take it; it is left as it is.
        """

        def change(data: Data) -> tuple[Data, R]:
            before = self._state(data)
            after, result = work(before)
            return _written(data, before, after), result

        with self._refusing("changed"):
            return await self._file.change(change)

    async def put(self, text: bytes) -> None:
        """Have it be this text, such as that of a backup.

        Raises:
            msgspec.DecodeError: NixOS would not read it; the file is left as it is.
        """
        await self._file.put(text, self._state)

    def _state(self, data: Data) -> HostState:
        known = msgspec.convert(data, _Known)
        services = {
            key: msgspec.convert(data[key], _Service).enable for key in self._services if key in data and key != "ssh"
        }
        ssh, upgrade = known.ssh, known.auto_upgrade
        return HostState(
            services,
            None if ssh is None else SshSettings(ssh.enable, ssh.password_authentication),
            tuple(Account(user.username, user.hashed_password, tuple(user.ssh_keys)) for user in known.users),
            () if ssh is None else tuple(ssh.root_keys),
            tuple(known.ssh_keys),
            known.timezone,
            None if upgrade is None else AutoUpgrade(upgrade.enable, upgrade.allow_reboot),
        )

    @contextmanager
    def _refusing(self, done: str) -> Iterator[None]:
        try:
            yield
        except msgspec.DecodeError as error:
            raise Failed(f"{self._name} is not as it should be: {error}") from error
        except PermissionError:
            raise  # only root may: whoever asks without a helper says so
        except OSError as error:
            raise Failed(f"{self._name} cannot be {done}: {error.strerror}") from error


def _written(data: Data, before: HostState, after: HostState) -> Data:
    """The file's value with what changed in the state, and nothing else."""
    data = deepcopy(data)
    for key, on in after.services.items():
        if before.services.get(key) is not on:
            data.setdefault(key, {})["enable"] = on
    if after.ssh is not None and after.ssh != before.ssh:
        data.setdefault("ssh", {}).update(
            enable=after.ssh.enable, passwordAuthentication=after.ssh.password_authentication
        )
    if after.root_keys != before.root_keys:
        ssh = data.setdefault("ssh", {})
        ssh["rootKeys"] = list(after.root_keys)
        if not after.root_keys:
            del ssh["rootKeys"]  # NixOS refuses to build with an empty list
    if after.primary_keys != before.primary_keys:
        data["sshKeys"] = list(after.primary_keys)
    if after.accounts != before.accounts:
        data["users"] = _users(data.get("users", []), after.accounts)
    if after.timezone != before.timezone:
        data["timezone"] = after.timezone
    if after.auto_upgrade is not None and after.auto_upgrade != before.auto_upgrade:
        data.setdefault("autoUpgrade", {}).update(
            enable=after.auto_upgrade.enable, allowReboot=after.auto_upgrade.allow_reboot
        )
    return data


def _users(users: list[Data], accounts: Collection[Account]) -> list[Data]:
    there = {user["username"]: user for user in users}
    return [
        {
            **there.get(account.name, {}),
            "username": account.name,
            "hashedPassword": account.password_hash,
            "sshKeys": list(account.keys),
        }
        for account in accounts
    ]
