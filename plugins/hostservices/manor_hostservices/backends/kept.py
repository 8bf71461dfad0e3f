"""Hosts whose settings are a stored state: what is asked for is noted there, and nothing else happens at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec
import trio

from manor_hostservices.backends.data_folders import DataFolders
from manor_hostservices.backends.passwd import existing_accounts
from manor_hostservices.backends.pulling import pull
from manor_hostservices.backends.state import (
    Account,
    HostState,
    changed_auto_upgrade,
    changed_ssh,
    check_new_account,
    check_passwords_off,
    check_timezone,
    with_account,
    with_key,
    without_account,
    without_key,
)
from manor_hostservices.backends.zone_file import read_zone_file
from manor_hostservices.catalogue import DataSize, catalogue
from manor_hostservices.config import HostConfig
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms
from manor_hostservices.refusals import Conflicting, Failed, Invalid, Missing, NotHere
from manor_hostservices.verbs import (
    AddKey,
    AddUser,
    AutoUpgrade,
    DeleteUser,
    Pulled,
    RemoveKey,
    SetAutoUpgrade,
    SetSsh,
    SetTimezone,
    SshSettings,
    SwitchService,
)

R = TypeVar("R")

FIRST_TIMEZONE = "Europe/Uzhgorod"
"""What the SelfPrivacy API answers when none was ever set."""


class States(Protocol):
    """Where the state is stored."""

    async def read(self) -> HostState:
        """The state as it is."""
        ...

    async def change(self, work: Callable[[HostState], tuple[HostState, R]]) -> R:
        """Change it while nobody else does; see `StoredJson.change`."""
        ...


class KeptHost:
    """The half of a `Backend` that notes things in a state.

    Args:
        config: The admin's table.
        places: Where the host's files are.
        states: Where the state is stored.
    """

    def __init__(self, config: HostConfig, places: Places, states: States) -> None:
        self._config = config
        self._places = places
        self._state = states
        self._catalogue = catalogue(config.services)
        self._data = DataFolders(places, self._catalogue)

    # --- Services --------------------------------------------------------------------------------------------------

    async def switch_service(self, verb: SwitchService) -> None:
        """Note that it is on or off."""
        entry = self._catalogue.get(verb.key)
        if entry is None or not entry.units:
            raise Missing(f"There is no service {verb.key}")
        if not entry.switchable:
            raise Invalid(f"{entry.title} cannot be switched from here")

        def switch(state: HostState) -> tuple[HostState, None]:
            return msgspec.structs.replace(state, services={**state.services, verb.key: verb.on}), None

        await self._state.change(switch)

    async def data_size(self, key: str) -> DataSize:
        """Of the folders that the catalogue names."""
        return await self._data.size(key)

    # --- SSH -------------------------------------------------------------------------------------------------------

    async def ssh(self) -> SshSettings:
        """As it was set."""
        return (await self._state.read()).ssh or SshSettings()

    async def set_ssh(self, verb: SetSsh) -> SshSettings:
        """Note the settings."""

        def change(state: HostState) -> tuple[HostState, SshSettings]:
            before = state.ssh or SshSettings()
            check_passwords_off(before, verb, has_key=bool(state.root_keys or state.primary_keys))
            after = changed_ssh(before, verb)
            return msgspec.structs.replace(state, ssh=after), after

        return await self._state.change(change)

    async def keys(self, user: str) -> list[str]:
        """As they were added."""
        return list(self._keys(await self._state.read(), user))

    async def add_key(self, verb: AddKey) -> None:
        """Note a key."""

        def add(state: HostState) -> tuple[HostState, None]:
            return self._with_keys(state, verb.user, with_key(self._keys(state, verb.user), verb.key)), None

        await self._state.change(add)

    async def remove_key(self, verb: RemoveKey) -> None:
        """Forget a key."""

        def remove(state: HostState) -> tuple[HostState, None]:
            return self._with_keys(state, verb.user, without_key(self._keys(state, verb.user), verb.key)), None

        await self._state.change(remove)

    def _keys(self, state: HostState, user: str) -> tuple[str, ...]:
        if user == "root":
            return state.root_keys
        return state.primary_keys if user == self._config.primary_user else state.account(user).keys

    def _with_keys(self, state: HostState, user: str, keys: tuple[str, ...]) -> HostState:
        if user == "root":
            return msgspec.structs.replace(state, root_keys=keys)
        if user == self._config.primary_user:
            return msgspec.structs.replace(state, primary_keys=keys)
        accounts = [
            msgspec.structs.replace(account, keys=keys) if account.name == user else account
            for account in state.accounts
        ]
        return msgspec.structs.replace(state, accounts=tuple(accounts))

    # --- Accounts --------------------------------------------------------------------------------------------------

    async def users(self) -> list[str]:
        """As they were added."""
        return [account.name for account in (await self._state.read()).accounts]

    async def add_user(self, verb: AddUser) -> None:
        """Note an account."""
        check_new_account(verb.name, self._config.primary_user)
        there = await trio.to_thread.run_sync(existing_accounts, self._places)

        def add(state: HostState) -> tuple[HostState, None]:
            if verb.name in there and all(verb.name != account.name for account in state.accounts):
                raise Conflicting("User already exists")
            return with_account(state, Account(verb.name, verb.password_hash)), None

        await self._state.change(add)

    async def delete_user(self, verb: DeleteUser) -> None:
        """Forget an account."""
        if verb.name == self._config.primary_user:
            raise Invalid("Cannot delete root user")

        def remove(state: HostState) -> tuple[HostState, None]:
            return without_account(state, verb.name), None

        await self._state.change(remove)

    # --- The system ------------------------------------------------------------------------------------------------

    async def timezone(self) -> str:
        """As it was set."""
        return (await self._state.read()).timezone or FIRST_TIMEZONE

    async def set_timezone(self, verb: SetTimezone) -> None:
        """Note the zone."""
        check_timezone(verb.zone)

        def change(state: HostState) -> tuple[HostState, None]:
            return msgspec.structs.replace(state, timezone=verb.zone), None

        await self._state.change(change)

    async def auto_upgrade(self) -> AutoUpgrade:
        """As it was set."""
        return (await self._state.read()).auto_upgrade or AutoUpgrade()

    async def set_auto_upgrade(self, verb: SetAutoUpgrade) -> AutoUpgrade:
        """Note the settings."""

        def change(state: HostState) -> tuple[HostState, AutoUpgrade]:
            after = changed_auto_upgrade(state.auto_upgrade or AutoUpgrade(), verb)
            return msgspec.structs.replace(state, auto_upgrade=after), after

        return await self._state.change(change)

    async def dkim(self) -> bytes | None:
        """The zone file; None when there is none."""
        if not self._config.dkim_file:
            return None
        try:
            return await trio.to_thread.run_sync(read_zone_file, self._places, self._config.dkim_file)
        except PermissionError as error:
            raise NotHere("Only root may read the file with the DKIM record") from error
        except OSError as error:
            raise Failed(f"The file with the DKIM record cannot be read: {error.strerror}") from error

    async def pull(self) -> Pulled:
        """Pull the configuration's folder."""
        return await pull(HostPrograms(), self._places.at(self._config.config_dir))
