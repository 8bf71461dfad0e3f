"""Conditional requests, and requests for a part of something (RFC 9110 sections 13 and 14). Pure."""

from __future__ import annotations

import re

from manor import Head

UNSATISFIABLE = range(0)
"""None of the wanted bytes is there: 416."""

_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))", re.ASCII | re.IGNORECASE)


def is_unchanged(head: Head, etag: str) -> bool:
    """Whether the client has what carries this ETag already (`If-None-Match`, compared weakly)."""
    held = head.headers.get("if-none-match")
    if held is None:
        return False
    return held.strip() == "*" or any(each.strip().removeprefix("W/") == etag for each in held.split(","))


def wanted_range(head: Head, etag: str, size: int) -> range | None:
    """The bytes that a GET asks for.

    Returns:
        Their numbers; `UNSATISFIABLE` when none is there; None when the whole is wanted, or the answer has to be the
        whole: the range is of something else (`If-Range`), cannot be read, or is several.
    """
    text = head.headers.get("range")
    if text is None or head.method != "GET" or head.headers.get("if-range") not in (None, etag):
        return None
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return range(max(0, size - int(suffix)), size) if int(suffix) and size else UNSATISFIABLE
    start = int(first)
    stop = size if last is None else int(last) + 1
    if stop <= start and last is not None:
        return None
    return range(start, min(stop, size)) if start < size else UNSATISFIABLE
