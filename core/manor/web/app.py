"""The front: ASGI requests in, the house's answers out, through Quart."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import structlog
import trio
from quart.wrappers import Request as QuartRequest
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection

from manor.answers import Finished
from manor.dispatch import Call, Dispatcher
from manor.errors import InternalError, Refused
from manor.incoming import BrokenOff
from manor.routing import Door, Head, Reply
from manor.web.exchange import Exchange, Receive, Send
from manor.web.heads import read_head
from manor.web.request_bodies import BodyTimes, incoming, read_body, refuse_announced
from manor.web.sending import OpenStreams, SendWhole, send_finished, send_reply, whole
from manor.web.sockets import SocketConnection
from manor.web.visits import Visits, WebOptions, no_room

log = structlog.get_logger("manor.access")


class Front:
    """The ASGI application: what hypercorn calls.

    Args:
        dispatcher: Answers the calls.
        options: See `WebOptions`; `apply` changes them.
    """

    def __init__(self, dispatcher: Dispatcher, options: WebOptions | None = None) -> None:
        self.dispatcher = dispatcher
        self.streams = OpenStreams()
        self.visits = Visits(options or WebOptions())
        self._quart = QuartDoor(self.streams, self.visits)

    def apply(self, options: WebOptions) -> None:
        """Take changed options; requests that have begun keep the old ones."""
        self.visits.apply(options)

    def end_streams(self) -> None:
        """End what is still open: event streams cleanly, WebSockets with 1001."""
        self.streams.end()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        start = time.perf_counter()
        head = read_head(scope, self.visits.proxies)
        call = self.dispatcher.begin(head)
        # HTTP/1.0 knows no `100 Continue`, and our HTTP/2 does not speak of it.
        is_waiting = scope["http_version"] == "1.1" and scope["type"] == "http" and "expect" in head.headers
        exchange = Exchange(receive, send, is_waiting=is_waiting)
        try:
            with self.visits.counted(call, _peer(scope)) as has_room:
                if has_room:
                    await self._serve(scope, call, exchange)
                else:
                    prefix = "http" if scope["type"] == "http" else "websocket.http"
                    await send_reply(exchange.send, no_room(call), prefix=prefix)
        finally:
            self.visits.note(call, exchange.status, start)

    @property
    def at_once(self) -> tuple[bytes, ...]:
        """What the requests begin with that `answer_at_once` may answer."""
        return self.dispatcher.table.at_once

    async def answer_at_once(self, scope: Mapping[str, Any], send: SendWhole) -> bool:
        """Answer a GET of a route of `Door.AT_ONCE` with one call of `send`; for any other do nothing, and say so.

        Args:
            scope: ASGI's, of a request without a body.
            send: Sends the answer.
        """
        start = time.perf_counter()
        head = read_head(scope, self.visits.proxies)
        call = self.dispatcher.begin(head)
        if call.route is None or call.route.door is not Door.AT_ONCE:
            return False
        status = 0
        try:
            with self.visits.counted(call, _peer(scope)) as has_room:
                reply = await _reply_at_once(call) if has_room else no_room(call)
                status = reply.status
                await send(status, *whole(reply))
        finally:
            self.visits.note(call, status, start)
        return True

    async def _serve(self, scope: Any, call: Call, exchange: Exchange) -> None:
        is_bare = call.is_streamed or (call.route is not None and call.route.door is not Door.FRAMED)
        if scope["type"] == "http" and is_bare:
            await answer_bare(scope, call, exchange, self.streams, self.visits.options.body_times)
            return
        scope["manor.call"] = call
        scope["manor.ask_for_body"] = exchange.ask_for_body
        await self._quart(scope, exchange.receive, exchange.send)


def _peer(scope: Mapping[str, Any]) -> str:
    return scope["client"][0] if scope.get("client") else ""


async def _reply_at_once(call: Call) -> Reply:
    refusal = await call.admit()
    if refusal is not None:
        return refusal
    answer = await call.answer(b"")
    if isinstance(answer, Reply):
        return answer
    log.error("no_reply", owner=call.owner, path=call.shown_path, got=type(answer).__name__)
    return call.refuse(InternalError("Internal server error"))


async def answer_call(
    call: Call, chunks: AsyncIterator[bytes], times: BodyTimes, ask_for_body: Callable[[], Awaitable[None]]
) -> Finished:
    """Admit, read the body or hand it on as it comes, answer."""
    refusal = await call.admit()
    if refusal is not None:
        return refusal
    if call.is_streamed:
        try:
            arriving = incoming(chunks, call.head, call.body_limit, times, ask_for_body)
        except Refused as refused:
            return call.refuse(refused)
        return await call.answer(arriving)
    body = b""
    if call.body_limit:
        try:
            refuse_announced(call.head, call.body_limit)
            await ask_for_body()
            body = await read_body(chunks, call.body_limit, times)
        except Refused as refused:
            return call.refuse(refused)
    return await call.answer(body)


# --- Through Quart -------------------------------------------------------------------------------------------------


class ArrivingBody:
    """What Quart has read of a request's body; it keeps a chunk more than the limit at most, and drops the rest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._chunks: deque[bytes] = deque()
        self._change = trio.Event()
        self.is_complete = False

    def append(self, data: bytes) -> None:
        """Take a chunk from the client."""
        if data and self._size <= self._limit:
            self._size += len(data)
            self._chunks.append(data)
            self._change.set()

    def set_complete(self) -> None:
        """That was all."""
        self.is_complete = True
        self._change.set()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._chunks:
            if self.is_complete:
                raise StopAsyncIteration
            await self._change.wait()
            self._change = trio.Event()
        return self._chunks.popleft()


