"""Accepting connections, counting them, and ending them all in good time."""

from __future__ import annotations

import ipaddress
import socket as stdlib_socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog
import trio
from hypercorn.trio.worker_context import WorkerContext

from manor.config import Network
from manor.daemon.applications import App
from manor.daemon.connection import Connection, for_hypercorn
from manor.front import Connection as FrontConnection
from manor.front import ConnectionLimits, FrontDoor, Peer
from manor.front.hangups import Hangups
from manor.web import Front

log = structlog.get_logger("manor.daemon")

_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 33\r\nRetry-After: 5\r\n"
    b'Connection: close\r\n\r\n{"detail":"Too many connections"}'
)


AT_ONCE = 200
"""Connections that are told of the stop before others get a turn on the loop."""


@dataclass(frozen=True)
class ServerLimits:
    """How much the server takes, and how long it takes to stop.

    Args:
        connections: In all.
        connections_per_address: Of one address (IPv6: one /64); 0 for no limit.
        trusted_proxies: Their connections are not counted per address.
        graceful_timeout: Seconds that requests have to end once the server stops; then they are cut.
        backlog: Connections that wait in the kernel.
        connection: Of each connection.
    """

    connections: int = 4096
    connections_per_address: int = 64
    trusted_proxies: Sequence[Network] = ()
    graceful_timeout: float = 5.0
    backlog: int = 100
    connection: ConnectionLimits = field(default_factory=ConnectionLimits)


class Tls:
    """The certificate in use; `reload` takes a renewed one without a restart."""

    def __init__(self, certificate: str, key: str) -> None:
        self._certificate = certificate
        self._key = key
        self.context = self._load()

    def reload(self) -> None:
        """Use what the files say now, for new connections.

        Raises:
            OSError: They cannot be read, or do not fit together (`ssl.SSLError`); the old ones stay in use.
        """
        self.context = self._load()

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.load_cert_chain(self._certificate, self._key)
        return context


