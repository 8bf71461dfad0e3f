"""A house behind a real port, once for each door: what a contract says must hold through both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from manor.daemon import Listeners, Server, Tls, open_listeners
from manor.daemon.running import server_limits, web_options
from manor.house import House
from manor.testing import SetClock, open_test_house
from manor.web import Front


@dataclass(frozen=True)
class Door:
    """Where the house is reached.

    Args:
        url: Without a trailing slash.
        port: On 127.0.0.1.
        house: The house behind it.
        kind: `front`, that of plain connections, or `hypercorn`, that of all others, here without TLS.
    """

    url: str
    port: int
    house: House
    kind: str


@pytest.fixture
def house_config(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Tables as in config.toml: quick hashes, and no rates, but where a test's marker is about them."""
    marker = request.node.get_closest_marker("manor")
    own: dict[str, Any] = marker.kwargs["config"] if marker else {}
    return {
        "server": {"limits": {"address_limit_factor": 0}},
        "identity": {"argon2_memory_mib": 19, "argon2_time": 2},
        **own,
    }


@pytest.fixture(params=["front", "hypercorn"])
async def door(
    request: pytest.FixtureRequest, house_config: Mapping[str, Any], clock: SetClock, tmp_path: Path
) -> AsyncIterator[Door]:
    """The house with auth and topics in it, behind one door after the other."""
    async with (
        open_test_house(
            tmp_path / "house", plugins=["auth", "topics"], config=house_config, clock=clock, inline=False
        ) as house,
        serving(house, is_fronted=request.param == "front") as port,
    ):
        yield Door(f"http://127.0.0.1:{port}", port, house, request.param)


@pytest.fixture
async def http(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the house through the door."""
    # Nothing here is TLS, and reading the authorities' certificates would take longer than most tests.
    async with httpx.AsyncClient(base_url=door.url, timeout=20, verify=False) as client:
        yield client


@asynccontextmanager
async def serving(house: House, tls: Tls | None = None, *, is_fronted: bool = True) -> AsyncIterator[int]:
    """Serve a house on a free port of the loopback, which is yielded."""
    front = Front(house.dispatcher, web_options(house.loaded, house.counted))
    server = Server(front, server_limits(house.loaded), tls=tls, is_fronted=is_fronted)
    listeners: Listeners = open_listeners(["127.0.0.1:0"])
    stop = trio.Event()

    async def end_streams() -> None:
        await house.close_streams()
        front.end_streams()

    async with trio.open_nursery() as nursery:
        await nursery.start(partial(server.serve, listeners.listen(100), stop=stop, on_stop=end_streams))
        yield int(listeners.addresses()[0].rpartition(":")[2])
        stop.set()
