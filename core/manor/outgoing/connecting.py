"""Connections to addresses that were checked, and to nothing else.

A name that is looked up again for the connection may lead elsewhere by then (DNS rebinding). So the connection is
told the addresses, and the name stays what it is for `Host` and for TLS.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import httpcore
import trio

from manor.outgoing.targets import IpAddress

MOST_TRIED = 4
"""Addresses of one host that are tried, one after the other."""


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects to given addresses, whatever host it is asked for.

    Args:
        addresses: Checked ones, best first.
    """

    def __init__(self, addresses: Sequence[IpAddress]) -> None:
        self._addresses = addresses[:MOST_TRIED]
        self._trio = httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Try the addresses in turn; each has its share of the time that is left."""
        deadline = trio.current_time() + (math.inf if timeout is None else timeout)
        failures: list[Exception] = []
        for left, address in zip(range(len(self._addresses), 0, -1), self._addresses, strict=True):
            share = max(0.0, deadline - trio.current_time()) / left
            try:
                return await self._trio.connect_tcp(str(address), port, timeout=share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failures.append(error)
        raise failures[0]

    async def sleep(self, seconds: float) -> None:
        """Between attempts of the pool; it makes none."""
        await trio.sleep(seconds)
