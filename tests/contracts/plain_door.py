"""A small door without a web framework: HTTP/1.1 with keep-alive and pipelining, event streams, WebSockets.

It serves the same `Dispatcher` that the real door serves and writes the wires that a plain socket takes (`SSE_CHUNK`,
`FRAME`). The contract tests run a second time through it, which proves that no handler counts on a framework. It is
not hardened: h11 parses, and h11 is lenient.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import h11
import trio
from trio.testing import memory_stream_pair

from manor.answers import Finished
from manor.auth import Principal
from manor.dispatch import Call, Dispatcher
from manor.errors import BadRequest, InternalError, RequestTimeout, TooLarge
from manor.live.frames import chunk
from manor.routing import (
    Head,
    Headers,
    Later,
    Live,
    Reply,
    Stream,
    WebSocket,
    Wire,
)
from tests.contracts.plain_sockets import Socket, SocketOutlet, converse, subscribe

_HEAD_SECONDS = 10
_BODY_IDLE_SECONDS = 15
_CLOSE_SECONDS = 1
_MOST_DRAINED = 1 << 20
_PIPELINED = 64
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class PlainDoor:
    """Serves connections over any trio stream.

    Args:
        dispatcher: Answers the calls.
        principals: In place of credentials, for all requests; None leaves credentials to the dispatcher.
    """

    def __init__(self, dispatcher: Dispatcher, principals: Sequence[Principal] | None = None) -> None:
        self.dispatcher = dispatcher
        self.principals = principals

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Serve one connection until it ends; a broken one ends quietly."""
        async with stream:
            try:
                await _Connection(self, stream).run()
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                pass


@asynccontextmanager
async def listening(door: PlainDoor) -> AsyncIterator[int]:
    """Serve on a free port of the loopback, which is yielded."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, door.serve, 0)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def in_memory(door: PlainDoor) -> AsyncIterator[Callable[[], trio.abc.Stream]]:
    """Serve without a network; what is yielded opens connections."""
    async with trio.open_nursery() as nursery:

        def connect() -> trio.abc.Stream:
            ours, theirs = memory_stream_pair()
            nursery.start_soon(door.serve, ours)
            return theirs

        yield connect
        nursery.cancel_scope.cancel()


@dataclass
class _Exchange:
    """A request that has its answer, or soon will."""

    call: Call
    answer: Finished | Later
    closes: bool
    request: h11.Request
    rest: bytes = b""
    written: trio.Event = field(default_factory=trio.Event)


class _Connection:
    """One connection: a reader that calls handlers in order, and a writer that answers in the same order."""

    def __init__(self, door: PlainDoor, stream: trio.abc.Stream) -> None:
        self._door = door
        self._stream = stream
        self._parser = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        answers, waiting = trio.open_memory_channel[_Exchange](_PIPELINED)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write_answers, waiting, nursery.cancel_scope)
            async with answers:
                rest = b""
                while True:
                    exchange = await self._read(rest)
                    if exchange is None:
                        break
                    await answers.send(exchange)
                    if exchange.closes:
                        break
                    if not isinstance(exchange.answer, Later):
                        await exchange.written.wait()
                    rest = exchange.rest

    # --- Reading ---------------------------------------------------------------------------------------------------

    async def _read(self, rest: bytes) -> _Exchange | None:
        """The next request, handled; None at the connection's end."""
        # A parser for each request: one that had to see the answer first could not read ahead.
        self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=16_384)
        if rest:
            self._parser.receive_data(rest)
        request: object = None
        try:
            with trio.move_on_after(_HEAD_SECONDS):
                request = await self._event()
            if isinstance(request, h11.Request):
                return await self._handle(request)
        except h11.RemoteProtocolError:
            await self._stream.send_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return None

    async def _handle(self, request: h11.Request) -> _Exchange:
        call = self._door.dispatcher.begin(_head(request, self._stream), self._door.principals)
        answer: Finished | Later | None = await call.admit()
        closes = _tokens(request, b"connection").count(b"close") > 0 or request.http_version == b"1.0"
        if answer is None:
            body = await self._body(call)
            answer = body if isinstance(body, Reply) else await call.answer_later(body)
            closes |= isinstance(body, Reply)
        else:
            closes |= not await self._is_drained()
        closes |= call.head.upgrade or isinstance(answer, Live)
        return _Exchange(call, answer, closes, request, self._parser.trailing_data[0])

    async def _body(self, call: Call) -> bytes | Reply:
        """The body, or the refusal of it; a body that the route does not take is thrown away."""
        if self._parser.they_are_waiting_for_100_continue:
            await self._stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        most = call.body_limit or _MOST_DRAINED
        body = bytearray()
        while True:
            event: object = None
            with trio.move_on_after(_BODY_IDLE_SECONDS):
                try:
                    event = await self._event()
                except h11.RemoteProtocolError:
                    return call.refuse(BadRequest("The body is broken off"))
            match event:
                case h11.Data():
                    body += event.data
                    if len(body) > most:
                        return call.refuse(TooLarge(f"The body is over {most} bytes"))
                case h11.EndOfMessage():
                    return bytes(body) if call.body_limit else b""
                case _:
                    return call.refuse(RequestTimeout("The body did not come in time"))

    async def _is_drained(self) -> bool:
        """Throw a refused request's body away; False when it is too long for that."""
        drained = 0
        with trio.move_on_after(_CLOSE_SECONDS):
            while drained <= _MOST_DRAINED:
                event = await self._event()
                if isinstance(event, h11.EndOfMessage):
                    return True
                drained += len(event.data) if isinstance(event, h11.Data) else _MOST_DRAINED
        return False

    async def _event(self) -> object:
        while True:
            event = self._parser.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._parser.receive_data(bytes(await self._stream.receive_some(65_536)))

    # --- Writing ---------------------------------------------------------------------------------------------------

    async def _write_answers(self, waiting: trio.MemoryReceiveChannel[_Exchange], everything: trio.CancelScope) -> None:
        async with waiting:
            async for exchange in waiting:
                await self._write(exchange, await _arrived(exchange.answer))
                exchange.written.set()
                if exchange.closes:
                    break
        everything.cancel()

    async def _write(self, exchange: _Exchange, answer: Finished) -> None:
        call = exchange.call
        if isinstance(answer, Reply):
            await self._stream.send_all(_reply(call, answer, closes=exchange.closes))
        elif call.head.upgrade and isinstance(answer, Live | WebSocket):
            await self._open_socket(exchange, answer)
        elif isinstance(answer, Stream):
            await self._send_head(answer.status, answer.content_type, answer.headers, closes=exchange.closes)
            with _cutting():
                await answer.run(self._write_chunk)
            await self._stream.send_all(b"0\r\n\r\n")
        elif isinstance(answer, Live):
            await self._send_events(call, answer)
        else:
            refused = call.refuse(InternalError("Internal server error"))
            await self._stream.send_all(_reply(call, refused, closes=True))

    async def _send_head(self, status: int, content_type: str, headers: Mapping[str, str], *, closes: bool) -> None:
        head = _head_lines(status, content_type, headers)
        head += b"transfer-encoding: chunked\r\n" + (b"connection: close\r\n" if closes else b"")
        await self._stream.send_all(head + b"\r\n")

    async def _write_chunk(self, data: bytes) -> None:
        if data:
            await self._stream.send_all(chunk(data))

    async def _send_events(self, call: Call, live: Live) -> None:
        outlet = SocketOutlet(self._stream, Wire.SSE_CHUNK, call.principals)
        # Heard before the client knows that it is subscribed: what it then publishes itself must reach it.
        live.source.attach(outlet, live.cursor)
        try:
            await self._send_head(200, live.content_type, live.headers, closes=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._until_gone, nursery.cancel_scope)
                with _cutting():
                    await live.source.pump(outlet, outlet.write)
                nursery.cancel_scope.cancel()
        finally:
            live.source.detach(outlet)
        await self._stream.send_all(b"0\r\n\r\n")

    async def _until_gone(self, scope: trio.CancelScope) -> None:
        while await self._stream.receive_some(4096):
            pass
        scope.cancel()

    # --- WebSockets ------------------------------------------------------------------------------------------------

    async def _open_socket(self, exchange: _Exchange, answer: Live | WebSocket) -> None:
        offered = _tokens(exchange.request, b"sec-websocket-protocol")
        chosen = (
            [word for word in answer.subprotocols if word.encode() in offered] if isinstance(answer, WebSocket) else []
        )
        key = next(value for name, value in exchange.request.headers if name == b"sec-websocket-key")
        head = _head_lines(101, "", exchange.call.headers())
        head += b"upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: "
        head += base64.b64encode(hashlib.sha1(key + _ACCEPT).digest()) + b"\r\n"
        head += b"sec-websocket-protocol: %s\r\n" % chosen[0].encode() if chosen else b""
        socket = Socket(self._stream, exchange.rest, exchange.call.principals, answer.message_limit)
        if isinstance(answer, Live):
            answer.source.attach(socket.outlet, answer.cursor)
        await self._stream.send_all(head + b"\r\n")
        if isinstance(answer, Live):
            await subscribe(socket, answer)
        else:
            await converse(socket, answer)


