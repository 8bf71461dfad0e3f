"""Which Manor this is, as clients of the Owncast API are told."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version as version_of


@cache
def version() -> str:
    """The installed version, such as `1.2.0`."""
    return version_of("manor")
