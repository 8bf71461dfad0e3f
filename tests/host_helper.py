"""The root helper for tests: on a real UNIX socket, asked by whoever runs the tests."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from manor_hostservices.helper.server import Helper
from manor_hostservices.host import Host

OURSELVES = frozenset({os.getuid()})


def listening(path: Path) -> socket.socket:
    """A listening UNIX socket, as systemd passes one."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(128)
    return listener


@asynccontextmanager
async def open_helper(
    path: Path,
    host: Host,
    *,
    peers: Collection[int] = OURSELVES,
    line_seconds: float = 5.0,
    most_connections: int = 32,
) -> AsyncIterator[Helper]:
    """A helper that serves until the block is left."""
    helper = Helper(host, peers, line_seconds=line_seconds, most_connections=most_connections)
    with listening(path) as socket_, trio.fail_after(30):
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(socket_.dup()))
        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(helper.serve, listener)
            yield helper
            nursery.cancel_scope.cancel()


async def tell(path: Path, data: bytes, *, is_over: bool = True) -> bytes:
    """Send bytes and give all that comes back.

    Args:
        path: Where the helper listens.
        data: Whatever.
        is_over: Whether to say that nothing follows.
    """
    stream = await trio.open_unix_socket(str(path))
    async with stream:
        try:
            await stream.send_all(data)
            if is_over:
                await stream.send_eof()
        except trio.BrokenResourceError:
            pass  # it has heard enough
        said = bytearray()
        try:
            async for chunk in stream:
                said += chunk
        except trio.BrokenResourceError:
            pass
        return bytes(said)
