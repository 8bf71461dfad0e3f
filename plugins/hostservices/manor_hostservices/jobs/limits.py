"""How long jobs may take: one that hangs ends by itself, and the list of jobs says that its time was over."""

from __future__ import annotations

from manor_hostservices.config import HostConfig
from manor_hostservices.jobs.exclusion import HOST
from manor_hostservices.verbs import JobKind

RESTART_HOURS = 1
"""For a restart, whose job gives up by itself long before."""


def hours_for(kind: JobKind, config: HostConfig) -> int:
    """How many hours a job may take; 0: as long as it likes."""
    if kind == "reboot":
        return RESTART_HOURS
    return config.jobs.max_hours if kind in HOST else config.backup.max_hours


def ran_out(kind: JobKind, hours: int) -> str:
    """How a job ended that took longer, for the administrator: with the key that says how long it may take."""
    took = "1 hour" if hours == 1 else f"{hours} hours"
    if kind == "reboot":
        return f"It was ended because it took more than {took}"
    return f"It was ended because it took more than {took} ({'jobs' if kind in HOST else 'backup'}.max_hours)"
