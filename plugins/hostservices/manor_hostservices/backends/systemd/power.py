"""Restarting the host, by systemd-logind."""

from __future__ import annotations

import trio
from jeepney import DBusAddress

from manor_hostservices.backends.systemd.bus import Bus, Line
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

    async def restart(self, report: Report, *, dry_run: bool, force: bool) -> None:
        """Restart; returns when that has begun.

        Args:
            report: Hears of it.
            dry_run: Only say whether it could be.
            force: Whatever holds it back.

        Raises:
            Conflicting: Some program holds it back.
        """
        async with self._bus.line() as line:
            held = await _holding_back(line)
            # logind lets root past these: it is on us to respect them.
            if held and not force:
                raise Conflicting(f"The restart is held back by {', '.join(held)}")
            if dry_run:
                report.message("The host could restart now" if held else "Nothing holds a restart back")
                return
            report.message("The host restarts")
            await trio.sleep(_FLUSHED_WITHIN)
            await line.call(LOGIN, "Reboot", "b", (False,))


async def _holding_back(line: Line) -> list[str]:
    """Who does not want a restart now, and why."""
    [found] = await line.call(LOGIN, "ListInhibitors")
    return [f"{who} ({why})" for what, who, why, mode, *_ in found if mode == "block" and "shutdown" in what.split(":")]
