"""A job's own process: `python -m manor_hostservices.jobs.running ID`, started by systemd as root.

It finds what it is to do in the job's file, and writes down there how it fares and how it ends.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence

import msgspec
import trio

from manor import Clock, SystemClock, log_to_stderr
from manor_hostservices.assembly import make_backend, make_backups
from manor_hostservices.config import HostConfig
from manor_hostservices.helper.configuration import load
from manor_hostservices.jobs.ledger import Ledger, boot_id
from manor_hostservices.jobs.performing import perform_to_the_end
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms
from manor_hostservices.refusals import Missing, NotHere

RESTART_SECONDS = 600.0
"""Within which a host that was told to restart ends this process; some services take minutes to stop."""


ROOT = Places()


async def run(id_: str, ledger: Ledger, places: Places, config: HostConfig) -> None:
    """Do a job; SIGTERM ends it.

    Raises:
        Missing: There is no such job.
    """
    programs = HostPrograms()
    backend, backups = make_backend(config, places, programs), make_backups(config, places, programs)
    async with trio.open_nursery() as nursery:
        await nursery.start(_end_on_signal, nursery.cancel_scope)
        await perform_to_the_end(ledger, id_, backend, backups, restart_within=RESTART_SECONDS)
        nursery.cancel_scope.cancel()


async def _end_on_signal(
    scope: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()


def main(
    arguments: Sequence[str],
    clock: Clock,
    places: Places = ROOT,
    read: Callable[[], HostConfig] = load,
) -> int:
    """Do the job that is named.

    Args:
        arguments: The job's id.
        clock: What time it is.
        places: Where the host's files are.
        read: Reads the configuration, or raises `NotHere`.

    Returns:
        The exit status: 0 when how the job ended is written down, however that was.
    """
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m manor_hostservices.jobs.running ID\n")
        return 64
    ledger = Ledger(places, clock, boot_id())
    try:
        entry = ledger.entry(arguments[0])
    except Missing as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    if entry.job.state != "running":
        sys.stderr.write("The job has ended\n")
        return 1
    try:
        config = read()
    except NotHere as refusal:
        ended = msgspec.structs.replace(entry.job, state="failed", message=refusal.detail, ended_at=clock.now())
        ledger.write(msgspec.structs.replace(entry, job=ended))
        return 0
    trio.run(run, entry.job.id, ledger, places, config)
    return 0


if __name__ == "__main__":
    log_to_stderr()
    sys.exit(main(sys.argv[1:], SystemClock()))
