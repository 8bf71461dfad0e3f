"""The host, put together; see `Backend`."""

from __future__ import annotations

from functools import partial

import trio

from manor_hostservices.backends.commands import run_command
from manor_hostservices.backends.data_folders import DataFolders
from manor_hostservices.backends.pulling import pull
from manor_hostservices.backends.systemd.accounts import Accounts
from manor_hostservices.backends.systemd.applying import Piece, put_right
from manor_hostservices.backends.systemd.apt import Apt
from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.backends.systemd.clock import Clock
from manor_hostservices.backends.systemd.files import refusing
from manor_hostservices.backends.systemd.journal import read_journal
from manor_hostservices.backends.systemd.people import ROOT, People
from manor_hostservices.backends.systemd.power import Power
from manor_hostservices.backends.systemd.record import Record
from manor_hostservices.backends.systemd.services import Services
from manor_hostservices.backends.systemd.sshd import SshServer
from manor_hostservices.backends.systemd.units import Units
from manor_hostservices.backends.zone_file import read_zone_file
from manor_hostservices.catalogue import DataSize, catalogue
from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Invalid, NotHere
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

NO_WAY_BACK = (
    "This host has no way back by itself: name a program that goes back, such as snapper, as `rollback` in "
    "[plugins.hostservices.jobs]"
)


class Systemd:
    """A host with systemd, apt and OpenSSH; a `Backend`.

    What is set takes effect at once and is noted, so that the job `apply` can bring it about again. Reading works for
    any account as far as the host lets it: services, the time zone and upgrades do, what root keeps is `NotHere`.

    Args:
        config: The admin's table.
        places: Where the host's files are.
        programs: Runs its programs.
    """

    def __init__(self, config: HostConfig, places: Places, programs: Programs) -> None:
        self._config = config
        self._places = places
        self._programs = programs
        bus, self._record = Bus(places), Record(places)
        units = Units(bus)
        entries = catalogue(config.services)
        self._services = Services(units, self._record, entries)
        self._data = DataFolders(places, entries)
        self._people = People(Accounts(programs, bus, places), self._record, places, config.primary_user)
        self._ssh = SshServer(programs, units, self._record, self._people, places, config.primary_user)
        self._clock = Clock(bus, self._record)
        self._apt = Apt(programs, self._record, places)
        self._power = Power(bus)

    # --- Services --------------------------------------------------------------------------------------------------

    async def services(self) -> list[ServiceState]:
        """As systemd says."""
        return await self._services.states()

    async def switch_service(self, verb: SwitchService) -> None:
        """Switch now and for the host's next start."""
        await self._services.switch(verb.key, on=verb.on)

    async def journal(self, verb: ReadJournal) -> Lines:
        """What systemd's journal has."""
        units = self._services.units_of(verb.key)
        return await read_journal(self._programs, units, newest=verb.lines, after=verb.after)

    async def data_size(self, key: str) -> DataSize:
        """Of the folders that the catalogue names."""
        return await self._data.size(key)

    # --- SSH and accounts ------------------------------------------------------------------------------------------

    async def ssh(self) -> SshSettings:
        """As the server reads its configuration."""
        return await self._ssh.settings()

    async def set_ssh(self, verb: SetSsh) -> SshSettings:
        """Change our file of the configuration, check it, and reload."""
        return await self._ssh.set(verb)

    async def users(self) -> list[str]:
        """Accounts that were made from here."""
        return await self._people.names()

    async def add_user(self, verb: AddUser) -> None:
        """Make an account with a home."""
        await self._people.add(verb.name, verb.password_hash)

    async def delete_user(self, verb: DeleteUser) -> None:
        """Remove an account, its processes and its home."""
        await self._people.remove(verb.name)

    async def keys(self, user: str) -> list[str]:
        """The keys in the account's file."""
        return await self._people.keys(user)

    async def add_key(self, verb: AddKey) -> None:
        """Add a line to the account's file."""
        await self._people.add_key(verb.user, verb.key)

    async def remove_key(self, verb: RemoveKey) -> None:
        """Remove a line from the account's file."""
        await self._people.remove_key(verb.user, verb.key)

    # --- The system ------------------------------------------------------------------------------------------------

    async def timezone(self) -> str:
        """The host's zone."""
        return await self._clock.timezone()

    async def set_timezone(self, verb: SetTimezone) -> None:
        """Change it, for programs that start from now on."""
        await self._clock.set_timezone(verb.zone)

    async def auto_upgrade(self) -> AutoUpgrade:
        """As apt reads its configuration."""
        return await self._apt.auto_upgrade()

    async def set_auto_upgrade(self, verb: SetAutoUpgrade) -> AutoUpgrade:
        """Change our file of apt's configuration."""
        return await self._apt.set_auto_upgrade(verb)

    async def dkim(self) -> bytes | None:
        """The configured file."""
        if not self._config.dkim_file:
            return None
        with refusing("The record cannot be read"):
            return await trio.to_thread.run_sync(read_zone_file, self._places, self._config.dkim_file)

    async def updates(self) -> Updates:
        """What apt would upgrade."""
        return await self._apt.updates()

    async def pull(self) -> Pulled:
        """Pull the configuration's folder."""
        return await pull(self._programs, self._places.at(self._config.config_dir))

    # --- Jobs ------------------------------------------------------------------------------------------------------

    async def perform(self, kind: JobKind, report: Report, *, dry_run: bool = False, force: bool = False) -> None:
        """Do a job to its end."""
        match kind:
            case "apply":
                await self._apply(report, dry_run=dry_run)
            case "upgrade":
                await self._upgrade(report, dry_run=dry_run)
            case "rollback":
                await self._roll_back(report, dry_run=dry_run)
            case "reboot":
                await self._power.restart(report, dry_run=dry_run, force=force)
            case _:
                raise Invalid(f"This is no job of the host's: {kind}")

    async def _apply(self, report: Report, *, dry_run: bool) -> None:
        if self._config.jobs.apply:
            await run_command(self._programs, self._config.jobs.apply, report, dry_run=dry_run)
        else:
            await put_right(await self._pieces(), report, dry_run=dry_run)

    async def _upgrade(self, report: Report, *, dry_run: bool) -> None:
        if self._config.jobs.upgrade:
            await run_command(self._programs, self._config.jobs.upgrade, report, dry_run=dry_run)
        elif dry_run:
            await self._apt.preview(report)
        else:
            await self._apt.upgrade(report)

    async def _roll_back(self, report: Report, *, dry_run: bool) -> None:
        if not self._config.jobs.rollback:
            raise NotHere(NO_WAY_BACK)
        await run_command(self._programs, self._config.jobs.rollback, report, dry_run=dry_run)

    async def _pieces(self) -> list[Piece]:
        state = await self._record.read()
        accounts = [account.name for account in state.accounts]
        people = self._people
        return [
            Piece("the time zone", self._clock.put_right),
            Piece("automatic upgrades", self._apt.put_right),
            *(Piece(f"the account {name}", partial(people.put_account_right, name)) for name in accounts),
            *(
                Piece(f"the keys of {name}", partial(people.put_keys_right, name))
                for name in (ROOT, self._config.primary_user, *accounts)
            ),
            # After the keys: while there is none, passwords stay on.
            Piece("the SSH server", self._ssh.put_right),
            *(Piece(key, partial(self._services.put_right, key)) for key in state.services),
        ]
