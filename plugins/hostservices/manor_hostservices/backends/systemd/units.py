"""systemd's units: how they fare, and switching them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import trio
from jeepney import DBusAddress

from manor_hostservices.backends.systemd.bus import Bus, Line
from manor_hostservices.backends.systemd.processes import Used, used_by
from manor_hostservices.refusals import Failed, HostRefusal, Missing

SYSTEMD = "org.freedesktop.systemd1"
MANAGER = DBusAddress("/org/freedesktop/systemd1", SYSTEMD, f"{SYSTEMD}.Manager")

SWITCHED_WITHIN = 120.0
"""Seconds that a start or stop may take; systemd's own limit is 90."""

RUNNING, STOPPED, UNKNOWN = 0, 3, 4
"""As `systemctl status` exits."""

_ON = frozenset({"enabled", "enabled-runtime", "generated"})
_NOT_COUNTED = 2**64 - 1
"""What a counter says that is off."""


@dataclass(frozen=True)
class Unit:
    """A unit, loaded or not.

    Args:
        name: As systemd calls it; an alias is told by its unit's name.
        load: systemd's LoadState: `loaded`, `not-found`, `masked` and others.
        active: Its ActiveState.
        sub: Its SubState.
        path: Its object on the bus.
    """

    name: str
    load: str
    active: str
    sub: str
    path: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether there is such a unit."""
        return self.load != "not-found"

    @property
    def status(self) -> int:
        """What `systemctl status` exits with; tried against systemd 252."""
        if not self.is_installed and self.active == "inactive":
            return UNKNOWN
        return RUNNING if self.active in ("active", "reloading", "refreshing") else STOPPED


@dataclass(frozen=True)
class Figures:
    """What else is known of a unit; see `ServiceState`."""

    enabled: bool = False
    since: datetime | None = None
    memory: int | None = None
    cpu_seconds: float | None = None
    restarts: int = 0


class Units:
    """The units of a host.

    Args:
        bus: Its bus.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def look(self, names: Sequence[str]) -> list[Unit]:
        """Look at units, one for each name."""
        async with self._bus.line() as line:
            return await self._look(line, names)

    async def measure(self, names: Sequence[str]) -> list[tuple[Unit, Figures]]:
        """Look at units, and at what they use; one for each name."""
        async with self._bus.line() as line:
            proc = self._bus.places.at("/proc")
            return [(unit, await _figures(line, unit, proc)) for unit in await self._look(line, names)]

    async def enable(self, names: Sequence[str]) -> None:
        """Have units start with the host from its next start on."""
        async with self._bus.line() as line:
            _, changes = await line.call(MANAGER, "EnableUnitFiles", "asbb", (list(names), False, False))
            await _reload_if(line, changes)

    async def disable(self, names: Sequence[str]) -> None:
        """Have units start with the host no more."""
        async with self._bus.line() as line:
            [changes] = await line.call(MANAGER, "DisableUnitFiles", "asb", (list(names), False))
            await _reload_if(line, changes)

    async def start(self, names: Sequence[str]) -> None:
        """Start units, in this order; returns when they have started.

        Raises:
            Failed: One did not.
        """
        async with self._bus.line() as line:
            # Who asks for it means it, however often systemd has tried.
            await _forget_failures(line, names)
            await _await_jobs(line, _jobs("StartUnit", names))

    async def stop(self, names: Sequence[str]) -> None:
        """Stop units, in this order; returns when they have stopped."""
        async with self._bus.line() as line:
            await _await_jobs(line, _jobs("StopUnit", names))
            # What is off has not failed.
            await _forget_failures(line, names)

    async def reload(self, name: str) -> None:
        """Have a unit read its configuration again; returns when it has.

        Raises:
            Failed: It does not.
        """
        async with self._bus.line() as line:
            await _await_jobs(line, _jobs("ReloadUnit", [name]))

    async def run(self, name: str, argv: Sequence[str], *, description: str) -> None:
        """Run a program as a unit of its own, which nobody's end ends; returns when it has ended.

        Args:
            name: The unit's name, which no other has.
            argv: The program's path and its arguments.
            description: What it does, for who looks at units.

        Raises:
            Failed: It ended with another status than 0.
        """
        properties = [
            ("Description", ("s", description)),
            ("Type", ("s", "oneshot")),
            ("CollectMode", ("s", "inactive-or-failed")),
            ("ExecStart", ("a(sasb)", [(argv[0], list(argv), False)])),
        ]
        async with self._bus.line() as line:
            await _await_jobs(
                line, {name: _Call("StartTransientUnit", "ssa(sv)a(sa(sv))", (name, "fail", properties, []))}
            )

    async def _look(self, line: Line, names: Sequence[str]) -> list[Unit]:
        if not names:
            return []
        # Answers for units that are not loaded too, in the order of the names.
        [found] = await line.call(MANAGER, "ListUnitsByNames", "as", (list(names),))
        return [Unit(name, load, active, sub, path) for name, _, load, active, sub, _, path, *_ in found]


