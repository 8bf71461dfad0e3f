"""A job's own process: `python -m manor_hostservices.jobs.running ID`, started by systemd as root.

It finds what it is to do in the job's file, and writes down there how it fares and how it ends.
"""

from __future__ import annotations

import signal
import sys

import msgspec
import trio

from manor import Clock, SystemClock, log_to_stderr
from manor_hostservices.assembly import make_backend, make_backups
from manor_hostservices.config import HostConfig
from manor_hostservices.helper.configuration import load
from manor_hostservices.jobs.ledger import Entry, Ledger, boot_id
from manor_hostservices.jobs.performing import perform_to_the_end
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms
from manor_hostservices.refusals import HostRefusal

RESTART_SECONDS = 600.0
"""Within which a host that was told to restart ends this process; some services take minutes to stop."""


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


def main(arguments: list[str], clock: Clock) -> int:
    """Do the job that is named; the exit status is 0 when how it ended is written down, however that was."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m manor_hostservices.jobs.running ID\n")
        return 64
    log_to_stderr()
    [id_] = arguments
    places = Places()
    ledger = Ledger(places, clock, boot_id())
    try:
        entry = ledger.entry(id_)
        if entry.job.state != "running":
            sys.stderr.write("The job has ended\n")
            return 1
        try:
            config = load()
        except HostRefusal as refusal:
            ended = msgspec.structs.replace(entry.job, state="failed", message=refusal.detail, ended_at=clock.now())
            ledger.write(Entry(ended, entry.asked))
            return 0
        trio.run(run, id_, ledger, places, config)
    except HostRefusal as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], SystemClock()))
