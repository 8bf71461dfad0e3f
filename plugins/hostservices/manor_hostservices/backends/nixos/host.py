"""A host that runs NixOS: settings are noted, and rebuilding the system makes them so."""

from __future__ import annotations

from pathlib import Path

import trio

from manor_hostservices.backends.commands import rebuild
from manor_hostservices.backends.kept import KeptHost
from manor_hostservices.backends.nixos.userdata import UserData
from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.backends.systemd.journal import read_journal
from manor_hostservices.backends.systemd.power import Power
from manor_hostservices.backends.systemd.services import states_of
from manor_hostservices.backends.systemd.units import Units
from manor_hostservices.catalogue import catalogue
from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Missing
from manor_hostservices.verbs import JobKind, Lines, ReadJournal, ServiceState, Updates


class NixOs(KeptHost):
    """Notes what is set in `userdata.json`, and rebuilds the system in jobs; see `Backend`.

    Args:
        config: The admin's table.
        places: Where the host's files are.
        programs: Runs the host's programs.
    """

    def __init__(self, config: HostConfig, places: Places, programs: Programs) -> None:
        switched = [key for key, entry in catalogue(config.services).items() if entry.switchable]
        super().__init__(config, places, UserData(places.at(config.userdata), switched))
        self._programs = programs
        bus = Bus(places)
        self._units = Units(bus)
        self._power = Power(bus)

    async def services(self) -> list[ServiceState]:
        """What systemd says; a service that was switched on is not there before the system was rebuilt."""
        return await states_of(self._units, self._catalogue)

    async def journal(self, verb: ReadJournal) -> Lines:
        """What systemd wrote down."""
        entry = self._catalogue.get(verb.key)
        if entry is None:
            raise Missing(f"There is no service {verb.key}")
        return await read_journal(self._programs, (*entry.units, *entry.also), newest=verb.lines, after=verb.after)

    async def updates(self) -> Updates:
        """NixOS knows what is new only once it has built it; a kernel that waits for a restart is told."""
        return Updates([], reboot_required=await trio.to_thread.run_sync(self._waits_for_reboot))

    async def perform(self, kind: JobKind, report: Report, *, dry_run: bool = False, force: bool = False) -> None:
        """Run `nixos-rebuild`, or what the admin's table says."""
        if kind == "reboot":
            await self._power.restart(report, dry_run=dry_run, force=force)
        else:
            await rebuild(self._programs, self._config.jobs, kind, report, dry_run=dry_run)

    def _waits_for_reboot(self) -> bool:
        booted, current = (self._kernel(f"/run/{which}-system/kernel") for which in ("booted", "current"))
        return booted is not None and current is not None and booted != current

    def _kernel(self, path: str) -> Path | None:
        kernel = self._places.at(path)
        return kernel.resolve() if kernel.exists() else None
