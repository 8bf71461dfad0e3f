"""The host's time zone, by systemd-timedated."""

from __future__ import annotations

import msgspec
from jeepney import DBusAddress

from manor_hostservices.backends.state import check_timezone
from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.backends.systemd.record import Record
from manor_hostservices.refusals import Invalid

_TIMEDATE = DBusAddress("/org/freedesktop/timedate1", "org.freedesktop.timedate1", "org.freedesktop.timedate1")
_MATTER = "timezone"


class Clock:
    """The time zone.

    Args:
        bus: The host's bus.
        record: What was set from here.
    """

    def __init__(self, bus: Bus, record: Record) -> None:
        self._bus = bus
        self._record = record

    async def timezone(self) -> str:
        """The zone; a host that has none set goes by UTC."""
        async with self._bus.line() as line:
            return str(await line.get(_TIMEDATE, "Timezone")) or "UTC"

    async def set_timezone(self, zone: str) -> None:
        """Change it.

        Raises:
            Invalid: There is no such zone, here or on the host.
        """
        check_timezone(zone)
        async with self._record.turn(_MATTER):
            await self._set(zone)
            await self._record.change(lambda state: msgspec.structs.replace(state, timezone=zone))

    async def put_right(self, *, dry_run: bool) -> bool:
        """Set the zone again that was set from here; gives whether the host had another one."""
        async with self._record.turn(_MATTER):
            wanted = (await self._record.read()).timezone
            if wanted is None or wanted == await self.timezone():
                return False
            if not dry_run:
                await self._set(wanted)
            return True

    async def _set(self, zone: str) -> None:
        async with self._bus.line() as line:
            try:
                await line.call(_TIMEDATE, "SetTimezone", "sb", (zone, False))
            except Invalid as refusal:
                raise Invalid("Invalid timezone") from refusal
