"""Restarting the host, by systemd-logind."""

from __future__ import annotations

import trio
from jeepney import DBusAddress

from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.jobs.reporting import Report
from manor_hostservices.refusals import Conflicting

LOGIN = DBusAddress("/org/freedesktop/login1", "org.freedesktop.login1", "org.freedesktop.login1.Manager")

_FLUSHED_WITHIN = 1.0
"""Seconds in which whoever asked has the answer; the restart ends the daemon that gives it."""


class Power:
    """Restarts the host.

    Args:
        bus: The host's bus.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def restart(self, report: Report, *, dry_run: bool) -> None:
        """Restart; returns when that has begun.

        Raises:
            Conflicting: Some program holds it back.
        """
        async with self._bus.line() as line:
            # logind lets root past these: it is on us to respect them.
            [found] = await line.call(LOGIN, "ListInhibitors")
            if held := [
                f"{who} ({why})"
                for what, who, why, mode, *_ in found
                if mode == "block" and "shutdown" in what.split(":")
            ]:
                raise Conflicting(f"The restart is held back by {', '.join(held)}")
            if dry_run:
                report.message("Nothing holds a restart back")
                return
            report.message("The host restarts")
            await trio.sleep(_FLUSHED_WITHIN)
            await line.call(LOGIN, "Reboot", "b", (False,))
