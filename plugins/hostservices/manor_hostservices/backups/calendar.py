"""When a time that is written as systemd writes it comes next."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Protocol

from manor_hostservices.programs import Programs
from manor_hostservices.refusals import Failed

# systemd-analyze(1) gives the host's own time, and with it UTC when that is another.
_NEXT = re.compile(r"^ *(?P<what>Next elapse|\(in UTC\)): \w+ (?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
_SECONDS = 20.0


class Calendar(Protocol):
    """Knows when a time comes next."""

    async def __call__(self, text: str, after: datetime) -> datetime | None:
        """The first time after a moment, in UTC; None when there is none any more.

        Raises:
            NotHere: Nobody here can say.
            Failed: It is no time.
        """
        ...


class SystemdCalendar:
    """Asks `systemd-analyze`, so that a schedule means what it means in a timer.

    Args:
        programs: Runs it.
    """

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def __call__(self, text: str, after: datetime) -> datetime | None:
        """Ask; see `Calendar`."""
        base = f"{after.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        done = await self._programs.run(
            ["systemd-analyze", "calendar", "--iterations=1", f"--base-time={base}", "--", text], seconds=_SECONDS
        )
        if done.status != 0:
            raise Failed(done.output.strip() or "systemd-analyze does not say when it comes")
        found = {match["what"]: match["time"] for match in _NEXT.finditer(done.output)}
        said = found.get("(in UTC)") or found.get("Next elapse")
        return None if said is None else datetime.strptime(said, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
