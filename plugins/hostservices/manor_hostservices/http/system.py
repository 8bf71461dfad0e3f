"""The system: what runs here, the time zone, upgrades, and what changes the whole configuration."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import msgspec

from manor import PUBLIC, BadRequest, Reply, Request, Route
from manor_hostservices.acting import caller
from manor_hostservices.http.api import HOST_API, ONLY_DEVICES, OPEN_API, beginning, said, told
from manor_hostservices.parts import Shared
from manor_hostservices.refusals import Conflicting, HostRefusal
from manor_hostservices.rules import Rule, check_zone
from manor_hostservices.verbs import JobKind, Pull, ReadAutoUpgrade, ReadJobs, ReadTimezone, SetAutoUpgrade, SetTimezone

API_VERSION = "1.2.0"
"""The version of the SelfPrivacy REST API that is served."""

PULL_SECONDS = 75.0
"""The pull has a minute; what it says then has to arrive."""


class Version(msgspec.Struct, frozen=True):
    """Which API this is."""

    version: str


class SystemVersion(msgspec.Struct, frozen=True):
    """What `uname -a` says."""

    system_version: str


class Zone(msgspec.Struct, frozen=True):
    """A time zone, as the tz database calls it."""

    timezone: str


class AutoUpgradeSettings(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the host upgrades itself, and restarts when an upgrade asks for it."""

    enable: bool
    allow_reboot: bool


class AutoUpgradeChange(msgspec.Struct, frozen=True, rename="camel"):
    """What is to be changed of it."""

    enable: bool | None = None
    allow_reboot: bool | None = None


class PullAnswer(msgspec.Struct, frozen=True):
    """How `git pull` went: its exit status, a sentence, and what it said."""

    status: int
    message: str
    data: str


class SystemHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._host = shared.host
        self._acting = shared.acting
        self._jobs = shared.jobs

    async def version(self, request: Request) -> Version:
        """Which API this is."""
        return Version(API_VERSION)

    async def system_version(self, request: Request) -> SystemVersion:
        """Kernel and machine."""
        return SystemVersion(" ".join(filter(None, platform.uname()[:5])))

    async def python_version(self, request: Request) -> Reply:
        """Python, as `Python 3.11.2`."""
        return said(f"Python {platform.python_version()}")

    async def timezone(self, request: Request) -> Reply:
        """The host's time zone."""
        with told():
            return said(await self._host.ask(ReadTimezone()))

    async def set_timezone(self, request: Request[Zone]) -> Reply:
        """Change the host's time zone."""
        try:
            check_zone(request.body.timezone)
        except Rule as rule:
            raise BadRequest(str(rule)) from rule
        with told():
            await self._acting.change(SetTimezone(request.body.timezone), by=caller(request))
        return said("Timezone changed")

    async def auto_upgrade(self, request: Request) -> AutoUpgradeSettings:
        """Whether the host upgrades itself."""
        with told():
            settings = await self._host.ask(ReadAutoUpgrade())
        return AutoUpgradeSettings(settings.enable, settings.allow_reboot)

    async def set_auto_upgrade(self, request: Request[AutoUpgradeChange]) -> Reply:
        """Change whether the host upgrades itself; what is not said stays."""
        wanted = request.body
        if wanted.enable is not None or wanted.allow_reboot is not None:
            with told():
                await self._acting.change(SetAutoUpgrade(wanted.enable, wanted.allow_reboot), by=caller(request))
        return said("Auto-upgrade settings changed")

    async def apply(self, request: Request) -> Reply:
        """Begin to put the host into the stored state."""
        return await self._begin("apply", request)

    async def upgrade(self, request: Request) -> Reply:
        """Begin to upgrade the host's packages."""
        return await self._begin("upgrade", request)

    async def rollback(self, request: Request) -> Reply:
        """Begin to go back to before the last change."""
        return await self._begin("rollback", request)

    async def reboot(self, request: Request) -> Reply:
        """Begin to restart the host."""
        with told():
            await self._jobs.start("reboot", by=caller(request))
        return said("System reboot has started")

    async def pull(self, request: Request) -> Reply:
        """Pull the configuration from where it comes; answers when that is done."""
        with told():
            pulled = await self._acting.change(Pull(), by=caller(request))
        if pulled.status == 0:
            return said(PullAnswer(0, "Update completed successfully", pulled.output))
        answer = PullAnswer(pulled.status, "Something went wrong", pulled.output)
        return Reply(msgspec.json.encode(answer), 500)

    async def _begin(self, kind: JobKind, request: Request) -> Reply:
        """Start a job. The answer is the exit status of starting it, which is 0 for one that runs already.

        A rehearsal that runs is none: what was asked for would not be done.
        """
        with told():
            try:
                await self._jobs.start(kind, by=caller(request))
            except Conflicting:
                if not await self._is_running(kind):
                    raise
        return said(0)

    async def _is_running(self, kind: JobKind) -> bool:
        try:
            jobs = await self._host.ask(ReadJobs())
        except HostRefusal:
            return False
        return any(job.kind == kind and job.state == "running" and not job.dry_run for job in jobs)


def system_routes(handlers: SystemHandlers) -> Sequence[Route]:
    """The operations."""
    configuration = "/system/configuration"
    return [
        Route("GET", "/api/version", handlers.version, api=OPEN_API, access=PUBLIC, returns=Version),
        *(
            Route("GET", path, handler, api=HOST_API, access=ONLY_DEVICES, returns=returns, deadline=PULL_SECONDS)
            for path, handler, returns in (
                ("/system/version", handlers.system_version, SystemVersion),
                ("/system/pythonVersion", handlers.python_version, str),
                ("/system/reboot", beginning(handlers.reboot), str),
                (f"{configuration}/timezone", handlers.timezone, str),
                (f"{configuration}/autoUpgrade", handlers.auto_upgrade, AutoUpgradeSettings),
                (f"{configuration}/apply", beginning(handlers.apply), int),
                (f"{configuration}/upgrade", beginning(handlers.upgrade), int),
                (f"{configuration}/rollback", beginning(handlers.rollback), int),
                (f"{configuration}/pull", beginning(handlers.pull), PullAnswer),
            )
        ),
        *(
            Route("PUT", path, handler, api=HOST_API, access=ONLY_DEVICES, body=body, returns=str)
            for path, handler, body in (
                (f"{configuration}/timezone", handlers.set_timezone, Zone),
                (f"{configuration}/autoUpgrade", handlers.set_auto_upgrade, AutoUpgradeChange),
            )
        ),
    ]
