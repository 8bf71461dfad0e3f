"""Time zones."""

from __future__ import annotations

import functools
import zoneinfo

from manor_hostservices.rules.refusing import Rule


def check_zone(zone: str) -> None:
    """Check that the tz database has a zone of exactly this name.

    Raises:
        Rule: It has not.
    """
    if zone not in _zones():
        raise Rule("Invalid timezone")


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
