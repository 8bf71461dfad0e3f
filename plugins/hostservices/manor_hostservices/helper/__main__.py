"""The root helper's process: `python -m manor_hostservices.helper`, started by systemd with its listening socket."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import suppress

import trio

from manor import Clock, SystemClock, log_to_stderr
from manor_hostservices.assembly import make_backend, make_backups
from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.config import HostConfig
from manor_hostservices.desk import Desk
from manor_hostservices.helper.configuration import load
from manor_hostservices.helper.configured import Configured
from manor_hostservices.helper.peers import trusted_peers
from manor_hostservices.helper.server import IDLE_SECONDS, Helper
from manor_hostservices.host import Host
from manor_hostservices.jobs.ledger import Ledger, boot_id
from manor_hostservices.jobs.units import UnitJobs
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms
from manor_hostservices.stored import remove_halves

PASSED = 3
"""The descriptor that systemd passes, see sd_listen_fds(3)."""


def make_host(clock: Clock) -> Host:
    """This machine."""
    places, programs = Places(), HostPrograms()
    ledger, bus, starting = Ledger(places, clock, boot_id()), Bus(places), trio.Lock()

    def make(config: HostConfig) -> Host:
        jobs = UnitJobs(ledger, bus, config, starting)
        return Desk(make_backend(config, places, programs), jobs, make_backups(config, places, programs))

    return Configured(load, make)


async def serve(listening: socket.socket, host: Host, idle_seconds: float) -> None:
    """Serve until nobody asks any more, or SIGTERM."""
    helper = Helper(host, trusted_peers(), idle_seconds=idle_seconds)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, helper)
        await helper.serve(trio.SocketListener(trio.socket.from_stdlib_socket(listening)))
        nursery.cancel_scope.cancel()


async def _stop_on_signal(helper: Helper) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            helper.stop()


def passed_socket(descriptor: int = PASSED) -> socket.socket | None:
    """The listening UNIX socket that was passed; None when something else was, or nothing."""
    try:
        passed = socket.socket(fileno=descriptor)
    except OSError:
        return None
    if passed.family == socket.AF_UNIX and passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return passed
    passed.detach()
    return None


def main(arguments: list[str], clock: Clock) -> int:
    """Serve at the socket that systemd passes; the seconds after which it ends may be given."""
    log_to_stderr()
    try:
        [idle_seconds] = [float(argument) for argument in arguments] or [IDLE_SECONDS]
    except ValueError:
        sys.stderr.write("usage: python -m manor_hostservices.helper [SECONDS]\n")
        return 64
    listening = passed_socket()
    if listening is None:
        sys.stderr.write("The root helper is started by manor-host.socket: systemctl start manor-host.socket\n")
        return 64
    with suppress(OSError):  # such as a full disk; nothing hangs on it
        remove_halves(Places().own)
    trio.run(serve, listening, make_host(clock), idle_seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], SystemClock()))
