"""Runs in the box: asks the host's own back end what the tests say, a line of JSON for each.

A line is a verb, or `{"perform": KIND, "dry_run": BOOL}`; the answer is `{"answer": …}`, or
`{"refused": KIND, "detail": SENTENCE}`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import trio

from manor import SystemClock
from manor_hostservices.assembly import make_backups
from manor_hostservices.backends.systemd import Systemd
from manor_hostservices.backends.systemd.bus import Bus
from manor_hostservices.config import HostConfig
from manor_hostservices.desk import Desk
from manor_hostservices.jobs.ledger import Ledger, boot_id
from manor_hostservices.jobs.units import UnitJobs
from manor_hostservices.places import Places
from manor_hostservices.programs import HostPrograms
from manor_hostservices.refusals import HostRefusal
from manor_hostservices.verbs import JobKind, decode_verb


class Perform(msgspec.Struct):
    """A job to be done here, to its end."""

    perform: JobKind
    dry_run: bool = False
    force: bool = False


@dataclass
class Heard:
    """What a job says; a `Report`."""

    messages: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)

    def progress(self, fraction: float, **_: object) -> None:
        self.fractions.append(fraction)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def log(self, line: str) -> None:
        self.lines.append(line)

    def made(self, snapshot: str) -> None:
        raise AssertionError(f"a host has no backup {snapshot}")


async def answer(host: Systemd, desk: Desk, line: bytes) -> dict[str, Any]:
    """Do what a line says."""
    heard = Heard()
    try:
        if b'"perform"' not in line:
            return {"answer": await desk.ask(decode_verb(line))}
        asked = msgspec.json.decode(line, type=Perform)
        await host.perform(asked.perform, heard, dry_run=asked.dry_run, force=asked.force)
        return {"answer": heard}
    except HostRefusal as refusal:
        return {"refused": refusal.kind, "detail": refusal.detail, "heard": heard}


async def main() -> None:
    """Answer until nobody asks any more."""
    config = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=HostConfig)
    places, programs = Places(), HostPrograms()
    host = Systemd(config, places, programs)
    jobs = UnitJobs(Ledger(places, SystemClock(), boot_id()), Bus(places), config, trio.Lock())
    desk = Desk(host, jobs, make_backups(config, places, programs))
    while line := await trio.to_thread.run_sync(sys.stdin.buffer.readline):
        sys.stdout.buffer.write(msgspec.json.encode(await answer(host, desk, line)) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    trio.run(main)
