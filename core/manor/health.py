"""How the house is doing: `/livez`, `/readyz` and `/metrics`."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
import trio

from manor.auth import PUBLIC
from manor.discovery import told
from manor.errors import Forbidden
from manor.plugins import HealthCheck
from manor.routing import Api, Reply, Request, Route
from manor.tasks import contained

CORE = Api("core", places=())
"""The core's own routes: errors as `{"detail"}`. Credentials are not looked at: a probe may send one."""

CHECK_SECONDS = 2.0
"""How long one of a plugin's health checks may take."""


class Degraded(msgspec.Struct, frozen=True):
    """A part of the house that does not work, and why."""

    plugin: str
    reason: str


class Readiness(msgspec.Struct, frozen=True):
    """The answer of `/readyz`: `ready` with what is degraded, or `starting`, `stopping`, `unwritable` with 503."""

    status: str
    degraded: list[Degraded]


class Liveness(msgspec.Struct, frozen=True):
    """The answer of `/livez`: the loop turns."""

    status: str = "alive"


class Metrics(Protocol):
    """What `/metrics` shows."""

    def render(self) -> bytes:
        """The metrics in Prometheus' text format."""
        ...


def routes(readiness: Callable[[], Awaitable[Readiness]], metrics: Metrics) -> list[Route]:
    """The health routes of a house."""

    async def livez(request: Request) -> Liveness:
        """Whether the process is alive at all."""
        return Liveness()

    async def readyz(request: Request) -> Reply:
        """Whether the house serves; 503 only while it starts, stops or cannot write."""
        state = await readiness()
        return Reply(msgspec.json.encode(state), 200 if state.status == "ready" else 503)

    async def show_metrics(request: Request) -> Reply:
        """The metrics for Prometheus; only from this machine, and not through a proxy."""
        if not _is_local(request):
            raise Forbidden("Metrics are for this machine: ask over loopback or a Unix socket")
        return Reply(metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")

    return [
        Route("GET", "/livez", livez, api=CORE, access=PUBLIC, returns=Liveness),
        Route("GET", "/readyz", readyz, api=CORE, access=PUBLIC, returns=Readiness),
        Route("GET", "/metrics", show_metrics, api=CORE, access=PUBLIC, returns=bytes),
    ]


def _is_local(request: Request) -> bool:
    """Loopback or a Unix socket, and nobody stands between: a proxy on this machine asks for the whole world."""
    if "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    return not request.head.address or ipaddress.ip_address(request.head.address).is_loopback


async def ask(check: HealthCheck) -> str | None:
    """What a plugin's check says; raising is an answer too."""
    failures: list[Exception] = []
    with contained(failures.append), trio.fail_after(CHECK_SECONDS):
        return await check.check()
    return told(failures[0])
