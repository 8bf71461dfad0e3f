"""The part that has the host open: the root helper at its socket, or a sandbox's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import trio

from manor import BackgroundTask, HealthCheck, Part, PluginContext
from manor_hostservices.assembly import make_backend, make_backups
from manor_hostservices.config import HostConfig
from manor_hostservices.desk import Desk
from manor_hostservices.helper.client import HelperHost
from manor_hostservices.host import Host
from manor_hostservices.jobs.in_process import InProcessJobs
from manor_hostservices.jobs.ledger import Ledger, boot_id
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms, Programs, WrittenDown
from manor_hostservices.watching import PrimaryWatch


class Hosting(Part):
    """Chooses how the host is asked.

    Args:
        context: The plugin's own.

    Attributes:
        host: The host.
        programs: Runs this process's programs; in a sandbox it only writes them down.
    """

    def __init__(self, context: PluginContext[HostConfig]) -> None:
        config = context.config
        self._helper: HelperHost | None = None
        self._jobs: InProcessJobs | None = None
        self.programs: Programs
        self.host: Host
        self._primary: PrimaryWatch | None = None
        if config.backend == "sandbox":
            self.programs, places = WrittenDown(), Places(Path(config.root))
            backend = make_backend(config, places, self.programs)
            backups = make_backups(config, places, self.programs)
            self._jobs = InProcessJobs(Ledger(places, context.clock, boot_id()), backend, backups)
            self.host = Desk(backend, self._jobs, backups)
            return
        # Nobody with a sandbox needs D-Bus.
        from manor_hostservices.backends.systemd.bus import Bus
        from manor_hostservices.jobs.units import UnitJobs

        self.programs, places = HostPrograms(), Places()
        jobs = UnitJobs(Ledger(places, context.clock, boot_id()), Bus(places), config, trio.Lock())
        own_eyes = Desk(make_backend(config, places, self.programs), jobs, make_backups(config, places, self.programs))
        self.host = self._helper = HelperHost(config.helper_socket, own_eyes)
        self._primary = PrimaryWatch(self.host, config.primary_user)

    def background_tasks(self) -> Sequence[BackgroundTask]:
        """A sandbox's jobs run in the daemon; on another host the primary account has to be there already."""
        if self._jobs is not None:
            return [BackgroundTask("sandbox jobs", self._jobs.run, ready=True)]
        return [] if self._primary is None else [BackgroundTask("primary account", self._primary.run)]

    def health_checks(self) -> Sequence[HealthCheck]:
        """Whether the host can be changed from here, and the primary account is there."""
        return [HealthCheck("host", self._check), HealthCheck("primary account", self._check_primary)]

    async def trouble(self) -> str | None:
        """Why the host can only be looked at; None when it can be changed."""
        return None if self._helper is None else await self._helper.look()

    async def _check(self) -> str | None:
        trouble = await self.trouble()
        return None if trouble is None else f"read-only: {trouble}"

    async def _check_primary(self) -> str | None:
        # On a host that can only be looked at its keys matter to nobody.
        return None if self._primary is None or await self.trouble() is not None else self._primary.trouble