class Server:
    """The connections of all listeners.

    Args:
        app: The ASGI application.
        limits: What is taken at once.
        tls: With it every TCP listener speaks TLS; Unix sockets never do.
        on_count: Told how many connections are open whenever that changes.
        is_fronted: Whether plain connections to a `Front` come through the front door; hypercorn serves all others.
    """

    def __init__(
        self,
        app: App,
        limits: ServerLimits,
        *,
        tls: Tls | None = None,
        on_count: Callable[[int], None] = lambda count: None,
        is_fronted: bool = True,
    ) -> None:
        self._app = app
        self._limits = limits
        self._tls = tls
        self._on_count = on_count
        self._config = for_hypercorn(limits.connection)
        self._context = WorkerContext(None)
        self._door = FrontDoor(app, limits.connection, self._lend) if is_fronted and isinstance(app, Front) else None
        self._connections: set[Connection | FrontConnection] = set()
        self._total = 0
        self._by_address: Counter[str] = Counter()
        self._emptied = trio.Event()

    @property
    def hangups(self) -> Hangups | None:
        """Who watches the front door's clients; None without one."""
        return None if self._door is None else self._door.hangups

    def change(self, *, connections: int, connections_per_address: int) -> None:
        """Take other numbers of connections from now on; those that are open stay."""
        self._limits = replace(self._limits, connections=connections, connections_per_address=connections_per_address)

    async def serve(
        self,
        listeners: Sequence[trio.SocketListener],
        *,
        stop: trio.Event,
        on_stop: Callable[[], Awaitable[None]] | None = None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until `stop` is set and every connection has ended, or was cut after `graceful_timeout`.

        Args:
            listeners: Bound and listening sockets; they are closed at the end.
            stop: Begins the end: nobody new is accepted, idle connections close.
            on_stop: Ends the long answers; called then, within the grace time.
            task_status: Told once connections are accepted.
        """
        async with trio.open_nursery() as nursery:
            if self._door is not None:
                await nursery.start(self._door.run)
            try:
                async with trio.open_nursery() as accepting:
                    accept = partial(trio.serve_listeners, self._handle, list(listeners), handler_nursery=nursery)
                    await accepting.start(accept)
                    task_status.started()
                    await stop.wait()
                    accepting.cancel_scope.cancel()
                await self._drain(on_stop)
            finally:
                for connection in tuple(self._connections):
                    connection.abort()
                nursery.cancel_scope.cancel()

    async def _drain(self, on_stop: Callable[[], Awaitable[None]] | None) -> None:
        await self._context.terminated.set()
        if self._door is not None:
            self._door.is_stopping = True
        with trio.move_on_after(self._limits.graceful_timeout) as grace:
            for number, connection in enumerate(tuple(self._connections), 1):
                connection.drain()
                if number % AT_ONCE == 0:
                    await trio.lowlevel.checkpoint()  # thousands that close at the same turn would hold up the others
            if on_stop is not None:
                await on_stop()
            if self._total:
                await self._emptied.wait()
        if grace.cancelled_caught:
            log.warning("connections cut at the stop", connections=self._total)

    # --- One connection --------------------------------------------------------------------------------------------

    async def _handle(self, transport: trio.SocketStream) -> None:
        try:
            client = transport.socket.getpeername()
            server = transport.socket.getsockname()
        except OSError:  # gone already
            await trio.aclose_forcefully(transport)
            return
        is_tcp = transport.socket.family in (stdlib_socket.AF_INET, stdlib_socket.AF_INET6)
        peer = Peer(_tcp_address(client), _tcp_address(server)) if is_tcp else Peer(None, None)
        who = self._counted_as(peer)
        if self._total >= self._limits.connections or self._has_enough(who):
            await self._refuse(transport)
            return
        self._count(who, 1)
        try:
            await self._serve_one(transport, peer)
        except Exception:
            # The edge: whatever one client provokes ends its own connection and no other.
            log.exception("connection failed", address=who)
        finally:
            await trio.aclose_forcefully(transport)
            self._count(who, -1)

    async def _serve_one(self, transport: trio.SocketStream, peer: Peer) -> None:
        limits = self._limits.connection
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream] = transport
        if peer.client is not None:
            _notice_vanished_clients(transport.socket, limits.write)
            if self._tls is not None:
                stream = trio.SSLStream(transport, self._tls.context, server_side=True, https_compatible=True)
                try:
                    with trio.fail_after(limits.header):
                        await stream.do_handshake()
                except (trio.BrokenResourceError, trio.TooSlowError):
                    return
        connection: Connection | FrontConnection
        if self._door is not None and stream is transport:
            connection = FrontConnection(self._door, transport, peer)
        else:
            connection = self._connection(stream, transport, peer)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    def _connection(
        self,
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream],
        transport: trio.SocketStream,
        peer: Peer,
        begun: bytes | None = None,
    ) -> Connection:
        return Connection(
            self._app,
            stream,
            transport,
            peer,
            limits=self._limits.connection,
            context=self._context,
            config=self._config,
            begun=begun,
        )

    def _lend(self, transport: trio.SocketStream, peer: Peer, begun: bytes) -> Connection:
        return self._connection(transport, transport, peer, begun)

    def _count(self, who: str, change: int) -> None:
        self._total += change
        self._by_address[who] += change
        if not self._by_address[who]:
            del self._by_address[who]
        self._on_count(self._total)
        if not self._total:
            self._emptied.set()
            self._emptied = trio.Event()

    def _counted_as(self, peer: Peer) -> str:
        """Under which name a peer's connections are counted; "" for those that are not."""
        if peer.client is None:
            return ""
        address = ipaddress.ip_address(peer.client[0].partition("%")[0])
        if any(address in network for network in self._limits.trusted_proxies):
            return ""
        if address.version == 6:
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address)

    def _has_enough(self, who: str) -> bool:
        most = self._limits.connections_per_address
        return bool(who) and most > 0 and self._by_address.get(who, 0) >= most

    async def _refuse(self, transport: trio.SocketStream) -> None:
        """Say why, in the clear only: a TLS handshake would cost more than the connection that is refused."""
        with trio.move_on_after(1):
            if self._tls is None:
                try:
                    await transport.send_all(_FULL)
                    await transport.send_eof()
                except trio.BrokenResourceError:
                    log.debug("a refused client did not wait")
        await trio.aclose_forcefully(transport)


def _tcp_address(name: tuple[str, int]) -> tuple[str, int]:
    """IPv4 as such also where a socket for both versions wraps it into IPv6."""
    return (name[0].removeprefix("::ffff:") if "." in name[0] else name[0], name[1])


def _notice_vanished_clients(socket: trio.socket.SocketType, seconds: float) -> None:
    """Have the kernel give up on a client that does not acknowledge, so that idle streams end too."""
    socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_KEEPALIVE, 1)
    socket.setsockopt(stdlib_socket.IPPROTO_TCP, stdlib_socket.TCP_KEEPIDLE, 60)
    socket.setsockopt(stdlib_socket.IPPROTO_TCP, stdlib_socket.TCP_USER_TIMEOUT, max(1000, int(seconds * 1000)))
