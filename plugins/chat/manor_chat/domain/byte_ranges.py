"""Which bytes of a file a request wants (RFC 9110 section 14). Pure."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*")


class NotSatisfiable(Exception):
    """416: none of the bytes are there."""


def wanted_bytes(header: str, size: int) -> range | None:
    """The bytes that a `Range` header asks for; None for all: it asks for several ranges, or cannot be read.

    Raises:
        NotSatisfiable: The file has none of them.
    """
    match = _RANGE.fullmatch(header)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        wanted = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        wanted = range(int(first), min(size, int(last) + 1) if last else size)
    if not wanted:
        raise NotSatisfiable
    return wanted
