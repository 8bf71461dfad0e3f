"""The catalogue's services, by their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import msgspec

from manor_hostservices.backends.systemd.record import Record
from manor_hostservices.backends.systemd.units import RUNNING, UNKNOWN, Figures, Unit, Units
from manor_hostservices.catalogue import Entry
from manor_hostservices.refusals import Failed, Invalid, Missing
from manor_hostservices.verbs import ServiceState

_MATTER = "services"

_BADNESS = ("active", "reloading", "refreshing", "activating", "deactivating", "inactive", "failed")
"""ActiveStates, from the best on; one that is not named here is worse."""


class Services:
    """Looks at services and switches them.

    Args:
        units: The host's.
        record: What was set from here.
        entries: The catalogue.
    """

    def __init__(self, units: Units, record: Record, entries: Mapping[str, Entry]) -> None:
        self._units = units
        self._record = record
        self._entries = entries

    async def states(self) -> list[ServiceState]:
        """How all fare, in the catalogue's order."""
        return await states_of(self._units, self._entries)

    def units_of(self, key: str) -> tuple[str, ...]:
        """The units that are a service, and those that go on and off with it.

        Raises:
            Missing: There is no such service.
        """
        entry = self._entry(key)
        return (*entry.units, *entry.also)

    async def switch(self, key: str, *, on: bool) -> None:
        """Start a service now and with the host, or stop it for good; see `Backend.switch_service`.

        Raises:
            Missing: There is none, or it is not installed.
            Invalid: It is not one that is switched from here.
            Failed: It did not start or stop.
        """
        async with self._record.turn(_MATTER):
            await self._switch(key, on=on)

    async def put_right(self, key: str, *, dry_run: bool) -> bool:
        """Switch a service again as it was switched from here; gives whether it was otherwise."""
        async with self._record.turn(_MATTER):
            on = (await self._record.read()).services.get(key)
            if on is None or await self._is_as(key, on=on):
                return False
            if not dry_run:
                await self._switch(key, on=on)
            return True

    async def _is_as(self, key: str, *, on: bool) -> bool:
        """Whether all of a service is on, or off, now and with the host; one that is not installed is neither."""
        entry = self._entry(key)
        units = await self._units.measure((*entry.units, *entry.also))
        return all(
            (unit.status == RUNNING) is on and figures.enabled is on if unit.is_installed else unit.name in entry.also
            for unit, figures in units
        )

    async def _switch(self, key: str, *, on: bool) -> None:
        entry = self._entry(key)
        if not entry.switchable:
            raise Invalid(f"{entry.title} cannot be switched from here")
        if not entry.units:
            raise Missing(f"{entry.title} is not installed: no unit is configured for it")
        units = await self._units.look(entry.units)
        if absent := [unit.name for unit in units if not unit.is_installed]:
            raise Missing(f"{entry.title} is not installed: this host has no {', '.join(absent)}")
        also = [unit.name for unit in await self._units.look(entry.also) if unit.is_installed]
        if not on:
            # Sockets and timers first: they would start it again.
            names = [*also, *entry.units]
            await self._units.disable(names)
            await self._note(key, on=False)
            await self._units.stop(names)
            return
        names = [*entry.units, *also]
        await self._units.enable(names)
        await self._note(key, on=True)
        try:
            await self._units.start(names)
        except Failed as failed:
            raise Failed(f"{entry.title} starts with the host from now on, but not now: {failed.detail}") from failed

    async def _note(self, key: str, *, on: bool) -> None:
        await self._record.change(lambda state: msgspec.structs.replace(state, services={**state.services, key: on}))

    def _entry(self, key: str) -> Entry:
        try:
            return self._entries[key]
        except KeyError:
            raise Missing(f"There is no service {key}") from None


async def states_of(units: Units, entries: Mapping[str, Entry]) -> list[ServiceState]:
    """How services fare, in the catalogue's order."""
    names = [name for entry in entries.values() for name in entry.units]
    found = iter(await units.measure(names))
    return [state_of(key, entry, list(islice(found, len(entry.units)))) for key, entry in entries.items()]


def state_of(key: str, entry: Entry, units: Sequence[tuple[Unit, Figures]]) -> ServiceState:
    """Sum a service's units up: what it uses together, and how the one fares that is worst off."""
    if not units:
        return ServiceState(key, entry.title, UNKNOWN, switchable=entry.switchable)
    worst, figures = max(units, key=lambda pair: (pair[0].status, _badness(pair[0].active)))
    memory = [figures.memory for _, figures in units if figures.memory is not None]
    seconds = [figures.cpu_seconds for _, figures in units if figures.cpu_seconds is not None]
    return ServiceState(
        key,
        entry.title,
        worst.status,
        active=worst.active,
        sub=worst.sub,
        enabled=all(figures.enabled for _, figures in units),
        switchable=entry.switchable,
        since=figures.since,
        memory=sum(memory) if memory else None,
        cpu_seconds=sum(seconds) if seconds else None,
        restarts=sum(figures.restarts for _, figures in units),
    )


def _badness(active: str) -> int:
    return _BADNESS.index(active) if active in _BADNESS else len(_BADNESS)
