"""Reading the zone file with the mail server's DKIM record, which that server may exchange for anything."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from manor_hostservices.refusals import Failed

LONGEST = 64 << 10
"""Bytes; a record with a key of 4096 bits has under a thousand."""


def read_zone_file(path: Path) -> bytes | None:
    """Read it; None when there is none, or what is there is no file.

    Raises:
        OSError: It cannot be read.
        Failed: It is too long to be one.
    """
    try:
        # A pipe must not be waited for: nothing would end the thread that does.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(LONGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > LONGEST:
        raise Failed("The file with the DKIM record is too long to be one")
    return data