async def _figures(line: Line, unit: Unit, proc: Path) -> Figures:
    if not unit.is_installed:
        return Figures()
    of_unit = DBusAddress(unit.path, SYSTEMD, f"{SYSTEMD}.Unit")
    enabled = await line.get(of_unit, "UnitFileState") in _ON
    changed = await line.get(of_unit, "StateChangeTimestamp")
    since = datetime.fromtimestamp(changed / 1e6, UTC) if changed else None
    if not unit.name.endswith(".service"):
        return Figures(enabled, since)
    of_service = DBusAddress(unit.path, SYSTEMD, f"{SYSTEMD}.Service")
    memory = _counted(await line.get(of_service, "MemoryCurrent"))
    nanoseconds = _counted(await line.get(of_service, "CPUUsageNSec"))
    seconds = None if nanoseconds is None else nanoseconds / 1e9
    if (memory is None or seconds is None) and unit.status == RUNNING:
        used = await _used(line, unit, proc)
        if used is not None:
            memory = used.memory if memory is None else memory
            seconds = used.cpu_seconds if seconds is None else seconds
    return Figures(enabled, since, memory, seconds, await line.get(of_service, "NRestarts"))


def _counted(figure: int) -> int | None:
    return None if figure == _NOT_COUNTED else figure


async def _used(line: Line, unit: Unit, proc: Path) -> Used | None:
    """What a unit's processes use."""
    try:
        [found] = await line.call(MANAGER, "GetUnitProcesses", "s", (unit.name,))
    except HostRefusal:
        # Such as a systemd that does not tell: how the unit fares is known all the same.
        return None
    return await trio.to_thread.run_sync(used_by, proc, {pid for _, pid, _ in found if pid})


async def _reload_if(line: Line, changes: Sequence[Any]) -> None:
    # It runs every generator of units: too much for nothing.
    if changes:
        await line.call(MANAGER, "Reload")


async def _forget_failures(line: Line, names: Sequence[str]) -> None:
    """Have systemd count starts and failures of units anew."""
    for name in names:
        with suppress(Missing):  # one that is not loaded has none
            await line.call(MANAGER, "ResetFailedUnit", "s", (name,))


@dataclass(frozen=True)
class _Call:
    """A call of the manager that queues a job."""

    method: str
    signature: str
    body: tuple[Any, ...]


def _jobs(method: str, names: Sequence[str]) -> dict[str, _Call]:
    return {name: _Call(method, "ss", (name, "replace")) for name in names}


async def _await_jobs(line: Line, calls: Mapping[str, _Call]) -> None:
    """Queue one job for each unit and wait for their ends."""
    await line.listen(MANAGER, "JobRemoved")
    # Without a subscriber systemd sends no signals.
    await line.call(MANAGER, "Subscribe")
    results = {}
    try:
        with trio.fail_after(SWITCHED_WITHIN):
            jobs = {
                name: (await line.call(MANAGER, call.method, call.signature, call.body))[0]
                for name, call in calls.items()
            }
            for name, job in jobs.items():
                results[name] = await _result(line, job)
    except trio.TooSlowError as error:
        late = ", ".join(calls.keys() - results.keys())
        raise Failed(f"{late}: not done after {SWITCHED_WITHIN:.0f} seconds, and still on its way") from error
    if failures := [f"{name}: {result}" for name, result in results.items() if result not in ("done", "skipped")]:
        # What went wrong is in the journal; systemd says only `failed`, `timeout`, `dependency` and the like here.
        raise Failed(f"systemd says {', '.join(failures)}")


async def _result(line: Line, job: str) -> str:
    _, _, _, result = await line.signal(lambda body: body[1] == job)
    return str(result)
