"""The small door's WebSockets: frames by wsproto, messages in, a source's frames out."""

from __future__ import annotations

import os
from collections.abc import Callable

import trio
from wsproto.frame_protocol import CloseReason, FrameProtocol, Opcode, ParseFailed

from manor.auth import Principal
from manor.live.frames import closing_frame, websocket_frame
from manor.routing import GOING_AWAY, Closing, ConversationOver, Live, Outlet, WebSocket, Wire

NORMAL = Closing(1000, "")
TEXT_ONLY = Closing(1003, "only text is understood here")
TOO_LONG = Closing(1009, "the message is too long")
OUR_FAULT = Closing(1011, "internal server error")

_CLOSE_SECONDS = 1


class SocketOutlet:
    """A subscriber's end. Whoever writes to it, no frame is torn by another or by a control.

    Attributes:
        send: Writes to the socket at once; None where the stream is no socket.
    """

    def __init__(self, stream: trio.abc.Stream, wire: Wire, principals: tuple[Principal, ...]) -> None:
        self.wire = wire
        self.principals = principals
        self.send: Callable[[bytes], int] | None = self._send if isinstance(stream, trio.SocketStream) else None
        self._stream = stream
        self._lock = trio.Lock()
        self._controls: list[bytes] = []
        self._is_torn = False

    def _send(self, data: bytes) -> int:
        assert isinstance(self._stream, trio.SocketStream)
        if self._is_torn or self._controls or self._lock.locked():
            return 0
        try:
            taken = os.write(self._stream.socket.fileno(), data)
        except OSError:
            return 0
        self._is_torn = 0 < taken < len(data)
        return taken

    async def write(self, data: bytes) -> None:
        """Write frames, or what `send` left of one, and behind them what waits to go between frames."""
        async with self._lock:
            self._is_torn = True
            await self._stream.send_all(data)
            self._is_torn = False
        await self.flush()

    def control(self, data: bytes) -> None:
        """Queue a pong or close; it goes between frames."""
        self._controls.append(data)

    async def flush(self) -> None:
        """Write what is queued, unless a frame must be finished first."""
        async with self._lock:
            if self._controls and not self._is_torn:
                controls, self._controls = self._controls, []
                await self._stream.send_all(b"".join(controls))

    def gone(self) -> None:
        """The pump returns, and that ends it."""


class Socket:
    """An open WebSocket: messages in, frames out. A `Conversation`."""

    def __init__(
        self, stream: trio.abc.Stream, rest: bytes, principals: tuple[Principal, ...], message_limit: int
    ) -> None:
        self._stream = stream
        self._frames = FrameProtocol(client=False, extensions=[])
        self._frames.receive_bytes(rest)
        self._limit = message_limit
        self._socket_outlet = SocketOutlet(stream, Wire.FRAME, principals)
        self.outlet: Outlet = self._socket_outlet
        self._is_closed = False

    async def receive(self) -> str | bytes:
        """The next message; raises `ConversationOver` when the client is gone or breaks the protocol."""
        message = b""
        while True:
            try:
                for frame in self._frames.received_frames():
                    match frame.opcode, frame.payload:
                        case Opcode.CLOSE, (int(code), _):
                            await self.close(NORMAL if code == CloseReason.NO_STATUS_RCVD else Closing(code, ""))
                            raise ConversationOver
                        case Opcode.PING, bytes() | bytearray() as payload:
                            await self._control(websocket_frame(bytes(payload), Opcode.PONG))
                        case (
                            (Opcode.TEXT | Opcode.BINARY | Opcode.CONTINUATION),
                            (str() | bytes() | bytearray()) as part,
                        ):
                            message += part.encode() if isinstance(part, str) else part
                            if len(message) > self._limit:
                                await self.close(TOO_LONG)
                                raise ConversationOver
                            if frame.message_finished:
                                return message.decode() if isinstance(part, str) else message
            except ParseFailed as error:
                await self.close(Closing(int(error.code), str(error)))
                raise ConversationOver from error
            data = await self._stream.receive_some(65_536)
            if not data:
                raise ConversationOver
            self._frames.receive_bytes(bytes(data))

    async def send(self, message: str | bytes) -> None:
        """Send one message."""
        if isinstance(message, str):
            await self.send_frame(websocket_frame(message.encode()))
        else:
            await self.send_frame(websocket_frame(message, Opcode.BINARY))

    def send_now(self, text: bytes) -> bool:
        """Nothing is sent without waiting here."""
        return False

    async def send_frame(self, frame: bytes) -> None:
        """Send what a source has framed."""
        if self._is_closed:
            raise ConversationOver
        await self._socket_outlet.write(frame)

    async def close(self, closing: Closing) -> None:
        """Say why, once."""
        if not self._is_closed:
            await self._control(closing_frame(closing))
            self._is_closed = True

    async def _control(self, frame: bytes) -> None:
        if not self._is_closed:
            self._socket_outlet.control(frame)
            await self._socket_outlet.flush()


async def subscribe(socket: Socket, live: Live) -> None:
    """Serve a subscription; its source hears the outlet already."""
    closing: Closing | None = GOING_AWAY
    try:
        async with trio.open_nursery() as nursery:

            async def pump() -> None:
                nonlocal closing
                closing = await live.source.pump(socket.outlet, socket.send_frame)
                nursery.cancel_scope.cancel()

            nursery.start_soon(pump)
            closing = await _listen(socket, live)
            nursery.cancel_scope.cancel()
    except* ConversationOver:
        closing = None
    except* Exception:
        closing = OUR_FAULT  # the edge: a source or a message handler that breaks ends its own socket
    finally:
        live.source.detach(socket.outlet)
    if closing is not None:
        await _say_goodbye(socket, closing)


async def _listen(socket: Socket, live: Live) -> Closing:
    while True:
        message = await socket.receive()
        if live.on_message is None:
            continue
        if isinstance(message, bytes):
            return TEXT_ONLY
        await live.on_message(message)


async def converse(socket: Socket, answer: WebSocket) -> None:
    """Serve a conversation until either side ends it."""
    closing = NORMAL
    try:
        await answer.run(socket)
    except* ConversationOver:
        pass
    except* Exception:
        closing = OUR_FAULT  # the edge, as in `subscribe`
    await _say_goodbye(socket, closing)


async def _say_goodbye(socket: Socket, closing: Closing) -> None:
    """Close, and wait a moment for the client's own close frame."""
    await socket.close(closing)
    with trio.move_on_after(_CLOSE_SECONDS):
        try:
            while True:
                await socket.receive()
        except ConversationOver:
            return
