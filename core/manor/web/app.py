"""The front: ASGI requests in, the house's answers out, through Quart."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio
from quart.wrappers import Request as QuartRequest
from quart_trio import QuartTrio
from quart_trio.asgi import TrioASGIHTTPConnection

from manor.answers import Finished
from manor.config import Network
from manor.dispatch import Call, Dispatcher
from manor.errors import InternalError, Refused, TooManyRequests
from manor.incoming import BrokenOff
from manor.routing import Door, Head, Reply
from manor.web.access_log import blanked
from manor.web.exchange import Exchange, Receive, Send
from manor.web.heads import Proxies, read_head
from manor.web.request_bodies import BodyTimes, incoming, read_body, refuse_announced
from manor.web.sending import OpenStreams, SendWhole, send_finished, send_reply, whole
from manor.web.sockets import SocketConnection

log = structlog.get_logger("manor.access")

Observe = Callable[[Call, int, float], None]


@dataclass(frozen=True)
class WebOptions:
    """What the front is told.

    Args:
        trusted_proxies: Whose `X-Forwarded-…` and `X-Request-Id` headers count.
        requests_per_address: At once, of one address behind a trusted proxy, where connections cannot be counted; 0
            for no limit.
        body_times: How slowly a body may come.
        access_log: Whether each request is a line in the log.
        observe: Told the call, the status and the seconds of every request that has ended, for the metrics.
    """

    trusted_proxies: Sequence[Network] = ()
    requests_per_address: int = 64
    body_times: BodyTimes = field(default_factory=BodyTimes)
    access_log: bool = False
    observe: Observe = lambda call, status, seconds: None


class Front:
    """The ASGI application: what hypercorn calls.

    Args:
        dispatcher: Answers the calls.
        options: See `WebOptions`; `apply` changes them.
    """

    def __init__(self, dispatcher: Dispatcher, options: WebOptions | None = None) -> None:
        self._dispatcher = dispatcher
        self._streams = OpenStreams()
        self._quart = QuartDoor(self._streams)
        self._forwarded: Counter[str] = Counter()
        self.apply(options or WebOptions())

    def apply(self, options: WebOptions) -> None:
        """Take changed options; requests that have begun keep the old ones."""
        self._options = options
        self._proxies = Proxies(options.trusted_proxies)
        self._quart.body_times = options.body_times

    def end_streams(self) -> None:
        """End what is still open: event streams cleanly, WebSockets with 1001."""
        self._streams.end()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        start = time.perf_counter()
        head = read_head(scope, self._proxies)
        call = self._dispatcher.begin(head)
        # HTTP/1.0 knows no `100 Continue`, and our HTTP/2 does not speak of it.
        is_waiting = scope["http_version"] == "1.1" and scope["type"] == "http" and "expect" in head.headers
        exchange = Exchange(receive, send, is_waiting=is_waiting)
        try:
            with self._counted(scope, head) as has_room:
                if has_room:
                    await self._serve(scope, call, exchange)
                else:
                    prefix = "http" if scope["type"] == "http" else "websocket.http"
                    await send_reply(exchange.send, call.refuse(_too_many()), prefix=prefix)
        finally:
            self._note(call, exchange.status, time.perf_counter() - start)

    @property
    def at_once(self) -> tuple[bytes, ...]:
        """What the requests begin with that `answer_at_once` may answer."""
        return self._dispatcher.table.at_once

    async def answer_at_once(self, scope: Mapping[str, Any], send: SendWhole) -> bool:
        """Answer a GET of a route of `Door.AT_ONCE` with one call of `send`; for any other do nothing, and say so.

        Args:
            scope: ASGI's, of a request without a body.
            send: Sends the answer.
        """
        start = time.perf_counter()
        head = read_head(scope, self._proxies)
        call = self._dispatcher.begin(head)
        if call.route is None or call.route.door is not Door.AT_ONCE:
            return False
        status = 0
        try:
            with self._counted(scope, head) as has_room:
                reply = await _reply_at_once(call) if has_room else call.refuse(_too_many())
                status = reply.status
                await send(status, *whole(reply))
        finally:
            self._note(call, status, time.perf_counter() - start)
        return True

    def _note(self, call: Call, status: int, seconds: float) -> None:
        self._options.observe(call, status, seconds)
        if self._options.access_log:
            log.info(
                "request",
                method=call.head.method,
                path=call.shown_path,
                query=blanked(call.head.query_string, call.secret_parameters),
                status=status,
                seconds=round(seconds, 4),
                address=call.head.address,
                owner=call.owner,
                request_id=call.head.request_id,
            )

    async def _serve(self, scope: Any, call: Call, exchange: Exchange) -> None:
        is_bare = call.is_streamed or (call.route is not None and call.route.door is not Door.FRAMED)
        if scope["type"] == "http" and is_bare:
            await answer_bare(scope, call, exchange, self._streams, self._options.body_times)
            return
        scope["manor.call"] = call
        scope["manor.ask_for_body"] = exchange.ask_for_body
        await self._quart(scope, exchange.receive, exchange.send)

    @contextmanager
    def _counted(self, scope: Mapping[str, Any], head: Head) -> Iterator[bool]:
        """Count the requests of an address behind a proxy; gives whether there is room for this one."""
        peer = scope["client"][0] if scope.get("client") else ""
        most = self._options.requests_per_address
        if not most or head.address == peer:
            yield True
            return
        self._forwarded[head.address] += 1
        try:
            yield self._forwarded[head.address] <= most
        finally:
            self._forwarded[head.address] -= 1
            if not self._forwarded[head.address]:
                del self._forwarded[head.address]


def _too_many() -> TooManyRequests:
    return TooManyRequests("Too many requests at once", retry_after=5)


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

    streams: OpenStreams
    body_times: BodyTimes

    def __init__(self, streams: OpenStreams) -> None:
        super().__init__("manor.web", static_folder=None)
        self.asgi_http_class = HttpConnection
        self.asgi_websocket_class = SocketConnection
        # Streams last for days; what may take too long has a deadline of its own, in the route.
        self.config["RESPONSE_TIMEOUT"] = None
        self.streams = streams

    async def handle_request(self, request: QuartRequest) -> Finished:  # type: ignore[override]  # see HttpConnection
        """Have the house answer; none of Quart's own contexts and hooks is in the way."""
        body: Any = request.body
        ask: Any = request.scope["manor.ask_for_body"]  # type: ignore[typeddict-item]  # ours, beside ASGI's keys
        return await answer_call(_call(request), body, self.body_times, ask)


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
