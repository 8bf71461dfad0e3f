"""hypercorn's protocol machines, with what they forgive and forget put right.

Everything used of hypercorn's insides is used here and in `connection.py`, and listed by a contract test.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

import h11
import structlog
import trio
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived
from h2.settings import SettingCodes, Settings
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.events import Body, Data, EndBody, InformationalResponse, Request, Response, StreamClosed
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import ASGIWebsocketState, FrameTooLargeError, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.frame_protocol import CloseReason

from manor.daemon.at_once import AnswersAtOnce, read_plain_get, render_head
from manor.daemon.strict import StrictConnection
from manor.front.framing import HeadLimits, is_handshake
from manor.front.replies import refusal_body, refusal_headers
from manor.web import CONTINUE

JOINED = 65_536
"""So much of a body goes with its head."""

CLOSE_FRAME = 0x88
"""The first byte of a WebSocket close frame (RFC 6455 section 5.2)."""


log = structlog.get_logger("manor.daemon")

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}

_HANDSHAKE_REFUSALS = {
    400: "A WebSocket's frames came before its handshake was answered",
    403: "This WebSocket is not opened",
}


class RequestStream(HTTPStream):
    """A request whose application says itself when it wants the body."""

    async def app_send(self, message: Any) -> None:
        """Take the application's message: ASGI's, or `CONTINUE`."""
        if message is None or message["type"] != CONTINUE:
            await super().app_send(message)
        elif not self.closed:
            await self.send(InformationalResponse(stream_id=self.stream_id, headers=[], status_code=100))


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

    async def _send_error_response(self, status_code: int) -> None:
        if status_code == HTTPStatus.BAD_REQUEST:
            # What the application answers now would come between our head and our body.
            self.closed = True
        body = refusal_body(_HANDSHAKE_REFUSALS.get(status_code, "Internal server error"))
        headers = refusal_headers(status_code, body)
        await self.send(Response(stream_id=self.stream_id, status_code=status_code, headers=headers))
        await self.send(Body(stream_id=self.stream_id, data=body))
        await self.send(EndBody(stream_id=self.stream_id))


class Http1(H11Protocol):
    """HTTP/1.1 without h2c, permessage-deflate and connections that nobody ends."""

    def __init__(self, *args: Any, limits: HeadLimits) -> None:
        super().__init__(*args)
        self.connection = StrictConnection(limits)
        self._limits = limits
        self._prompt = self.app if isinstance(self.app, AnswersAtOnce) else None
        self.goodbye_sent = False
        self._method = ""
        self._held_head = b""

    @property
    def socket(self) -> SocketStream | None:
        """The open WebSocket, if it is one by now."""
        stream = self.stream
        return stream if isinstance(stream, SocketStream) and stream.state is ASGIWebsocketState.CONNECTED else None

    @property
    def is_free(self) -> bool:
        """Whether no request is under way, and none has begun to come."""
        return isinstance(self.connection, StrictConnection) and self.connection.is_free

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

    async def handle(self, event: Any) -> None:
        """Take bytes, or the news that the client left."""
        if isinstance(event, RawData) and self._prompt is not None and event.data.startswith(self._prompt.at_once):
            try:
                if await self._answer_at_once(self._prompt, event.data):
                    return
            except Exception:
                # The edge, as for a request that has a task: its fault must not end the daemon.
                log.exception("request failed", data=event.data[:100])
                await self.send(Closed())
                return
        await super().handle(event)

    async def _answer_at_once(self, app: AnswersAtOnce, data: bytes) -> bool:
        """Answer a plain GET that is all there is to do; h11 never hears of it. Gives whether it was one."""
        # The last request of a connection has to say so, which is h11's to know.
        if not self.is_free or self.keep_alive_requests >= self.config.keep_alive_max_requests:
            return False
        request = read_plain_get(data, self._limits)
        if request is None:
            return False

        async def send(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
            headers += self.config.response_headers("h11")
            await self.send(Updated(idle=False))
            await self._send_joined(render_head(status, _REASONS.get(status, b""), headers), body)
            await self.send(Updated(idle=True))

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https" if self.ssl else "http",
            "client": self.client,
            "raw_path": request.raw_path,
            "query_string": request.query_string,
            "headers": request.headers,
        }
        is_answered = await app.answer_at_once(scope, send)
        self.keep_alive_requests += is_answered
        return is_answered

    async def stream_send(self, event: Any) -> None:
        """Send a stream's event, and end the connection where hypercorn would leave it open."""
        match event:
            case Response():
                await self._send_head(event)
                return
            case InformationalResponse():
                await self._ask_for_body()
                return
            case Data() if event.data[:1] == bytes([CLOSE_FRAME]):
                self.goodbye_sent = True
        await super().stream_send(event)
        if (
            isinstance(event, EndBody)
            and isinstance(self.stream, WSStream)
            and self.stream.state is ASGIWebsocketState.HANDSHAKE
        ):
            # hypercorn's own answer to a handshake: 400, because frames came before it was accepted.
            await self.send(Closed())

    async def _send_head(self, response: Response) -> None:
        """hypercorn's own way leaves the reason phrase empty."""
        headers = [*response.headers, *self.config.response_headers("h11")]
        status, reason = response.status_code, _REASONS.get(response.status_code, b"")
        if status < HTTPStatus.OK:
            head: Any = h11.InformationalResponse(headers=headers, status_code=status, reason=reason)
        else:
            if self.keep_alive_requests >= self.config.keep_alive_max_requests:
                headers.append((b"connection", b"close"))
            head = h11.Response(headers=headers, status_code=status, reason=reason)
        await self._send_h11_event(head)

    async def _send_h11_event(self, event: Any) -> None:
        """Join a head with the body that follows at once, as one with a length does: one write in place of two."""
        try:
            data = self.connection.send(event) or b""
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
            return
        if isinstance(event, h11.Response) and any(name == b"content-length" for name, _ in event.headers):
            self._held_head += data
            return
        held, self._held_head = self._held_head, b""
        await self._send_joined(held, data)

    async def _send_joined(self, head: bytes, body: bytes) -> None:
        """One write, or two where the body is large: copying it would cost more than the second."""
        if len(body) <= JOINED or not head:
            await self.send(RawData(head + body))
            return
        await self.send(RawData(head + body[:JOINED]))
        await self.send(RawData(memoryview(body)[JOINED:]))  # type: ignore[arg-type]  # ours takes a view too

    async def _ask_for_body(self) -> None:
        connection = self.connection
        if isinstance(connection, StrictConnection) and connection.client_is_waiting_for_100_continue:
            await self._send_h11_event(h11.InformationalResponse(headers=[], status_code=100, reason=_REASONS[100]))

    async def _send_error_response(self, status_code: int) -> None:
        assert isinstance(self.connection, StrictConnection), "a WebSocket's bytes are not h11's"
        # What came before a bad head may have been HEAD; to h11 the bad one is no request at all.
        has_body = self._method != "HEAD" or self.connection.our_state is h11.IDLE
        body = refusal_body(self.connection.refusal)
        headers = refusal_headers(status_code, body)
        await self._send_head(Response(stream_id=STREAM_ID, headers=headers, status_code=status_code))
        if has_body:
            await self._send_h11_event(h11.Data(data=body))
        await self._send_h11_event(h11.EndOfMessage())

    async def _check_protocol(self, event: h11.Request) -> None:
        """No upgrade to h2c: behind a proxy it is a way around the proxy, and nothing here needs it."""

    async def _create_stream(self, request: h11.Request) -> None:
        self._method = request.method.decode("ascii")
        headers = [(name, value) for name, value in request.headers if name != b"sec-websocket-extensions"]
        is_socket = is_handshake(request.method, headers)
        self.stream = (SocketStream if is_socket else RequestStream)(
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
        if is_socket:
            self.connection = H11WSConnection(cast("h11.Connection", self.connection))
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=headers,
                http_version=request.http_version.decode(),
                method=self._method,
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
        if method == b"CONNECT":
            self._refuse(request, HTTPStatus.NOT_IMPLEMENTED, "No connections to others are made here")
        elif not path.startswith((b"/", b"*")) or not _is_printable(path):
            self._refuse(request, HTTPStatus.BAD_REQUEST, "The path cannot be read")
        else:
            await super()._create_stream(request)

    def _refuse(self, request: RequestReceived, status: int, detail: str) -> None:
        """Answer a request that no application gets; the connection and its other streams go on."""
        body = refusal_body(detail)
        headers = [(b":status", b"%d" % status), *refusal_headers(status, body)]
        has_body = dict(request.headers).get(b":method") != b"HEAD"
        # HTTP/2 knows no `connection` header: the answer ends a stream.
        headers = [(name, value) for name, value in headers if name != b"connection"]
        stream = request.stream_id
        has_body = has_body and self.connection.local_flow_control_window(stream) >= len(body)
        self.connection.send_headers(stream, headers, end_stream=not has_body)
        if has_body:
            self.connection.send_data(stream, body, end_stream=True)
        if request.stream_ended is None:
            # What is still sent is not read (RFC 9113 section 8.1).
            self.connection.reset_stream(stream, ErrorCodes.NO_ERROR)


def _is_printable(path: bytes) -> bool:
    return all(0x20 < byte < 0x7F for byte in path)
