"""hypercorn's protocol machines, with what they forgive and forget put right.

Everything used of hypercorn's insides is used here and in `connection.py`, and listed by a contract test.
"""

from __future__ import annotations

from typing import Any, cast

import h11
import trio
from h2.events import DataReceived, RequestReceived
from h2.settings import SettingCodes, Settings
from hypercorn.config import Config
from hypercorn.events import Closed, Updated
from hypercorn.protocol.events import Data, EndBody, Request, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import ASGIWebsocketState, FrameTooLargeError, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.frame_protocol import CloseReason

from manor.daemon.framing import END_OF_HEAD, HeadLimits, fault

CLOSE_FRAME = 0x88
"""The first byte of a WebSocket close frame (RFC 6455 section 5.2)."""


class StrictConnection(h11.Connection):
    """h11, which looks at a request's head as it came before it reads it its own, more forgiving way."""

    def __init__(self, limits: HeadLimits) -> None:
        # One byte more than we take: what is too long is then always found by us, with the same answer.
        super().__init__(h11.SERVER, max_incomplete_event_size=limits.size + len(END_OF_HEAD) + 1)
        self._limits = limits

    def next_event(self) -> Any:
        """The next event; a head that is refused raises `RemoteProtocolError` with the status as its hint."""
        if self.their_state is h11.IDLE:
            data, _ = self.trailing_data
            status = fault(data, self._limits) if data else None
            if status is not None:
                raise h11.RemoteProtocolError("refused", error_status_hint=status)
        return super().next_event()


class SocketStream(WSStream):
    """A WebSocket that always ends when it must: with a close frame that says why."""

    async def _handle_events(self) -> None:
        was_open = self.connection.state is ConnectionState.OPEN
        for event in self.connection.events():
            match event:
                case Message():
                    if not was_open:
                        continue  # we have said goodbye: only the client's own is waited for
                    try:
                        self.buffer.extend(event)
                    except FrameTooLargeError:
                        await self._send_wsproto_event(CloseConnection(code=CloseReason.MESSAGE_TOO_BIG))
                        was_open = False
                        continue
                    if event.message_finished:
                        assert self.app_put is not None
                        await self.app_put(self.buffer.to_message())
                        self.buffer.clear()
                case Ping():
                    await self._send_wsproto_event(event.response())
                case CloseConnection():
                    if self.connection.state is ConnectionState.REMOTE_CLOSING:
                        await self._send_wsproto_event(event.response())
                    elif self.connection.state is ConnectionState.OPEN:
                        # Not a frame of the client's but wsproto's verdict on what it cannot read.
                        await self._send_wsproto_event(CloseConnection(code=event.code))
                    await self.send(StreamClosed(stream_id=self.stream_id))

    async def ping(self) -> None:
        """Ask the client whether it is there."""
        await self._send_wsproto_event(Ping())


class Http1(H11Protocol):
    """HTTP/1.1 without h2c, permessage-deflate and connections that nobody ends."""

    def __init__(self, *args: Any, limits: HeadLimits) -> None:
        super().__init__(*args)
        self.connection = StrictConnection(limits)
        self.goodbye_sent = False

    @property
    def socket(self) -> SocketStream | None:
        """The open WebSocket, if it is one by now."""
        stream = self.stream
        return stream if isinstance(stream, SocketStream) and stream.state is ASGIWebsocketState.CONNECTED else None

    @property
    def is_goodbye_said(self) -> bool:
        """Whether both sides of a WebSocket have sent their close frame: then it is ours to close the connection."""
        stream = self.stream
        return isinstance(stream, SocketStream) and stream.connection.state is ConnectionState.CLOSED

    def is_goodbye(self, data: bytes) -> bool:
        """Whether bytes that came after our close frame are the client's."""
        return self.goodbye_sent and data[0] == CLOSE_FRAME

    @property
    def owes(self) -> bool:
        """Whether the client may still be sending something that we will not read."""
        if isinstance(self.connection, H11WSConnection):
            return True
        return self.connection.their_state in (h11.SEND_BODY, h11.ERROR)

    async def stream_send(self, event: Any) -> None:
        """Send a stream's event, and end the connection where hypercorn would leave it open."""
        if isinstance(event, Data) and event.data[:1] == bytes([CLOSE_FRAME]):
            self.goodbye_sent = True
        await super().stream_send(event)
        if (
            isinstance(event, EndBody)
            and isinstance(self.stream, WSStream)
            and self.stream.state is ASGIWebsocketState.HANDSHAKE
        ):
            # hypercorn's own answer to a handshake: 400, because frames came before it was accepted.
            await self.send(Closed())

    async def _check_protocol(self, event: h11.Request) -> None:
        """No upgrade to h2c: behind a proxy it is a way around the proxy, and nothing here needs it."""

    async def _create_stream(self, request: h11.Request) -> None:
        headers = [(name, value) for name, value in request.headers if name != b"sec-websocket-extensions"]
        named = dict(headers)
        tokens = [token.strip().lower() for token in named.get(b"connection", b"").split(b",")]
        is_handshake = (
            request.method == b"GET" and b"upgrade" in tokens and named.get(b"upgrade", b"").lower() == b"websocket"
        )
        self.stream = (SocketStream if is_handshake else HTTPStream)(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        if is_handshake:
            self.connection = H11WSConnection(cast("h11.Connection", self.connection))
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=headers,
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii"),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1


class Http2(H2Protocol):
    """HTTP/2, for requests and event streams; browsers open WebSockets over HTTP/1.1 when told that this is none."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._progress = trio.Event()
        config: Config = self.config
        self.connection.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: config.h2_max_concurrent_streams,
                SettingCodes.MAX_HEADER_LIST_SIZE: config.h2_max_header_list_size,
            },
        )

    async def ping(self) -> None:
        """Ask the client whether it is there."""
        self.connection.ping(b"manor...")
        await self._flush()

    async def handle(self, event: Any) -> None:
        """Take bytes, or the news that the client left."""
        await super().handle(event)
        self._note_progress()

    async def stream_send(self, event: Any) -> None:
        """Send a stream's event; returns from the last one of a stream when its end is on the wire.

        hypercorn returns once the data is: then the goodbye of a stopping server overtakes the stream's end, which
        h2 refuses to send after it.
        """
        await super().stream_send(event)
        if isinstance(event, EndBody):
            while event.stream_id in self.stream_buffers and not self.closed:
                await self._progress.wait()

    async def _send_data(self, stream_id: int) -> None:
        await super()._send_data(stream_id)
        self._note_progress()

    def _note_progress(self) -> None:
        self._progress.set()
        self._progress = trio.Event()

    async def _handle_events(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, DataReceived) and event.stream_id not in self.streams:
                # The rest of a body whose request is answered already, as with 413.
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                continue
            await super()._handle_events([event])
            if isinstance(event, RequestReceived):
                await self.send(Updated(idle=self.idle))  # a refused request leaves the connection as idle as it was

    async def _create_stream(self, request: RequestReceived) -> None:
        headers = dict(request.headers)
        path, method = headers.get(b":path", b""), headers.get(b":method", b"")
        if method == b"CONNECT" or not path.startswith((b"/", b"*")) or not _is_printable(path):
            self.connection.reset_stream(request.stream_id)
            return
        await super()._create_stream(request)


def _is_printable(path: bytes) -> bool:
    return all(0x20 < byte < 0x7F for byte in path)