# --- Heads and replies ---------------------------------------------------------------------------------------------


def _head(request: h11.Request, stream: trio.abc.Stream) -> Head:
    target, _, query = request.target.partition(b"?")
    if not target.startswith((b"/", b"*")):
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    return Head(
        method=request.method.decode("latin-1"),
        raw_path=target,
        query_string=query,
        headers=Headers(tuple(request.headers)),
        address=stream.socket.getpeername()[0] if isinstance(stream, trio.SocketStream) else "127.0.0.1",
        upgrade=b"websocket" in _tokens(request, b"upgrade") and b"upgrade" in _tokens(request, b"connection"),
        request_id=secrets.token_hex(8),
    )


def _tokens(request: h11.Request, name: bytes) -> list[bytes]:
    values = [value for known, value in request.headers if known == name]
    lower = name != b"sec-websocket-protocol"
    return [(word.lower() if lower else word).strip() for value in values for word in value.split(b",")]


def _head_lines(status: int, content_type: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    if content_type:
        lines.append(f"content-type: {content_type}")
    for name, value in headers.items():
        values = value.split("\n") if name.lower() == "set-cookie" else [value]
        lines += [f"{name.lower()}: {each}" for each in values]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1")


def _reply(call: Call, reply: Reply, *, closes: bool) -> bytes:
    has_body = reply.status not in (204, 304)
    head = _head_lines(reply.status, reply.content_type, reply.headers)
    head += b"content-length: %d\r\n" % len(reply.body) if has_body else b""
    head += b"connection: close\r\n" if closes else b""
    return head + b"\r\n" + (reply.body if has_body and call.head.method != "HEAD" else b"")


@contextmanager
def _cutting() -> Iterator[None]:
    """Have a body that breaks cut its connection: so the client knows that it is not whole."""
    try:
        yield
    except Exception as error:  # the edge: a plugin's stream
        raise trio.BrokenResourceError from error


async def _arrived(answer: Finished | Later) -> Finished:
    if not isinstance(answer, Later):
        return answer
    if not answer.is_done:
        here = trio.Event()
        answer.then(here.set)
        await here.wait()
    finished: Finished = answer.take()
    return finished
