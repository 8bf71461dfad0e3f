"""A server on a real port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from manor.daemon import ConnectionLimits, Server, ServerLimits, Tls, open_listeners
from manor.dispatch import Settings
from manor.routing import Route
from manor.web import Front, WebOptions
from tests.core.web.serving import BASIC, PATIENCE, Count, Running, Serve, make_dispatcher


@pytest.fixture(params=[True, False], ids=["front", "hypercorn"])
def is_fronted(request: pytest.FixtureRequest) -> bool:
    """Which door plain connections come through: what is promised of one is promised of both."""
    return bool(request.param)


@pytest.fixture
async def serve(nursery: trio.Nursery, is_fronted: bool) -> AsyncIterator[Serve]:
    """Start a server: `await serve(*routes, connection={...}, limits={...}, web={...})`."""
    started: list[Running] = []

    async def start(
        *routes: Route,
        connection: dict[str, Any] | None = None,
        limits: dict[str, Any] | None = None,
        web: dict[str, Any] | None = None,
        settings: Settings | None = None,
        tls: Tls | None = None,
        bind: str = "127.0.0.1:0",
    ) -> Running:
        front = Front(make_dispatcher((*BASIC, *routes), settings), WebOptions(**(web or {})))
        count = Count()
        server_limits = ServerLimits(connection=ConnectionLimits(**(connection or {})), **(limits or {}))
        server = Server(front, server_limits, tls=tls, on_count=count.set, is_fronted=is_fronted)
        listeners = open_listeners([bind])
        stop, ended = trio.Event(), trio.Event()

        async def run(*, task_status: trio.TaskStatus[None]) -> None:
            async def end_streams() -> None:
                front.end_streams()

            try:
                await server.serve(listeners.listen(100), stop=stop, on_stop=end_streams, task_status=task_status)
            finally:
                listeners.close()
                ended.set()

        running = Running(server, front, count, listeners.addresses()[0], stop, ended, nursery)
        await nursery.start(run)
        started.append(running)
        return running

    yield start
    for running in started:
        for client in running.clients:
            await trio.aclose_forcefully(client.stream)
        running.stop.set()
        with trio.fail_after(PATIENCE):
            await running.ended.wait()
