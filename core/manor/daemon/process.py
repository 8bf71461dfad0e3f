"""What the process asks of the kernel before it serves: descriptors and a processor of its own."""

from __future__ import annotations

import os
import resource

import structlog

log = structlog.get_logger("manor.daemon")


def raise_file_limit() -> int:
    """Allow as many open files as the hard limit does; returns how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def pin_to_one_cpu() -> None:
    """Stay on one of the processors that we may use: threads that hand the interpreter's lock between two are slower.

    A system that forbids it is a line in the log.
    """
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {max(allowed)})
    except OSError as error:
        log.info("not pinned to a processor", reason=error.strerror)
