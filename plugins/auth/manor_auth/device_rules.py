"""What devices are called, and how their API writes times: pure rules."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime

UNNAMED = "Unknown device"

_FOREIGN = re.compile(r"[^A-Za-z0-9]")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")


def device_name(wanted: str) -> str:
    """The name as it is kept: letters and digits of ASCII stay, everything else is `_`."""
    return _FOREIGN.sub("_", wanted) or UNNAMED


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or when another device has it the name with digits behind it."""
    free = name
    while free in taken:
        free = f"{name}{secrets.randbelow(9000) + 1000}"
    return free


def precise(moment: datetime) -> str:
    """A time to the microsecond, all six digits of it, so that times sort as texts: `2026-05-01T12:00:00.000000Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def recovery_end(text: str) -> datetime | None:
    """The time that a text says, which is always UTC; None when it says none. A fraction of seconds is optional."""
    if not _TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
