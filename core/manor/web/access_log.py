"""The access log's view of a request: everything but its secrets."""

from __future__ import annotations

import re

_SECRET = re.compile(rb"(?i)(^|&)((?:[a-z_]*token|auth|session)=)[^&]*")


def blanked(query: bytes) -> str:
    """A query string without the values that open something: tokens, `auth` and `session`."""
    return _SECRET.sub(rb"\1\2...", query).decode("utf-8", "backslashreplace")
