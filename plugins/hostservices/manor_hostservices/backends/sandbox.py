"""A host that is a folder: for development, for tests, and to look around without harm."""

from __future__ import annotations

from collections import deque

from manor_hostservices.backends.commands import rebuild, run_command
from manor_hostservices.backends.kept import KeptHost
from manor_hostservices.backends.state import stored_state
from manor_hostservices.catalogue import WATCHED
from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.places import Places
from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Missing
from manor_hostservices.verbs import JobKind, Lines, ReadJournal, ServiceState, SwitchService, Updates

RUNNING, STOPPED, UNKNOWN = 0, 3, 4
_RESTART = ("systemctl", "reboot")


class Sandbox(KeptHost):
    """Keeps what is set in its folder, and has host commands written down instead of run; see `Backend`.

    Args:
        config: The admin's table.
        places: The folder.
        programs: Writes down what would be run.
    """

    def __init__(self, config: HostConfig, places: Places, programs: Programs) -> None:
        super().__init__(config, places, stored_state(places))
        self._programs = programs
        self._said: dict[str, deque[str]] = {}

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
        """Note that it is on or off, and say so in its journal."""
        await super().switch_service(verb)
        said = self._said.setdefault(verb.key, deque(maxlen=1000))
        said.append(f"{'Started' if verb.on else 'Stopped'} {self._catalogue[verb.key].title}.")

    async def journal(self, verb: ReadJournal) -> Lines:
        """When it was switched; the cursor counts lines."""
        if verb.key not in self._catalogue:
            raise Missing(f"There is no service {verb.key}")
        lines = list(self._said.get(verb.key, ()))
        seen = int(verb.after) if verb.after.isdigit() else 0
        return Lines(lines[seen:][-verb.lines :], str(len(lines)))

    async def updates(self) -> Updates:
        """A folder has no packages."""
        return Updates([])

    async def perform(self, kind: JobKind, report: Report, *, dry_run: bool = False, force: bool = False) -> None:
        """Have written down what would be run."""
        if kind == "reboot":
            await run_command(self._programs, _RESTART, report, dry_run=dry_run)
        else:
            await rebuild(self._programs, self._config.jobs, kind, report, dry_run=dry_run)


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
