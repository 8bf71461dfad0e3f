"""Talking to systemd without its library: readiness, state and the watchdog (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import trio


class Supervisor:
    """The service manager that started us, if one did; telling nobody does no harm.

    Args:
        environ: Where `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` are looked for.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._watchdog = _watchdog_seconds(environ)

    @property
    def is_there(self) -> bool:
        """Whether somebody listens."""
        return bool(self._address)

    def tell(self, *lines: str) -> None:
        """Send one notification, such as `READY=1`; a manager that is gone is not missed."""
        if not self._address:
            return
        # A leading @ stands for the NUL byte of the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier:
            notifier.setblocking(False)
            try:
                notifier.sendto("\n".join(lines).encode(), address)
            except OSError:
                return

    def ready(self, status: str = "") -> None:
        """The service answers."""
        self.tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is being read again; `ready` ends that."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The service ends."""
        self.tell("STOPPING=1")

    async def feed_watchdog(self) -> None:
        """Tell twice in the watchdog's time that the loop turns; returns at once when nobody watches."""
        while self._watchdog:
            self.tell("WATCHDOG=1")
            await trio.sleep(self._watchdog / 2)


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0
    return int(microseconds) / 1_000_000
