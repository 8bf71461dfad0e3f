"""Encoders that a crashed daemon left behind: found again by their number and the moment that they were started."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import msgspec
import trio

from manor_stream.logbook import Logbook

NAME = "encoder.json"
TERM_SECONDS = 3.0
LOOK_SECONDS = 0.05


class Noted(msgspec.Struct, frozen=True):
    """A child, so that no other process is taken for it.

    Args:
        pid: Its number.
        started: Clock ticks between the machine's start and its own.
        boot: The machine's start, by the kernel's name for it.
    """

    pid: int
    started: int
    boot: str


def note(folder: Path, pid: int) -> None:
    """Keep in mind that this child runs; does nothing where the system does not tell when it was started."""
    started = start_of(pid)
    if started is not None:
        # On a disk that is full: only a crash would leave this one behind.
        with suppress(OSError):
            (folder / NAME).write_bytes(msgspec.json.encode(Noted(pid, started, _boot())))


def forget(folder: Path) -> None:
    """It is gone."""
    with suppress(OSError):
        (folder / NAME).unlink(missing_ok=True)


async def reap(folder: Path, logbook: Logbook) -> None:
    """End the one that was left behind, if it is there still and the same."""
    path = folder / NAME
    try:
        noted = msgspec.json.decode(path.read_bytes(), type=Noted)
    except OSError:
        return
    except msgspec.MsgspecError:
        forget(folder)
        return
    if _is_there(noted):
        logbook.warning(f"An encoder that was left behind (process {noted.pid}) is ended")
        _signal(noted, signal.SIGTERM)
        with trio.move_on_after(TERM_SECONDS):
            while _is_there(noted):  # noqa: ASYNC110 - a process that is not our child tells nobody when it ends
                await trio.sleep(LOOK_SECONDS)
        if _is_there(noted):
            _signal(noted, signal.SIGKILL)
    forget(folder)


def start_of(pid: int) -> int | None:
    """Clock ticks between the machine's start and the process's (proc(5), field 22); None when it is not there."""
    try:
        # The name before it may have spaces and brackets in it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        state, started = fields[0], int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
    return None if state in ("Z", "X") else started


def _is_there(noted: Noted) -> bool:
    return noted.boot == _boot() and noted.pid > 1 and start_of(noted.pid) == noted.started


def _signal(noted: Noted, number: signal.Signals) -> None:
    with suppress(OSError):
        os.kill(noted.pid, number)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
