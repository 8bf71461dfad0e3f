"""What runs here: `/api/version`, `/system/version` and `/system/pythonVersion`."""

from __future__ import annotations

import platform
from collections.abc import Sequence

import msgspec

from manor import PUBLIC, Reply, Request, Route
from manor_hostservices.http.api import HOST_API, ONLY_DEVICES, OPEN_API, said
from manor_hostservices.parts import Shared

API_VERSION = "1.2.0"
"""The version of the SelfPrivacy REST API that is served."""


class Version(msgspec.Struct, frozen=True):
    """Which API this is."""

    version: str


class SystemVersion(msgspec.Struct, frozen=True):
    """What `uname -a` says."""

    system_version: str


class SystemHandlers:
    """One method for each operation.

    Args:
        shared: What all parts use.
    """

    def __init__(self, shared: Shared) -> None:
        self._host = shared.host

    async def version(self, request: Request) -> Version:
        """Which API this is."""
        return Version(API_VERSION)

    async def system_version(self, request: Request) -> SystemVersion:
        """Kernel and machine."""
        return SystemVersion(" ".join(filter(None, platform.uname()[:5])))

    async def python_version(self, request: Request) -> Reply:
        """Python, as `Python 3.11.2`."""
        return said(f"Python {platform.python_version()}")


def system_routes(handlers: SystemHandlers) -> Sequence[Route]:
    """The operations."""
    return [
        Route("GET", "/api/version", handlers.version, api=OPEN_API, access=PUBLIC, returns=Version),
        Route(
            "GET",
            "/system/version",
            handlers.system_version,
            api=HOST_API,
            access=ONLY_DEVICES,
            returns=SystemVersion,
        ),
        Route("GET", "/system/pythonVersion", handlers.python_version, api=HOST_API, access=ONLY_DEVICES, returns=str),
    ]
