"""The port that encoders connect to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from manor_stream.logbook import Logbook

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

RETRY_SECONDS = 5.0
"""A port that is taken may be free later, as when another program is stopped for this one."""


class Listener:
    """Takes connections.

    Args:
        serve: Serves one connection, of that address.
        logbook: Told why nobody can connect.
        log: The plugin's own.

    Attributes:
        addresses: What it is bound to; empty while it is not.
        trouble: Why it is not bound; None when all is well.
    """

    def __init__(
        self, serve: Callable[[trio.SocketStream, str], Awaitable[None]], logbook: Logbook, log: BoundLogger
    ) -> None:
        self._serve = serve
        self._logbook = logbook
        self._log = log
        self.addresses: list[tuple[str, int]] = []
        self.trouble: str | None = None

    async def run(
        self, host: str, port: int, *, said_by: str, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen until cancelled; a port that is taken is tried again and again.

        Args:
            host: An address or a name.
            port: 0 takes a free one.
            said_by: The setting that names them, for the admin.
            task_status: Told once the port is open, or known not to be.
        """
        try:
            listeners = await _open(host, port)
        except OSError as error:
            self.trouble = f"{said_by}: cannot listen on {_written(host, port)}: {error.strerror or error}"
            self._logbook.error(self.trouble)
            # The rest of the house does not wait for another program to end.
            task_status.started()
            listeners = await _open_later(host, port)
        else:
            task_status.started()
        self.trouble = None
        self.addresses = [each.socket.getsockname()[:2] for each in listeners]
        self._log.info("encoders can publish", address=_written(*self.addresses[0]))
        try:
            await trio.serve_listeners(self._greet, listeners)
        finally:
            self.addresses = []

    async def _greet(self, stream: trio.SocketStream) -> None:
        try:
            address: str = stream.socket.getpeername()[0]
        except OSError:
            # Gone before anybody looked.
            await trio.aclose_forcefully(stream)
            return
        await self._serve(stream, address)


async def _open(host: str, port: int) -> list[trio.SocketListener]:
    # `[::]` takes IPv4 too, as the server's own does; trio does that for no host at all.
    return list(await trio.open_tcp_listeners(port, host=None if host == "::" else host))


async def _open_later(host: str, port: int) -> list[trio.SocketListener]:
    while True:
        await trio.sleep(RETRY_SECONDS)
        with suppress(OSError):
            return await _open(host, port)


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
