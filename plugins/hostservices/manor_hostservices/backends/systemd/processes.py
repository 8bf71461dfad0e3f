"""What processes use, as the kernel says of each: for units whose use systemd does not count."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

MOST = 5000
"""Processes of one unit that are looked at; systemd's own limit of tasks is about that."""

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Used:
    """What processes use together.

    Args:
        memory: Bytes.
        cpu_seconds: Processor time, with that of their children that have ended.
    """

    memory: int
    cpu_seconds: float


def used_by(proc: Path, pids: Collection[int]) -> Used | None:
    """Add up what processes use; see proc(5). None when they are not to be seen, or too many.

    Args:
        proc: The host's `/proc`.
        pids: Their ids; those that have ended count nothing.
    """
    if len(pids) > MOST:
        return None
    found = [one for pid in pids if (one := _look(proc / str(pid))) is not None]
    if not found:
        return None
    # Programs and libraries are in memory once, however many processes of a service have them: as systemd counts.
    memory = sum(resident - shared for resident, shared, _ in found) + max(shared for _, shared, _ in found)
    return Used(memory * _PAGE, sum(ticks for *_, ticks in found) / _TICKS)


def _look(process: Path) -> tuple[int, int, int] | None:
    """A process's pages in memory, how many of them others may have too, and its ticks; None when it is gone."""
    try:
        _, resident, shared, *_ = map(int, (process / "statm").read_bytes().split())
        # Its name comes before, in parentheses, and may have any.
        values = (process / "stat").read_bytes().rpartition(b")")[2].split()
        # Of the 52 values these are the 14th to the 17th; the name is the second.
        return resident, shared, sum(map(int, values[11:15]))
    except (OSError, ValueError):
        return None
