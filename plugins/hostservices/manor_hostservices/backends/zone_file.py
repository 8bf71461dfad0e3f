"""Reading the zone file with the mail server's DKIM record, which that server may exchange for anything."""

from __future__ import annotations

import os
import stat

from manor_hostservices.backends.opening import NotFollowed, open_file, trusted
from manor_hostservices.places import Places
from manor_hostservices.refusals import Failed

LONGEST = 64 << 10
"""Bytes; a record with a key of 4096 bits has under a thousand."""


def read_zone_file(places: Places, path: str) -> bytes | None:
    """Read it; None when there is none, or what is there is no file.

    Args:
        places: Where the host's files are.
        path: The file's, from the root on.

    Raises:
        OSError: It cannot be read.
        Failed: It is too long to be one, or a link that the mail server could have put there.
    """
    try:
        descriptor = open_file(places.root, path, trusted())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except NotFollowed as error:
        # Whoever writes in that folder would have root read what he may not.
        raise Failed("The file with the DKIM record is a link, and not one of root's in root's folder") from error
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
