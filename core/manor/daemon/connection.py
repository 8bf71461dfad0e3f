"""One connection: bytes between a socket and hypercorn's protocol machine, with a deadline on every wait."""

from __future__ import annotations

import enum
import math
import os
import socket as stdlib_socket
import struct
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.trio.worker_context import WorkerContext

from manor.daemon.applications import App, Applications
from manor.daemon.protocols import Http1, Http2
from manor.front.limits import MISSED_PINGS, PIECE, ConnectionLimits, Peer
from manor.web import CUT, FRAMES

READ_SIZE = 65_536


def for_hypercorn(limits: ConnectionLimits) -> Config:
    """The settings that hypercorn's protocol machines read."""
    config = Config()
    config.include_server_header = False
    config.keep_alive_max_requests = limits.keep_alive_max_requests
    config.websocket_max_message_size = limits.websocket_message
    config.h2_max_concurrent_streams = limits.http2_streams
    config.h2_max_header_list_size = limits.head.size
    config.accesslog = config.errorlog = None
    return config


class Phase(enum.Enum):
    """What a connection waits for."""

    HEAD = "head"
    IDLE = "idle"
    BUSY = "busy"
    ENDING = "ending"


class Connection:
    """Serves one client until one of the two has enough.

    Args:
        app: The ASGI application.
        stream: The socket, or TLS over it after its handshake.
        transport: The socket's own stream, the same as `stream` without TLS.
        peer: Its addresses.
        limits: Deadlines and sizes.
        context: hypercorn's; its `terminated` is set once the server stops.
        config: `for_hypercorn(limits)`, made once.
        begun: What has been read of it already. Then it is lent: given back once nothing more is asked of it.
    """

    def __init__(
        self,
        app: App,
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream],
        transport: trio.SocketStream,
        peer: Peer,
        *,
        limits: ConnectionLimits,
        context: WorkerContext,
        config: Config,
        begun: bytes | None = None,
    ) -> None:
        self._app = app
        self._stream = stream
        self._transport = transport
        self._peer = peer
        self._limits = limits
        self._context = context
        self._config = config
        self._sending = trio.Lock()
        self._unyielded = 0
        self._rest = b""
        self._begun = begun
        self._is_given_back = False
        self._behind = b""
        self._is_broken = False
        self._is_draining = False
        self._phase = Phase.HEAD
        self._deadline = trio.current_time() + limits.header
        self._pings = 0
        self._life = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._protocol: Http1 | Http2

    async def run(self) -> bytes | None:
        """Serve it; returns once every request's task has ended, and the socket is closed.

        Returns:
            None; or, for a connection that is given back, what was read of its next request.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                try:
                    self._protocol = self._make_protocol(Applications(nursery))
                    await self._protocol.initiate()
                    with self._life:
                        await self._read()
                    if not self._is_given_back:
                        await self._protocol.handle(Closed())
                finally:
                    if not self._is_given_back:
                        await self._close()
                    # What still runs has been told; it would only write to nobody.
                    nursery.cancel_scope.deadline = trio.current_time() + self._limits.farewell
        finally:
            if not self._is_given_back:
                self.abort()
        return self._behind if self._is_given_back and not self._is_broken else None

    def drain(self) -> None:
        """The server stops: end now if nothing is asked, else after the answer."""
        self._is_draining = True
        if self._phase in (Phase.HEAD, Phase.IDLE):
            self._life.cancel()

    def abort(self) -> None:
        """End it at once, whatever waits; what was not sent is lost."""
        # Without the linger option the kernel would keep trying to deliver to a client that does not read.
        if self._transport.socket.fileno() >= 0:
            at_once = struct.pack("ii", 1, 0)
            self._transport.socket.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, at_once)
        self.cut()

    def cut(self) -> None:
        """End it at once, whatever waits; what the kernel has taken already still reaches the client if it reads."""
        self._is_broken = True
        if self._transport.socket.fileno() >= 0:
            self._transport.socket.close()
        self._life.cancel()

    def _make_protocol(self, applications: Applications) -> Http1 | Http2:
        is_tls = isinstance(self._stream, trio.SSLStream)
        is_http2 = isinstance(self._stream, trio.SSLStream) and self._stream.selected_alpn_protocol() == "h2"
        arguments: list[Any] = [
            self._app,
            self._config,
            self._context,
            applications,
            {} if is_http2 else {CUT: self.cut, FRAMES: self.write_frames},
            is_tls,
            self._peer.client,
            self._peer.server,
            self._send,
        ]
        if is_http2:
            return Http2(*arguments)
        return Http1(*arguments, limits=self._limits.head)

    # --- Reading ---------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        if self._begun is not None:
            await self._protocol.handle(RawData(self._begun))
            self._watch()
        while True:
            with trio.CancelScope(deadline=self._deadline) as self._reading:
                try:
                    data = bytes(await self._stream.receive_some(READ_SIZE))
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    return
            if self._reading.cancelled_caught:
                if not await self._is_still_there():
                    return
                continue
            if self._is_given_back:
                # It came in the same turn of the loop as the news that nothing more was asked.
                self._behind = data
            if not data or self._is_given_back:
                return
            if self._phase is Phase.ENDING:
                if isinstance(self._protocol, Http1) and self._protocol.is_goodbye(data):
                    return
                continue  # read only so that our answer is not lost to a reset
            if self._phase is Phase.IDLE:
                self._enter(Phase.HEAD, self._limits.header)
            elif self._phase is Phase.BUSY:
                self._pings = 0
                self._watch()
            await self._protocol.handle(RawData(data))
            self._watch()

    async def _is_still_there(self) -> bool:
        """Ask a long connection whose client is silent; everything else has had its time."""
        if self._phase is not Phase.BUSY or self._pings == MISSED_PINGS:
            return False
        self._pings += 1
        self._wait_until(trio.current_time() + self._limits.ping)
        if isinstance(self._protocol, Http2):
            await self._protocol.ping()
        elif self._protocol.socket is not None:
            await self._protocol.socket.ping()
        return True

    def _watch(self) -> None:
        """Expect a sign of life from connections that can give one: a plain HTTP/1.1 client just waits."""
        if self._phase is not Phase.BUSY:
            return
        if isinstance(self._protocol, Http1):
            if self._protocol.goodbye_sent:
                self._enter(Phase.ENDING, 0 if self._protocol.is_goodbye_said else self._limits.linger)
                return
            if self._protocol.socket is None:
                return
        self._wait_until(trio.current_time() + self._limits.ping)

    def _enter(self, phase: Phase, seconds: float) -> None:
        self._phase = phase
        self._wait_until(trio.current_time() + seconds)

    def _wait_until(self, deadline: float) -> None:
        self._deadline = self._reading.deadline = deadline

    # --- Writing ---------------------------------------------------------------------------------------------------

    async def _send(self, event: Any) -> None:
        """What the protocol machine calls with bytes, with the news that it is idle or busy, and to end."""
        match event:
            case RawData():
                await self._write(event.data)
                if self._deadline == math.inf or (isinstance(self._protocol, Http1) and self._protocol.goodbye_sent):
                    self._watch()
            case Updated(idle=True):
                if self._phase is not Phase.ENDING:
                    self._enter(Phase.IDLE, self._limits.keep_alive)
                    if self._begun is not None and isinstance(self._protocol, Http1) and self._protocol.is_free:
                        self._is_given_back = True
                    if self._is_draining or self._is_given_back:
                        self._life.cancel()
            case Updated():
                if self._phase is not Phase.ENDING:
                    self._enter(Phase.BUSY, math.inf)
            case Closed():
                await self._end()

    def write_frames(self, frames: bytes) -> bool:
        """Write whole WebSocket frames at once, past the protocol machine, which knows of none that was sent.

        Returns:
            Whether they are on their way: what the kernel does not take is written before all that comes later. False,
            with nothing taken, when somebody else writes, the client reads too slowly, or the socket is not open.
        """
        protocol = self._protocol
        if self._rest or not isinstance(protocol, Http1) or protocol.goodbye_sent or protocol.socket is None:
            return False
        taken = self._write_now(memoryview(frames))
        if taken and taken < len(frames):
            self._rest = frames[taken:]
            self._nursery.start_soon(self._write, b"")
        return taken > 0

    async def _write(self, data: bytes | memoryview) -> None:
        if self._rest:
            data, self._rest = self._rest + bytes(data), b""
        if not data or self._is_broken:
            return
        # A view, because what is left of a large answer is not to be copied each time the kernel takes some of it.
        left = memoryview(data)
        left = left[self._write_now(left) :]
        if not left:
            self._unyielded += len(data)
            if self._unyielded > PIECE:
                # Writing without waiting: whoever writes on and on must still give others a turn.
                self._unyielded = 0
                await trio.lowlevel.cancel_shielded_checkpoint()
            return
        self._unyielded = 0
        # Shielded, because half a frame would garble all that follows; bounded, because clients stop reading.
        with trio.CancelScope(shield=True):
            async with self._sending:
                try:
                    while left:
                        with trio.fail_after(self._limits.write):
                            left = left[await self._send_piece(left) :]
                    return
                except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                    self.abort()
            await self._protocol.handle(Closed())

    def _write_now(self, data: memoryview) -> int:
        """Give the kernel what it takes at once, if nobody else writes; most answers need no more. Returns how much."""
        if self._stream is not self._transport or self._sending.locked():
            return 0
        try:
            return os.write(self._transport.socket.fileno(), data)
        except OSError:
            return 0  # it is full, or gone: the waiting way finds out which

    async def _send_piece(self, data: memoryview) -> int:
        """Send a piece at least, and what the kernel takes besides. Returns how much.

        Raises:
            trio.BrokenResourceError: The client is gone.
            trio.ClosedResourceError: We are.
        """
        if self._stream is not self._transport:
            await self._stream.send_all(data[:PIECE])
            return min(PIECE, len(data))
        sent, wanted = 0, min(PIECE, len(data))
        while sent < wanted:
            descriptor = self._transport.socket.fileno()
            if descriptor < 0:
                raise trio.ClosedResourceError
            await trio.lowlevel.wait_writable(descriptor)
            if self._transport.socket.fileno() < 0:
                raise trio.ClosedResourceError  # and the number may be another client's by now
            try:
                sent += os.write(descriptor, data[sent:])
            except BlockingIOError:
                continue
            except OSError as error:
                raise trio.BrokenResourceError("the client is gone") from error
        return sent

    async def _end(self) -> None:
        """The protocol is done: say so, and read on for a moment what the client owes us."""
        if self._phase is Phase.ENDING or self._is_broken:
            return
        owes = isinstance(self._protocol, Http1) and self._protocol.owes
        self._enter(Phase.ENDING, self._limits.linger if owes else 0)
        if owes and self._stream is self._transport:
            with trio.CancelScope(shield=True):
                try:
                    await self._transport.send_eof()
                except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                    self._wait_until(trio.current_time())
        await self._protocol.handle(Closed())
        if not owes:
            # The reader may be waiting for its turn with requests that nobody will answer.
            self._life.cancel()

    async def _close(self) -> None:
        """Close the socket in an orderly way when that needs no waiting."""
        if self._is_broken:
            return
        with trio.move_on_after(self._limits.linger, shield=True):
            try:
                await self._stream.aclose()
            except (trio.BrokenResourceError, trio.BusyResourceError):
                return
