"""A host that is a folder: for development, for tests, and to look around without harm."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import msgspec

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
from manor_hostservices.catalogue import WATCHED, catalogue
from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms, Programs
from manor_hostservices.refusals import Failed, Invalid, Missing, NotHere
from manor_hostservices.stored import StoredJson
from manor_hostservices.verbs import (
    AddKey,
    AddUser,
    AutoUpgrade,
    DeleteUser,
    JobKind,
    Lines,
    Pulled,
    ReadJournal,
    RemoveKey,
    ServiceState,
    SetAutoUpgrade,
    SetSsh,
    SetTimezone,
    SshSettings,
    SwitchService,
    Updates,
)

FIRST_TIMEZONE = "Europe/Uzhgorod"
"""What the SelfPrivacy API answers when none was ever set."""

RUNNING, STOPPED, UNKNOWN = 0, 3, 4


class Sandbox:
    """Keeps what is set in its folder, and has host commands written down instead of run; see `Backend`.

    Args:
        config: The admin's table.
        places: The folder.
        programs: Writes down what would be run.
    """

    _DEFAULT: ClassVar[dict[str, tuple[str, ...]]] = {
        "apply": ("nixos-rebuild", "switch"),
        "upgrade": ("nixos-rebuild", "switch", "--upgrade"),
        "rollback": ("nixos-rebuild", "switch", "--rollback"),
        "reboot": ("systemctl", "reboot"),
    }

    def __init__(self, config: HostConfig, places: Places, programs: Programs) -> None:
        self._config = config
        self._places = places
        self._programs = programs
        self._catalogue = catalogue(config.services)
        self._state = StoredJson(places.own / "state.json", HostState, HostState)
        self._said: dict[str, deque[str]] = {}

    # --- Services --------------------------------------------------------------------------------------------------

    async def services(self) -> list[ServiceState]:
        """What was switched on runs, and so does what cannot be switched."""
        on = (await self._state.read()).services
        return [
            _service(key, title=entry.title, on=on.get(key, key in WATCHED), switchable=entry.switchable)
            if entry.units
            else ServiceState(key, entry.title, UNKNOWN, switchable=entry.switchable)
            for key, entry in self._catalogue.items()
        ]

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
        self._said.setdefault(verb.key, deque(maxlen=1000)).append(
            f"{'Started' if verb.on else 'Stopped'} {entry.title}."
        )

    async def journal(self, verb: ReadJournal) -> Lines:
        """When it was switched; the cursor counts lines."""
        if verb.key not in self._catalogue:
            raise Missing(f"There is no service {verb.key}")
        lines = list(self._said.get(verb.key, ()))
        seen = int(verb.after) if verb.after.isdigit() else 0
        return Lines(lines[seen:][-verb.lines :], str(len(lines)))

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

        def add(state: HostState) -> tuple[HostState, None]:
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
        """The file below the folder."""
        if not self._config.dkim_file:
            return None
        try:
            return self._places.at(self._config.dkim_file).read_bytes()
        except OSError:
            return None

    async def updates(self) -> Updates:
        """A folder has no packages."""
        return Updates([])

    async def pull(self) -> Pulled:
        """Really pull: the folder lies in the sandbox."""
        return await pull(HostPrograms(), self._places.at(self._config.config_dir))

    async def perform(self, kind: JobKind, report: Report, *, dry_run: bool = False) -> None:
        """Have written down what would be run."""
        argv = getattr(self._config.jobs, kind, ()) or self._DEFAULT.get(kind)
        if not argv:
            raise NotHere(f"This host has no {kind}")
        report.message(f"{'Would run' if dry_run else 'Running'} {argv[0]}")
        if not dry_run:
            done = await self._programs.run(argv, seconds=None, hear=report.log)
            if done.status != 0:
                raise Failed(f"{argv[0]} ended with status {done.status}")
        report.progress(1)


def _service(key: str, *, title: str, on: bool, switchable: bool) -> ServiceState:
    return ServiceState(
        key,
        title,
        RUNNING if on else STOPPED,
        active="active" if on else "inactive",
        sub="running" if on else "dead",
        enabled=on,
        switchable=switchable,
    )