class QuartDoor(QuartTrio):
    """Quart with routing, errors and answers that are ours: its URL map is not asked."""

    def __init__(self, streams: OpenStreams, visits: Visits) -> None:
        super().__init__("manor.web", static_folder=None)
        self.asgi_http_class = HttpConnection
        self.asgi_websocket_class = SocketConnection
        # Streams last for days; what may take too long has a deadline of its own, in the route.
        self.config["RESPONSE_TIMEOUT"] = None
        self.streams = streams
        self._visits = visits

    async def handle_request(self, request: QuartRequest) -> Finished:  # type: ignore[override]  # see HttpConnection
        """Have the house answer; none of Quart's own contexts and hooks is in the way."""
        body: Any = request.body
        ask: Any = request.scope["manor.ask_for_body"]  # type: ignore[typeddict-item]  # ours, beside ASGI's keys
        return await answer_call(_call(request), body, self._visits.options.body_times, ask)


class HttpConnection(TrioASGIHTTPConnection):
    """One request as Quart takes it in, and our answer to it."""

    _request: QuartRequest

    def _create_request_from_scope(self, send: Any) -> QuartRequest:
        request = super()._create_request_from_scope(send)
        request.body = ArrivingBody(_call(request).body_limit)  # type: ignore[assignment]  # same use, bounded, on trio
        self._request = request
        return request

    async def _send_response(self, send: Any, response: Any) -> None:
        call = _call(self._request)
        body: Any = self._request.body
        is_http1 = self.scope["http_version"] != "2"
        closes = is_http1 and not body.is_complete and _announces_body(call.head)
        app: Any = self.app
        await send_finished(self.scope, send, response, call, app.streams, closes=closes)


def _call(request: QuartRequest) -> Call:
    call: Call = request.scope["manor.call"]  # type: ignore[typeddict-item]  # ours, beside ASGI's keys
    return call


def _announces_body(head: Head) -> bool:
    return head.headers.get("content-length") not in (None, "0") or "transfer-encoding" in head.headers


# --- Before Quart --------------------------------------------------------------------------------------------------


async def answer_bare(scope: Any, call: Call, exchange: Exchange, streams: OpenStreams, times: BodyTimes) -> None:
    """Answer a route with nothing between it and the server."""
    body = _BareBody(exchange.receive)
    answer = await answer_call(call, body, times, exchange.ask_for_body)
    if body.is_gone:
        return
    closes = scope["http_version"] != "2" and not body.is_complete and _announces_body(call.head)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_leave, exchange.receive, nursery.cancel_scope)
        await send_finished(scope, exchange.send, answer, call, streams, closes=closes)
        nursery.cancel_scope.cancel()


async def _leave(receive: Receive, scope: trio.CancelScope) -> None:
    """Cancel the answer when the client leaves; what else it sends is thrown away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


class _BareBody:
    """A request's body straight from the server."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_complete = False
        self.is_gone = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self.is_complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                # Half a body must not look like a whole one.
                self.is_gone = True
                raise BrokenOff
            self.is_complete = not message.get("more_body", False)
            if message["body"]:
                data: bytes = message["body"]
                return data
        raise StopAsyncIteration
