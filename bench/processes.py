"""Processes under measurement: started, given a port, weighed and ended."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Target:
    """A server under measurement: what it is called, where it listens, and the process whose time it takes."""

    name: str
    port: int
    pid: int


@contextmanager
def running(*command: str, core: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is told to end with the block; its output can be read.

    Args:
        command: What to run.
        core: The only one that it may use; None for any.
    """
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    with subprocess.Popen([*pinned, *command], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def port_of(process: subprocess.Popen[bytes]) -> int:
    """What it says that it listens on, in a line of its own."""
    assert process.stdout is not None, "started by `running`"
    return int(process.stdout.readline())


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_seconds(pid: int) -> float:
    """What a process has used of all cores (proc(5), fields 14 and 15)."""
    columns = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(columns[11]) + int(columns[12])) / _TICKS


def resident_kib(pid: int) -> int:
    """Resident memory, in KiB."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None, "a process that runs has memory"
    return int(found[1])
